/*
 * update.native.log -- lines on stdout and stderr that never block.
 *
 *     local log = require "update.native.log"
 *     log.out("listening on http://127.0.0.1:8080")   -- stdout
 *     log.err("the disk is full")                     -- stderr
 */
#include "log.h"

#include <string.h>
#include <unistd.h>

#include "helpers.h"
#include "preload.h"

/* Write one line, whether or not the text ends with a line feed. */
static int write_line(lua_State *L, int descriptor)
{
    size_t len;
    const char *text = luaL_checklstring(L, 1, &len);
    char line[UP_LOG_LINE];

    if (len > 0 && text[len - 1] == '\n')
        len--;
    if (len > sizeof line - 1)
        len = sizeof line - 1;
    memcpy(line, text, len);
    line[len] = '\n';
    up_log_write(descriptor, line, len + 1);
    return 0;
}

/* out(text): a line on stdout, at most 4095 bytes of it. Dropped, and counted, when it cannot be written at once. */
static int f_out(lua_State *L)
{
    return write_line(L, STDOUT_FILENO);
}

/* err(text): the same on stderr */
static int f_err(lua_State *L)
{
    return write_line(L, STDERR_FILENO);
}

static const luaL_Reg functions[] = {
    {"out", f_out},
    {"err", f_err},
    {NULL, NULL},
};

int luaopen_update_native_log(lua_State *L)
{
    luaL_newlib(L, functions);
    return 1;
}
