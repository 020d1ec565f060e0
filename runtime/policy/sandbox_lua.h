/*
 * sandbox_lua.h -- a Lua state in which a policy can do nothing but compute.
 *
 * It has the base functions except those that load, print or control the
 * collector, and the libraries string, table, math, utf8 and coroutine, all
 * read-only; `require` knows only "update.version" and "update.policy". There
 * are no finalizers, because the instruction count does not run in them. Memory
 * and instructions are counted over all states of the process.
 */
#ifndef UP_SANDBOX_LUA_H
#define UP_SANDBOX_LUA_H

#include <stddef.h>

#define UP_SANDBOX_LUA_MEMORY (12 << 20)     /* bytes of all Lua objects */
#define UP_SANDBOX_LUA_INSTRUCTIONS 10000000 /* virtual machine instructions */

struct lua_State;

/* Our modules, as text. */
struct up_sandbox_modules {
    const char *version, *policy;
};

/* Called when the instructions are used up; must not return, since an error
 * raised instead could be caught. */
typedef void up_sandbox_over_fn(void);

/* A state with the user's environment as its globals, and `default` in it. NULL
 * with a sentence in why[len]. Release with lua_close(). */
struct lua_State *up_sandbox_lua_new(const struct up_sandbox_modules *modules, up_sandbox_over_fn *over,
                                     char *why, size_t len);

/* Push the table of the default policy. May raise if out of memory. */
void up_sandbox_lua_push_default(struct lua_State *L);

#endif
