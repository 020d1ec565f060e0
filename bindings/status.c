/*
 * status.c -- a device's state as Lua tables.
 */
#include "status.h"

#include <errno.h>
#include <string.h>

#include "device.h"
#include "digest.h"
#include "error.h"
#include "helpers.h"
#include "history.h"

static void set_core(lua_State *L, const struct up_pair *pair)
{
    if (!pair->core_name[0])
        return;
    lua_createtable(L, 0, 4);
    up_set_string(L, "name", pair->core_name);
    up_set_integer(L, "version", pair->core_version);
    lua_setfield(L, -2, "core");
}

static void set_script(lua_State *L, const struct up_device *d)
{
    char damage[512];

    if (!up_device_generation(d))
        return;
    lua_createtable(L, 0, 3);
    up_set_string(L, "version", up_status_script(d)->script_version);
    up_set_integer(L, "generation", up_device_generation(d));
    up_device_damage(d, damage, sizeof damage);
    if (damage[0])
        up_set_string(L, "damage", damage);
    lua_setfield(L, -2, "script");
}

static void set_files(lua_State *L, const struct up_pair *pair)
{
    if (!pair->files_version[0])
        return;
    lua_createtable(L, 0, 1);
    up_set_string(L, "version", pair->files_version);
    lua_setfield(L, -2, "files");
}

static void set_floor(lua_State *L, const struct up_journal_state *s)
{
    lua_createtable(L, 0, UP_RELEASE_PARTS);
    for (int i = 0; i < UP_RELEASE_PARTS; i++)
        up_set_integer(L, up_manifest_part_name((enum up_part_kind)i), s->floor[i]);
    lua_setfield(L, -2, "floor");
}

static void set_transaction(lua_State *L, const struct up_device *d)
{
    const struct up_transaction *t = &up_device_state(d)->tx;
    struct up_status_progress progress;
    struct up_error err;
    char hex[65];

    /* The head may be gone, or the keys; nothing is known of the blocks then. */
    if (up_status_progress(d, &progress, &err) < 0)
        progress = (struct up_status_progress){.part = t->parts & 1u << UP_SCRIPT ? UP_SCRIPT : UP_CORE};
    lua_createtable(L, 0, 14);
    up_set_string(L, "part", up_manifest_part_name(progress.part));
    up_set_integer(L, "done", progress.done);
    up_set_integer(L, "total", progress.total);
    up_set_integer(L, "id", t->id);
    up_set_sequence(L, t->sequence);
    up_set_string(L, "release", t->pair.release);
    up_set_string(L, "version", t->pair.script_version);
    up_hex(t->pair.digest, sizeof t->pair.digest, hex);
    up_set_string(L, "digest", hex);
    up_set_integer(L, "parts", t->parts);
    up_set_boolean(L, "has_core", t->parts >> UP_CORE & 1);
    up_set_integer(L, "generation", t->generation);
    up_set_integer(L, "starts", t->starts);
    up_set_integer(L, "failures", t->failures);
    up_set_integer(L, "deadline", t->deadline);
    lua_setfield(L, -2, "transaction");
}

static void set_time(lua_State *L, const struct up_device *d)
{
    lua_createtable(L, 0, 3);
    up_set_integer(L, "now", up_device_time(d));
    up_set_boolean(L, "trusted", up_device_time_trusted(d));
    up_set_boolean(L, "set", up_device_time_set(d));
    lua_setfield(L, -2, "time");
}

/* What this process met, or would meet if it tried to write. */
static void set_trouble(lua_State *L, const struct up_device *d)
{
    struct up_trouble t = *up_device_trouble(d);

    if (t.cause.code == UP_OK && up_device_writable(d, &t.cause) < 0)
        t.updates = false;
    if (t.cause.code == UP_OK)
        return;
    lua_createtable(L, 0, 3);
    up_set_string(L, "code", up_code_word(t.cause.code));
    up_set_string(L, "message", t.cause.message);
    up_set_boolean(L, "updates", t.updates);
    lua_setfield(L, -2, "trouble");
}

static void set_last(lua_State *L, const struct up_device *d)
{
    const struct up_last *last = &up_device_state(d)->last;

    lua_createtable(L, 0, 5);
    up_set_string(L, "code", up_code_word(last->code));
    up_set_string(L, "message", last->message);
    up_set_sequence(L, last->sequence);
    up_set_integer(L, "time", last->time);
    if (up_device_unjudged(d))
        up_set_string(L, "verdict", "open");
    else if (up_device_spared(d))
        up_set_string(L, "verdict", "again");
    lua_setfield(L, -2, "last");
}

/* If the ledger cannot be read, `doctor` says so. */
static void set_hotfixes(lua_State *L, const struct up_device *d)
{
    int top = lua_gettop(L);
    struct up_error ignored;

    if (up_push_hotfixes(L, d, &ignored) == 0)
        lua_setfield(L, top, "hotfixes");
    lua_settop(L, top);
}

void up_push_status(lua_State *L, const struct up_device *d)
{
    char mixed[UP_PATH_SIZE];
    const struct up_journal_state *s = up_device_state(d);
    const struct up_pair *pair = up_status_running(d);

    lua_createtable(L, 0, 11);
    up_set_string(L, "phase", up_journal_phase_name(s->phase));
    up_set_string(L, "release", pair->release);
    set_core(L, pair);
    if (lua_getfield(L, -1, "core") == LUA_TTABLE) {
        up_set_string(L, "running", up_device_running(d) ? "b" : "a");
        up_set_integer(L, "tries", up_device_tries(d));
    }
    lua_pop(L, 1);
    set_script(L, d);
    set_files(L, pair);
    if (up_status_mixed(d, mixed, sizeof mixed))
        up_set_string(L, "mixed", mixed);
    set_floor(L, s);
    set_trouble(L, d);
    set_time(L, d);
    up_set_integer(L, "kept_out", s->kept_out.days);
    if (s->phase != UP_IDLE)
        set_transaction(L, d);
    if (s->has_last)
        set_last(L, d);
    set_hotfixes(L, d);
}

void up_push_facts(lua_State *L, const struct up_device *d)
{
    const struct up_config *c = up_device_config(d);
    struct up_storage *storage = up_device_storage(d);
    const struct up_journal_state *s = up_device_state(d);
    const struct up_pair *pair = up_status_confirmed(d);
    uint64_t free_bytes;

    lua_createtable(L, 0, 13);
    up_set_string(L, "project", c->project);
    up_set_string(L, "hardware", c->hardware);
    up_set_string(L, "id", c->id);
    up_set_string(L, "release", pair->release);
    if (pair->script_version[0])
        up_set_string(L, "version", pair->script_version);
    set_core(L, pair);
    set_files(L, pair);
    set_floor(L, s);
    if (storage->ops->space(storage, c->state, &free_bytes) == 0)
        up_set_integer(L, "free", free_bytes);
    up_set_integer(L, "time", up_device_time(d));
    up_set_boolean(L, "time_trusted", up_device_time_trusted(d));
    up_set_boolean(L, "time_set", up_device_time_set(d));
}

int up_push_history(lua_State *L, const struct up_device *d, struct up_error *err)
{
    struct up_event *events = lua_newuserdatauv(L, UP_HISTORY_RECORDS * sizeof *events, 0);
    int count = up_history_read(up_device_storage(d), up_device_config(d)->state, events, err);

    if (count < 0)
        return count;
    lua_createtable(L, count, 0);
    for (int i = 0; i < count; i++) {
        lua_createtable(L, 0, 8);
        up_set_integer(L, "number", events[i].number);
        up_set_integer(L, "time", events[i].time);
        up_set_string(L, "event", events[i].name);
        up_set_sequence(L, events[i].sequence);
        up_set_integer(L, "transaction", events[i].transaction);
        up_set_string(L, "release", events[i].release);
        up_set_string(L, "code", up_code_word(events[i].code));
        up_set_string(L, "message", events[i].message);
        lua_rawseti(L, -2, i + 1);
    }
    return 0;
}

int up_push_gates(lua_State *L, struct up_device *d, const struct up_manifest *m, struct up_error *err)
{
    struct up_gate_report report = {0};
    int rc = up_device_gates(d, m, &report, err);

    if (rc < 0 && report.count == 0)
        return rc;
    lua_createtable(L, 0, 4);
    up_set_boolean(L, "open", rc == 0);
    up_set_boolean(L, "permitted", report.permitted);
    up_set_boolean(L, "repairs", report.repairs);
    if (rc < 0) {
        up_set_string(L, "code", up_code_word(rc));
        up_set_string(L, "message", err->message);
    }
    lua_createtable(L, (int)report.count, 0);
    for (unsigned i = 0; i < report.count; i++) {
        lua_createtable(L, 0, 3);
        up_set_string(L, "gate", report.line[i].gate);
        up_set_boolean(L, "open", report.line[i].open);
        up_set_string(L, "text", report.line[i].text);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    lua_setfield(L, -2, "lines");
    return 0;
}

int up_push_core_source(lua_State *L, struct up_device *d, struct up_error *err)
{
    static const char *const states[] = {
        [UP_NOT_MOUNTED] = "no", [UP_MOUNTED] = "read-only", [UP_MOUNTED_WRITABLE] = "read-write"};
    const char *path = up_device_config(d)->slot[up_device_running(d)];
    int mounted;

    if (!path) {
        lua_pushnil(L);
        return 0;
    }
    mounted = up_device_source_mounted(d);
    if (mounted < 0)
        return up_fail(err, UP_WRITE, "slot %s: cannot tell whether it is mounted: %s", path,
                       strerror(errno));
    lua_createtable(L, 0, 2);
    up_set_string(L, "slot", up_device_running(d) ? "b" : "a");
    up_set_string(L, "mounted", states[mounted]);
    return 0;
}
