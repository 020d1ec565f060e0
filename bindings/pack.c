/*
 * update.native.pack -- make a package from a checked recipe (lua/cli/recipe.lua).
 *
 *     local p = assert(pack.open(recipe, "METER.upd", "release.key"))
 *     repeat
 *       local word = assert(p:step())            -- "block" | "done"
 *     until word == "done"
 *     p:close()
 */
#include "pack.h"

#include <stdio.h>
#include <string.h>

#include "digest.h"
#include "error.h"
#include "helpers.h"
#include "minisign.h"
#include "preload.h"
#include "storage.h"

#define PACK "update.native.pack"

struct handle {
    struct up_pack *pack; /* NULL once closed, and while opening */
    struct up_secret *key;
};

static struct up_pack *check_open(lua_State *L)
{
    struct handle *h = luaL_checkudata(L, 1, PACK);

    if (!h->pack)
        luaL_error(L, "attempt to use a closed packer");
    return h->pack;
}

static void copy_text(lua_State *L, int index, const char *name, char *out, size_t size)
{
    const char *value = up_field_string(L, index, name, "");

    if (strlen(value) >= size)
        luaL_error(L, "field '%s' is longer than %d bytes", name, (int)size - 1);
    memcpy(out, value, strlen(value) + 1);
}

/* The table in a field, pushed at one stack place whatever it is; false when absent. */
static int push_table(lua_State *L, int index, const char *name)
{
    int type = lua_getfield(L, index, name);

    if (type != LUA_TNIL && type != LUA_TTABLE)
        luaL_error(L, "field '%s' must be a table", name);
    return type == LUA_TTABLE;
}

/* The texts of a list into an array of `most`; how many. Too long ones are cut, which the formatter notices or
 * the recipe's own check has refused. */
static unsigned copy_list(lua_State *L, int index, const char *name, char (*out)[UP_VERSION_SIZE], int most)
{
    lua_Integer n = push_table(L, index, name) ? luaL_len(L, -1) : 0;

    luaL_argcheck(L, n <= most, index, "a list has too many names");
    for (lua_Integer i = 1; i <= n; i++) {
        lua_rawgeti(L, -1, i);
        snprintf(out[i - 1], sizeof *out, "%s", luaL_checkstring(L, -1));
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
    return (unsigned)n;
}

static void copy_lists(lua_State *L, int index, struct up_manifest *m)
{
    m->hardware_count = copy_list(L, index, "hardware", m->hardware, UP_HARDWARE_MAX);
    m->override_count = copy_list(L, index, "override", m->override, UP_OVERRIDE_MAX);
}

static void copy_key(lua_State *L, int index, struct up_manifest *m)
{
    const char *key = up_field_string(L, index, "product_key", "");
    uint8_t digest[UP_SHA256_SIZE];

    up_sha256(key, strlen(key), digest);
    up_hex(digest, sizeof digest, m->product_key);
}

static void copy_manifest(lua_State *L, int index, struct up_manifest *m)
{
    memset(m, 0, sizeof *m);
    copy_text(L, index, "project", m->project, sizeof m->project);
    copy_key(L, index, m);
    copy_lists(L, index, m);
    m->sequence = up_field_integer(L, index, "sequence", 0);
    copy_text(L, index, "release", m->release, sizeof m->release);
    copy_text(L, index, "min_moult", m->min_moult, sizeof m->min_moult);
    copy_text(L, index, "text", m->text, sizeof m->text);
    copy_text(L, index, "meta_text", m->meta, sizeof m->meta);
    m->issued = up_field_integer(L, index, "issued", 0);
    m->not_after = up_field_integer(L, index, "not_after", 0);
    m->deadline = (uint32_t)up_field_integer(L, index, "deadline", 0);
    if (push_table(L, index, "requires")) {
        copy_text(L, -1, "core", m->requires_core, sizeof m->requires_core);
        m->requires_version = up_field_integer(L, -1, "version", 0);
    }
    lua_pop(L, 1);
}

/* What all kinds of parts have, from the table at the top of the stack. */
static void copy_part(lua_State *L, const char *path, struct up_pack_part *part)
{
    part->path = up_field_string(L, -1, path, NULL);
    if (!part->path)
        luaL_error(L, "field '%s' is missing", path);
    part->encoding = up_index_encoding_find(up_field_string(L, -1, "encoding", "zstd"));
    part->block_size = (uint32_t)up_field_integer(L, -1, "block_size", 0);
    part->trim = up_field_boolean(L, -1, "trim", false);
    part->from = up_field_string(L, -1, "from", NULL);
    part->from_version = up_field_integer(L, -1, "from_version", 0);
}

/* What is said of a hotfix, from the table at the top of the stack. */
static void copy_hotfix(lua_State *L, struct up_manifest *m)
{
    copy_text(L, -1, "name", m->hotfix_name, sizeof m->hotfix_name);
    copy_text(L, -1, "version", m->hotfix_version, sizeof m->hotfix_version);
    if (push_table(L, -1, "base"))
        for (int kind = 0; kind < UP_RELEASE_PARTS; kind++)
            copy_text(L, -1, up_manifest_part_name((enum up_part_kind)kind), m->base[kind],
                      sizeof m->base[kind]);
    lua_pop(L, 1);
}

/* open(recipe, out, key_file) -> packer | nil, message, code.
 * recipe: {project, product_key (in clear), hardware (list), sequence, release,
 * min_moult, issued, not_after, deadline, override (list), text, meta_text (JSON), requires =
 * {core, version}, script and files = {dir, version, encoding, block_size, trim (of files)}, hotfix =
 * {dir, name, version, base = {script, core, files}, encoding, block_size}, core = {image,
 * name, version, encoding, block_size, from = path of the old image that the
 * package is a delta against, from_version of that core}}; what is nil is left out. */
static int f_open(lua_State *L)
{
    const char *out = luaL_checkstring(L, 2), *key_path = luaL_checkstring(L, 3);
    struct up_pack_part script, files, hotfix, core;
    struct up_manifest m;
    struct up_pack_options options = {.manifest = &m};
    struct handle *h;
    struct up_error err;

    luaL_checktype(L, 1, LUA_TTABLE);
    copy_manifest(L, 1, &m);
    if (push_table(L, 1, "script")) {
        copy_part(L, "dir", &script);
        copy_text(L, -1, "version", m.script_version, sizeof m.script_version);
        options.script = &script;
    }
    if (push_table(L, 1, "files")) {
        copy_part(L, "dir", &files);
        copy_text(L, -1, "version", m.files_version, sizeof m.files_version);
        options.files = &files;
    }
    if (push_table(L, 1, "hotfix")) {
        copy_part(L, "dir", &hotfix);
        copy_hotfix(L, &m);
        options.hotfix = &hotfix;
    }
    if (push_table(L, 1, "core")) {
        copy_part(L, "image", &core);
        copy_text(L, -1, "name", m.core_name, sizeof m.core_name);
        m.core_version = up_field_integer(L, -1, "version", 0);
        options.core = &core;
    }
    h = lua_newuserdatauv(L, sizeof *h, 0);
    h->pack = NULL;
    h->key = NULL;
    luaL_setmetatable(L, PACK);
    if (up_signing_key_load(&h->key, up_storage_system(), key_path, &err) < 0)
        return up_push_fail(L, &err);
    options.key = h->key;
    if (up_pack_open(&h->pack, up_storage_system(), &options, out, &err) < 0)
        return up_push_fail(L, &err);
    return 1;
}

/* packer:step() -> "block" while there is more | "done" | nil, message, code */
static int m_step(lua_State *L)
{
    struct up_error err;
    int rc = up_pack_step(check_open(L), &err);

    if (rc < 0 && rc != UP_AGAIN)
        return up_push_fail(L, &err);
    lua_pushstring(L, rc == 0 ? "done" : "block");
    return 1;
}

/* packer:progress() -> content bytes encoded, of how many; those of a delta
 * count twice, once for being compared */
static int m_progress(lua_State *L)
{
    uint64_t done, total;

    up_pack_progress(check_open(L), &done, &total);
    lua_pushinteger(L, (lua_Integer)done);
    lua_pushinteger(L, (lua_Integer)total);
    return 2;
}

/* packer:manifest() -> as of update.native.package; whole after "done" */
static int m_manifest(lua_State *L)
{
    up_push_manifest(L, up_pack_manifest(check_open(L)));
    return 1;
}

/* packer:blanks() -> in how many lines of update.ini a blank follows a '/' of the directory, or did before `trim` */
static int m_blanks(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)up_pack_blanks(check_open(L)));
    return 1;
}

/* packer:size() -> bytes of the package, after "done" */
static int m_size(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)up_pack_size(check_open(L)));
    return 1;
}

/* packer:close(), also __gc and __close. Safe to call twice; what is not done is removed. */
static int m_close(lua_State *L)
{
    struct handle *h = luaL_checkudata(L, 1, PACK);

    up_pack_close(h->pack);
    up_signing_key_free(h->key);
    h->pack = NULL;
    h->key = NULL;
    return 0;
}

static const luaL_Reg metamethods[] = {
    {"__gc", m_close},
    {"__close", m_close},
    {NULL, NULL},
};

static const luaL_Reg methods[] = {
    {"step", m_step}, {"progress", m_progress}, {"manifest", m_manifest},
    {"size", m_size}, {"blanks", m_blanks},     {"close", m_close},
    {NULL, NULL},
};

static const luaL_Reg functions[] = {
    {"open", f_open},
    {NULL, NULL},
};

int luaopen_update_native_pack(lua_State *L)
{
    up_new_type(L, PACK, metamethods, methods);
    luaL_newlib(L, functions);
    return 1;
}
