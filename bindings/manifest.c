/*
 * manifest.c -- a struct up_manifest as a Lua table.
 */
#include "manifest.h"

#include "digest.h"
#include "helpers.h"

static void set_text(lua_State *L, const char *name, const char *value)
{
    if (value[0])
        up_set_string(L, name, value);
}

static void set_number(lua_State *L, const char *name, uint64_t value)
{
    if (value)
        up_set_integer(L, name, value);
}

static void push_part(lua_State *L, const struct up_part *part)
{
    char digest[2 * UP_SHA256_SIZE + 1];

    lua_createtable(L, 0, 8);
    up_set_string(L, "kind", up_manifest_part_name(part->kind));
    up_set_integer(L, "size", part->size);
    up_set_integer(L, "block_size", part->block_size);
    up_set_integer(L, "index_size", part->index_size);
    up_set_integer(L, "data_size", part->data_size);
    up_set_boolean(L, "delta", part->delta);
    if (!part->delta)
        return;
    up_hex(part->source_digest, UP_SHA256_SIZE, digest);
    up_set_integer(L, "source_size", part->source_size);
    up_set_string(L, "source_sha256", digest);
    up_set_integer(L, "source_version", part->source_version);
}

static void set_lists(lua_State *L, const struct up_manifest *m)
{
    lua_createtable(L, (int)m->hardware_count, 0);
    for (unsigned i = 0; i < m->hardware_count; i++) {
        lua_pushstring(L, m->hardware[i]);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    lua_setfield(L, -2, "hardware");
    lua_createtable(L, (int)m->override_count, 0);
    for (unsigned i = 0; i < m->override_count; i++) {
        lua_pushstring(L, m->override[i]);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    lua_setfield(L, -2, "override");
    lua_createtable(L, (int)m->part_count, 0);
    for (unsigned i = 0; i < m->part_count; i++) {
        push_part(L, &m->part[i]);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    lua_setfield(L, -2, "parts");
}

static void set_hotfix(lua_State *L, const struct up_manifest *m)
{
    if (!m->hotfix_name[0])
        return;
    lua_createtable(L, 0, 3);
    up_set_string(L, "name", m->hotfix_name);
    up_set_string(L, "version", m->hotfix_version);
    if (m->hotfix_files)
        up_set_boolean(L, "files", 1);
    lua_createtable(L, 0, UP_RELEASE_PARTS);
    for (int kind = 0; kind < UP_RELEASE_PARTS; kind++)
        set_text(L, up_manifest_part_name((enum up_part_kind)kind), m->base[kind]);
    lua_setfield(L, -2, "base");
    lua_setfield(L, -2, "hotfix");
}

void up_push_manifest(lua_State *L, const struct up_manifest *m)
{
    char digest[2 * UP_SHA256_SIZE + 1];

    luaL_checkstack(L, 6, NULL);
    lua_createtable(L, 0, 20);
    up_hex(m->digest, UP_SHA256_SIZE, digest);
    up_set_string(L, "digest", digest);
    up_set_string(L, "project", m->project);
    up_set_string(L, "product_key", m->product_key);
    up_set_sequence(L, m->sequence);
    set_text(L, "release", m->release);
    set_hotfix(L, m);
    set_text(L, "script_version", m->script_version);
    set_text(L, "files_version", m->files_version);
    set_text(L, "core_name", m->core_name);
    if (m->core_name[0])
        up_set_integer(L, "core_version", m->core_version);
    set_text(L, "requires_core", m->requires_core);
    if (m->requires_core[0])
        up_set_integer(L, "requires_version", m->requires_version);
    set_text(L, "min_moult", m->min_moult);
    set_number(L, "issued", m->issued);
    set_number(L, "not_after", m->not_after);
    set_number(L, "deadline", m->deadline);
    set_text(L, "text", m->text);
    set_text(L, "meta_text", m->meta);
    set_lists(L, m);
}
