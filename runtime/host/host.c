#include "host.h"

#include <lauxlib.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config.h"
#include "error.h"
#include "helpers.h"
#include "host_commands.h"
#include "preload.h"
#include "storage.h"

#define HOST "update.native.host"
#define CONFIG_MEMORY ((size_t)32 << 20) /* bytes that a configuration may use while it is read */

/* The memory budget of a state: current and maximum size, in bytes. */
struct budget {
    size_t used, limit;
};

const char *up_host_program(void)
{
    static char path[UP_PATH_SIZE];

    if (!*path) {
        struct up_storage *storage = up_storage_system();

        if (storage->ops->readlink(storage, "/proc/self/exe", path, sizeof path) < 0)
            *path = '\0';
    }
    return path;
}

const char *up_host_lua_dir(void)
{
    static const char *const places[] = {"lua", "../share/moult/lua", "../../share/moult/lua"};
    static char path[UP_PATH_SIZE];
    const char *program = up_host_program();
    const char *slash = strrchr(program, '/');

    for (size_t i = 0; !*path && slash && i < sizeof places / sizeof *places; i++) {
        struct up_storage *storage = up_storage_system();
        char guess[UP_PATH_SIZE + 64], module[UP_PATH_SIZE + 96];
        struct up_stat st;

        /* In an installation, `lua` beside the program is the interpreter, not our folder. */
        snprintf(guess, sizeof guess, "%.*s/%s", (int)(slash - program), program, places[i]);
        snprintf(module, sizeof module, "%s/update/init.lua", guess);
        if (storage->ops->stat(storage, module, &st) < 0 || !realpath(guess, path))
            *path = '\0';
    }
    return *path ? path : NULL;
}

/* A searcher for require, for a directory that cannot be written in package.path. */
static int search(lua_State *L)
{
    static const char *const endings[] = {".lua", "/init.lua"};
    const char *dir = lua_tostring(L, lua_upvalueindex(1));
    const char *name = luaL_gsub(L, luaL_checkstring(L, 1), ".", "/");
    struct up_storage *storage = up_storage_system();
    struct up_stat st;

    lua_pushliteral(L, "");
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        const char *path = lua_pushfstring(L, "%s/%s%s", dir, name, endings[i]);

        if (storage->ops->stat(storage, path, &st) == 0) {
            if (luaL_loadfile(L, path) != LUA_OK)
                return luaL_error(L, "error loading module '%s' from file '%s':\n\t%s", lua_tostring(L, 1),
                                  path, lua_tostring(L, -1));
            lua_pushvalue(L, -2);
            return 2;
        }
        lua_pushfstring(L, "%sno file '%s'", i > 0 ? "\n\t" : "", path);
        lua_remove(L, -2);
        lua_concat(L, 2);
    }
    return 1;
}

/* Insert it before all searchers except that of package.preload. */
static void lead_searchers(lua_State *L, const char *dir)
{
    lua_getglobal(L, "package");
    lua_getfield(L, -1, "searchers");
    for (lua_Integer i = luaL_len(L, -1); i > 1; i--) {
        lua_rawgeti(L, -1, i);
        lua_rawseti(L, -2, i + 1);
    }
    lua_pushstring(L, dir);
    lua_pushcclosure(L, search, 1);
    lua_rawseti(L, -2, 2);
    lua_pop(L, 2);
}

static void lead_path(lua_State *L, const char *dir)
{
    if (strpbrk(dir, "?;")) { /* which have a meaning in package.path */
        lead_searchers(L, dir);
        return;
    }
    lua_getglobal(L, "package");
    lua_getfield(L, -1, "path");
    lua_pushfstring(L, "%s/?.lua;%s/?/init.lua;%s", dir, dir, lua_tostring(L, -1));
    lua_setfield(L, -3, "path");
    lua_pop(L, 2);
}

static int setup(lua_State *L)
{
    const char *dir = up_host_lua_dir();
    char cwd[UP_PATH_SIZE];

    luaL_openlibs(L);
    up_preload(L);
    if (dir)
        lead_path(L, dir);
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    lua_newtable(L);
    up_set_string(L, "version", MOULT_VERSION);
    up_set_string(L, "program", up_host_program());
    if (dir)
        up_set_string(L, "lua_dir", dir);
    if (getcwd(cwd, sizeof cwd))
        up_set_string(L, "cwd", cwd);
    lua_pushcfunction(L, up_host_commands_become);
    lua_setfield(L, -2, "become");
    lua_setfield(L, -2, HOST);
    return 0;
}

lua_State *up_host_new(void)
{
    lua_State *L = luaL_newstate();

    if (!L)
        return NULL;
    lua_pushcfunction(L, setup);
    if (lua_pcall(L, 0, 0, 0) != LUA_OK) {
        lua_close(L);
        return NULL;
    }
    return L;
}

static void *allocate(void *user, void *block, size_t old_size, size_t new_size)
{
    struct budget *budget = user;
    void *grown;

    if (!block)
        old_size = 0; /* it is the kind of object then */
    if (new_size == 0) {
        free(block);
        budget->used -= old_size;
        return NULL;
    }
    if (new_size > old_size && new_size - old_size > budget->limit - budget->used)
        return NULL;
    grown = realloc(block, new_size);
    if (grown)
        budget->used = budget->used - old_size + new_size;
    return grown;
}

int up_host_limit(lua_State *L, size_t bytes)
{
    struct budget *budget = malloc(sizeof *budget);

    if (!budget)
        return -1;
    budget->used = (size_t)lua_gc(L, LUA_GCCOUNT) * 1024 + (size_t)lua_gc(L, LUA_GCCOUNTB);
    budget->limit = bytes > budget->used ? bytes : budget->used;
    lua_setallocf(L, allocate, budget);
    return 0;
}

void up_host_close(lua_State *L)
{
    void *user;
    int limited = lua_getallocf(L, &user) == allocate;

    lua_close(L);
    if (limited)
        free(user);
}

/* Run the function on the stack, which takes one light userdata. */
static int protect(lua_State *L, lua_CFunction function, void *user, struct up_error *err)
{
    lua_pushcfunction(L, function);
    lua_pushlightuserdata(L, user);
    if (lua_pcall(L, 1, 0, 0) != LUA_OK) {
        const char *why = lua_tostring(L, -1);

        up_fail(err, UP_INTERNAL, "%s", why ? why : "error object is not a string");
        lua_pop(L, 1);
        return UP_INTERNAL;
    }
    return 0;
}

static int do_lead_path(lua_State *L)
{
    lead_path(L, lua_touserdata(L, 1));
    return 0;
}

int up_host_lead_path(lua_State *L, const char *dir, struct up_error *err)
{
    return protect(L, do_lead_path, (void *)(uintptr_t)dir, err);
}

static int do_connect(lua_State *L)
{
    const struct up_host_device *d = lua_touserdata(L, 1);

    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    lua_getfield(L, -1, HOST);
    if (d->control)
        up_set_string(L, "control", d->control);
    if (d->heartbeat > 0) {
        up_host_commands_note(L);
        up_set_integer(L, "channel", 3);
        up_set_integer(L, "heartbeat", d->heartbeat);
    }
    if (d->own) {
        lua_newtable(L);
        for (lua_Integer i = 0; d->own[i]; i++) {
            lua_pushstring(L, d->own[i]);
            lua_rawseti(L, -2, i + 1);
        }
        lua_setfield(L, -2, "own");
    }
    return 0;
}

int up_host_connect(lua_State *L, const struct up_host_device *device, struct up_error *err)
{
    return protect(L, do_connect, (void *)(uintptr_t)device, err);
}

/* Input and result of a protected run. */
struct run {
    const char *name;
    int argc;
    char **argv;
    int exit;
};

static int traceback(lua_State *L)
{
    const char *message = lua_tostring(L, 1);

    if (!message) {
        if (luaL_callmeta(L, 1, "__tostring") && lua_type(L, -1) == LUA_TSTRING)
            return 1;
        message = lua_pushfstring(L, "(error object is a %s value)", luaL_typename(L, 1));
    }
    luaL_traceback(L, L, message, 1);
    return 1;
}

static int push_arguments(lua_State *L, const struct run *run)
{
    luaL_checkstack(L, run->argc + 8, "too many arguments");
    for (int i = 0; i < run->argc; i++)
        lua_pushstring(L, run->argv[i]);
    return run->argc;
}

static int do_file(lua_State *L)
{
    struct run *run = lua_touserdata(L, 1);

    lua_createtable(L, run->argc, 2);
    lua_pushstring(L, up_host_program());
    lua_rawseti(L, -2, -1);
    lua_pushstring(L, run->name);
    lua_rawseti(L, -2, 0);
    for (int i = 0; i < run->argc; i++) {
        lua_pushstring(L, run->argv[i]);
        lua_rawseti(L, -2, i + 1);
    }
    lua_setglobal(L, "arg");
    if (luaL_loadfilex(L, run->name, "t") != LUA_OK)
        return 1; /* a syntax error has no traceback */
    lua_call(L, push_arguments(L, run), 0);
    run->exit = 0;
    return 0;
}

static int do_module(lua_State *L)
{
    struct run *run = lua_touserdata(L, 1);
    int is_integer;

    lua_getglobal(L, "require");
    lua_pushstring(L, run->name);
    lua_call(L, 1, 1);
    if (!lua_istable(L, -1) || lua_getfield(L, -1, "main") != LUA_TFUNCTION)
        return luaL_error(L, "module '%s' has no function 'main'", run->name);
    lua_call(L, push_arguments(L, run), 1);
    run->exit = (int)lua_tointegerx(L, -1, &is_integer);
    if (!is_integer)
        return luaL_error(L, "module '%s': main returned a %s, not an exit code", run->name,
                          luaL_typename(L, -1));
    return 0;
}

/* `function` returns nothing, or a message without traceback. */
static int run_protected(lua_State *L, lua_CFunction function, struct run *run)
{
    int failed;

    lua_pushcfunction(L, traceback);
    lua_pushcfunction(L, function);
    lua_pushlightuserdata(L, run);
    run->exit = 1;
    failed = lua_pcall(L, 1, 1, -3) != LUA_OK;
    if (failed || !lua_isnil(L, -1)) {
        const char *why = lua_tostring(L, -1);

        fflush(stdout);
        fprintf(stderr, "moult: %s\n", why ? why : "error without a message");
        run->exit = 1;
    }
    lua_pop(L, 2);
    return run->exit;
}

int up_host_complain(const char *verb, const struct up_error *err)
{
    fprintf(stderr, "moult%s%s: %s (%s)\n", *verb ? " " : "", verb, err->message, up_code_word(err->code));
    return -err->code;
}

int up_host_complain_memory(const char *verb)
{
    struct up_error err;

    up_fail(&err, UP_INTERNAL, "not enough memory for a Lua state");
    return up_host_complain(verb, &err);
}

int up_host_run_file(lua_State *L, const char *path, int argc, char **argv)
{
    struct run run = {path, argc, argv, 1};

    return run_protected(L, do_file, &run);
}

int up_host_run_module(lua_State *L, const char *module, int argc, char **argv)
{
    struct run run = {module, argc, argv, 1};

    return run_protected(L, do_module, &run);
}

struct config_request {
    const char *path;
    struct up_config *out;
    struct up_error *err;
    int result;
};

static int do_config(lua_State *L)
{
    struct config_request *r = lua_touserdata(L, 1);

    lua_getglobal(L, "require");
    lua_pushliteral(L, "update.config");
    lua_call(L, 1, 1);
    lua_getfield(L, -1, "load");
    lua_pushstring(L, r->path);
    lua_call(L, 1, 3);
    if (lua_isnil(L, -3)) {
        const char *why = lua_tostring(L, -2);

        r->result = up_fail(r->err, UP_USAGE, "%s", why ? why : r->path);
    } else {
        up_check_config(L, -3, r->out);
        r->result = 0;
    }
    return 0;
}

int up_host_config(struct up_config *out, const char *path, struct up_error *err)
{
    struct config_request r = {path, out, err, 0};
    lua_State *L = up_host_new();
    int n;

    if (!L || up_host_limit(L, CONFIG_MEMORY) < 0) {
        if (L)
            lua_close(L);
        return up_fail(err, UP_INTERNAL, "%s: not enough memory", path);
    }
    n = protect(L, do_config, &r, err);
    up_host_close(L);
    return n < 0 ? n : r.result;
}
