/* A recipe of any bytes: an error that says so, or a table. */
#include "fuzz.h"
#include "table_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_table_file("cli.recipe", data, size, NULL);
    return 0;
}
