/*
 * host.h -- the Lua state of a process: libraries, module path, budget.
 */
#ifndef UP_HOST_H
#define UP_HOST_H

struct lua_State;
struct up_error;

/* A state with the standard libraries, every binding preloaded, and
 * package.path led by our Lua folder. NULL when memory is short. */
struct lua_State *up_host_new(void);

/* The folder with our Lua modules: <exe>/lua in a build tree, else
 * <exe>/../share/moult/lua. Static; NULL when neither exists. */
const char *up_host_lua_dir(void);

/* Absolute path of the running program. Static. */
const char *up_host_program(void);

/* Load a file as text (bytecode refused) and run it with arguments, inside one
 * protected call with a traceback on failure; the exit code. */
int up_host_run_file(struct lua_State *L, const char *path, int argc, char **argv);

/* require(module) and call its result's `main` with the arguments as strings;
 * the integer that it returns is the exit code. */
int up_host_run_module(struct lua_State *L, const char *module, int argc, char **argv);

#endif
