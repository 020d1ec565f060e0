/*
 * Whatever a dispatcher, a broker or a device of the Qinglian cloud may send, to
 * both sides: qinglian.lua beside this file. It must not raise, what is accepted
 * is written again as it was, and what is answered can be read.
 */
#include "fuzz.h"
#include "lua_target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_lua("qinglian", data, size);
    return 0;
}
