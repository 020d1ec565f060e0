/*
 * update.native.keys -- the keys that a device trusts, and signed lists that
 * change them.
 *
 *     local serial = assert(keys.apply("/etc/moult/keys", "keys.json"))
 *     for _, key in ipairs(assert(keys.list "/etc/moult/keys").keys) do print(key.id, key.state) end
 */
#include "keys.h"

#include "error.h"
#include "helpers.h"
#include "minisign.h"
#include "preload.h"
#include "storage.h"

/* apply(directory, list file) -> serial | nil, message, code */
static int f_apply(lua_State *L)
{
    uint64_t serial;
    struct up_error err;

    if (up_keys_apply(&serial, up_storage_system(), luaL_checkstring(L, 1), luaL_checkstring(L, 2), &err) < 0)
        return up_push_fail(L, &err);
    lua_pushinteger(L, (lua_Integer)serial);
    return 1;
}

/* check(text) -> true | nil, message, code: whether a list is well formed */
static int f_check(lua_State *L)
{
    size_t len;
    const char *text = luaL_checklstring(L, 1, &len);
    struct up_key_list *k = lua_newuserdatauv(L, sizeof *k, 0);
    struct up_error err;

    return up_push_done(L, up_keys_parse(k, text, len, &err), &err);
}

#define KEYS_MAX 256 /* files listed */

struct found {
    unsigned count;
    struct {
        struct up_key_info info;
        char name[256];
        char why[256];
    } key[KEYS_MAX];
};

/* Collected first: nothing that can raise runs while the directory is open. */
static void collect(void *user, const struct up_key_info *info)
{
    struct found *found = user;
    unsigned at = found->count;

    if (at == KEYS_MAX)
        return;
    found->key[at].info = *info;
    snprintf(found->key[at].name, sizeof found->key[at].name, "%s", info->name);
    snprintf(found->key[at].why, sizeof found->key[at].why, "%s", info->why ? info->why : "");
    found->count++;
}

static void push_revoked(lua_State *L, const struct up_keyset *set)
{
    char id[UP_KEY_ID_TEXT];

    lua_createtable(L, (int)set->revoked_count, 0);
    for (unsigned i = 0; i < set->revoked_count; i++) {
        up_minisign_id_format(set->revoked[i], id);
        lua_pushstring(L, id);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
}

/* list(directory) -> {serial (0: no list was ever applied), settled, revoked = {id, ...},
 * keys = {{name, id, root = boolean, state = "trusted"|"revoked"|"unreadable", why}, ...}}
 * | nil, message, code */
static int f_list(lua_State *L)
{
    static const char *const states[] = {"trusted", "revoked", "unreadable"};
    const char *dir = luaL_checkstring(L, 1);
    struct found *found = lua_newuserdatauv(L, sizeof *found, 0);
    struct up_keyset *set = lua_newuserdatauv(L, sizeof *set, 0);
    struct up_error err;

    found->count = 0;
    if (up_keys_list(set, up_storage_system(), dir, collect, found, &err) < 0)
        return up_push_fail(L, &err);
    lua_createtable(L, 0, 4);
    up_set_integer(L, "serial", set->serial);
    up_set_boolean(L, "settled", set->serial == 0 || set->settled);
    push_revoked(L, set);
    lua_setfield(L, -2, "revoked");
    lua_createtable(L, (int)found->count, 0);
    for (unsigned i = 0; i < found->count; i++) {
        lua_createtable(L, 0, 5);
        up_set_string(L, "name", found->key[i].name);
        up_set_string(L, "id", found->key[i].info.id);
        up_set_boolean(L, "root", found->key[i].info.root);
        up_set_string(L, "state", states[found->key[i].info.state]);
        if (found->key[i].why[0])
            up_set_string(L, "why", found->key[i].why);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    lua_setfield(L, -2, "keys");
    return 1;
}

static const luaL_Reg functions[] = {
    {"apply", f_apply},
    {"check", f_check},
    {"list", f_list},
    {NULL, NULL},
};

int luaopen_update_native_keys(lua_State *L)
{
    luaL_newlib(L, functions);
    return 1;
}
