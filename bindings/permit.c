/*
 * update.native.permit -- signed permits; a device takes one by device:permit().
 *
 *     assert(permit.check(text))   -- before it is signed
 */
#include "permit.h"

#include "error.h"
#include "helpers.h"
#include "preload.h"

/* check(text) -> true | nil, message, code: whether a permit is well formed */
static int f_check(lua_State *L)
{
    size_t len;
    const char *text = luaL_checklstring(L, 1, &len);
    struct up_permit *p = lua_newuserdatauv(L, sizeof *p, 0);
    struct up_error err;

    return up_push_done(L, up_permit_parse(p, text, len, &err), &err);
}

static const luaL_Reg functions[] = {
    {"check", f_check},
    {NULL, NULL},
};

int luaopen_update_native_permit(lua_State *L)
{
    luaL_newlib(L, functions);
    return 1;
}
