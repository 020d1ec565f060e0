/*
 * The agent: update.agent in a Lua state of its own, which goes when it ends.
 * What its modules compile to is kept for the next state.
 */
#include "stage.h"

#include <lauxlib.h>
#include <limits.h>
#include <lua.h>
#include <stdlib.h>
#include <string.h>

#include "host.h"
#include "policy.h"

#define MODULES 64

struct compiled {
    char name[64];
    char *code;
    size_t len;
};

static struct compiled modules[MODULES];
static lua_State *policies; /* where policy is asked */

static int keep(lua_State *L, const void *data, size_t len, void *user)
{
    struct compiled *m = user;

    (void)L;
    m->code = realloc(m->code, m->len + len);
    if (!m->code)
        abort();
    memcpy(m->code + m->len, data, len);
    m->len += len;
    return 0;
}

/* The text of a module of ours; false when there is none of that name. */
static bool compile(lua_State *L, const char *name, struct compiled *m)
{
    static const char *const forms[] = {"%s/%s.lua", "%s/%s/init.lua"};
    char path[PATH_MAX], file[sizeof m->name];

    snprintf(file, sizeof file, "%s", name);
    for (char *c = file; *c; c++)
        *c = *c == '.' ? '/' : *c;
    for (int i = 0; i < 2; i++) {
        FILE *there;

        snprintf(path, sizeof path, forms[i], up_host_lua_dir(), file);
        there = fopen(path, "r");
        if (!there)
            continue;
        fclose(there);
        if (luaL_loadfilex(L, path, "t") != LUA_OK)
            lua_error(L);
        lua_dump(L, keep, m, !stage.trace); /* names and lines only where somebody reads of them */
        lua_pop(L, 1);
        snprintf(m->name, sizeof m->name, "%s", name);
        return true;
    }
    return false;
}

/* A searcher of modules: searcher(name) -> loader */
static int search(lua_State *L)
{
    const char *name = luaL_checkstring(L, 1);
    int i = 0;

    while (i < MODULES && modules[i].code && strcmp(modules[i].name, name) != 0)
        i++;
    if (i == MODULES)
        abort();
    if (!modules[i].code && !compile(L, name, &modules[i]))
        return 0;
    if (luaL_loadbufferx(L, modules[i].code, modules[i].len, name, "b") != LUA_OK)
        lua_error(L);
    return 1;
}

static lua_State *new_state(void)
{
    lua_State *L = up_host_new();

    if (!L)
        abort();
    lua_getglobal(L, "package");
    lua_getfield(L, -1, "searchers");
    lua_pushcfunction(L, search);
    lua_rawseti(L, -2, 2); /* the first is package.preload, of the bindings */
    lua_pop(L, 2);
    lua_gc(L, LUA_GCINC, 400, 0, 0); /* a state does not live long */
    return L;
}

void agent_prepare(void)
{
    policies = new_state();
    if (luaL_loadfilex(policies, WHOLE_FOLDER "/policy.lua", "t") != LUA_OK ||
        lua_pcall(policies, 0, 1, 0) != LUA_OK) {
        fprintf(stderr, "whole: %s\n", lua_tostring(policies, -1));
        exit(1);
    }
}

void agent_run(struct player *p)
{
    char flag[] = "-c", path[] = "/device/config.lua", *argv[] = {flag, path};
    lua_State *L = new_state();
    int code;

    lua_getglobal(L, "math");
    lua_getfield(L, -1, "randomseed");
    lua_pushinteger(L, (lua_Integer)pick(1u << 30));
    lua_call(L, 1, 0);
    lua_pop(L, 1);
    code = up_host_run_module(L, "update.agent", 2, argv);
    lua_close(L);
    if (p->dead)
        return;
    trace("agent ends with code %d", code);
    p->status = code << 8;
}

/*
 * The policy process, below policy.h.
 */

#define WRAP(type, name, parameters) \
    type __wrap_##name parameters;   \
    type __wrap_##name parameters

struct up_policy {
    char answer[UP_POLICY_ANSWER_MAX];
    size_t len;
};

WRAP(int, up_policy_start,
     (struct up_policy * *out, const char *program, const char *user, const char *question, size_t len,
      struct up_error *err))
{
    struct up_policy *p = calloc(1, sizeof *p);
    const char *text;

    (void)program, (void)user;
    if (!p || stage.current->dead) {
        free(p);
        return up_fail(err, UP_INTERNAL, "policy: killed");
    }
    lua_pushvalue(policies, 1);
    lua_pushlstring(policies, question, len);
    if (lua_pcall(policies, 1, 1, 0) != LUA_OK)
        bad("policy: %s", lua_tostring(policies, -1));
    text = lua_tolstring(policies, -1, &p->len);
    memcpy(p->answer, text, p->len);
    lua_settop(policies, 1);
    *out = p;
    return 0;
}

WRAP(long, up_policy_step, (struct up_policy * p, const char **answer, struct up_error *err))
{
    (void)err;
    *answer = p->answer;
    return (long)p->len;
}

WRAP(void, up_policy_close, (struct up_policy * p))
{
    free(p);
}
