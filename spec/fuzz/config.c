/* A configuration of any bytes: an error that says so, or a table that the C
 * side can hold. */
#include "config.h"

#include "fuzz.h"
#include "helpers.h"
#include "table_file.h"

static int take(lua_State *L)
{
    struct up_config config;

    up_check_config(L, 1, &config);
    up_config_free(&config);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_table_file("update.config", data, size, take);
    return 0;
}
