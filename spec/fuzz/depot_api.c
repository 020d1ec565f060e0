/*
 * What a stranger may send to the admin server of a depot before anybody asks who he is: paths with arguments, bodies,
 * filters, forms and cookies: depot_api.lua beside this file. It must not raise, what is accepted is of the type that
 * the route wants, and no text of a filter becomes part of a statement.
 */
#include "fuzz.h"
#include "lua_target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_lua("depot_api", data, size);
    return 0;
}
