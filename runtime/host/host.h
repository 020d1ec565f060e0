/*
 * host.h -- the Lua state of a process: libraries, module path, memory budget.
 * main.c decides which process it is.
 *
 * Lua code learns about its process from `require "update.native.host"`:
 * {version, program, lua_dir, cwd (at the start)} and, after up_host_connect(),
 * {control, channel, heartbeat, own}.
 */
#ifndef UP_HOST_H
#define UP_HOST_H

#include <stddef.h>

#include "error.h"

struct lua_State;
struct up_config;

/* A state with the standard libraries, every binding preloaded, and our Lua
 * folder first in package.path. NULL: out of memory. */
struct lua_State *up_host_new(void);

/* Limit the state to `bytes` from now on, or to what it owns already if that is
 * more. Beyond that Lua reports "not enough memory" to the script. Returns -1
 * if out of memory. The state must be released with up_host_close(). */
int up_host_limit(struct lua_State *L, size_t bytes);
void up_host_close(struct lua_State *L);

/* Let `require` look into `dir` first: it is put in front of package.path or,
 * if its name contains ? or ;, gets a searcher of its own. Errors: UP_INTERNAL. */
UP_MUST_CHECK int up_host_lead_path(struct lua_State *L, const char *dir, struct up_error *err);

/* What the process that starts a script tells it. */
struct up_host_device {
    const char *control; /* path of the control socket, for `require "update"`; NULL: none */
    unsigned
        heartbeat; /* seconds of silence on descriptor 3 after which the supervisor kills us; 0: there is none */
    const char *const
        *own; /* paths that the device lives on, for update.native.flash; NULL at the end; NULL: unknown */
};

/* Errors: UP_INTERNAL. */
UP_MUST_CHECK int up_host_connect(struct lua_State *L, const struct up_host_device *device,
                                  struct up_error *err);

/* The folder with our Lua modules: <exe>/lua in a build tree, else
 * <exe>/../share/moult/lua, or <exe>/../../share/moult/lua. Static; NULL: none
 * of them has the modules. */
const char *up_host_lua_dir(void);

/* Absolute path of the running program. Static. */
const char *up_host_program(void);

/* Say why a verb failed, on stderr. Returns the exit code. */
int up_host_complain(const char *verb, const struct up_error *err);
/* The same for a Lua state that there was no memory for. */
int up_host_complain_memory(const char *verb);

/* Load a file as text (bytecode is refused) and run it with arguments, inside
 * one protected call with a traceback on failure; returns the exit code. */
int up_host_run_file(struct lua_State *L, const char *path, int argc, char **argv);

/* require(module) and call its `main` with the arguments as strings; returns
 * the integer that it returns as the exit code. */
int up_host_run_module(struct lua_State *L, const char *module, int argc, char **argv);

/* Read a configuration file with lua/update/config/init.lua, in a state of its
 * own that is closed afterwards. Release *out with up_config_free(). Errors:
 * UP_USAGE, naming the wrong field; UP_INTERNAL. */
UP_MUST_CHECK int up_host_config(struct up_config *out, const char *path, struct up_error *err);

#endif
