#include "hotfix_ledger.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "record.h"
#include "record_walk.h"
#include "storage.h"

#define CAPACITY 49152

static const char *const state_names[] = {
    [UP_HOTFIX_TESTING] = "testing", [UP_HOTFIX_FRESH] = "fresh",
    [UP_HOTFIX_APPLIED] = "applied", [UP_HOTFIX_UNDONE] = "undone",
    [UP_HOTFIX_DROPPED] = "dropped", [UP_HOTFIX_QUARANTINED] = "quarantined"};

const char *up_hotfix_ledger_state_name(enum up_hotfix_state state)
{
    return state_names[state];
}

static bool is_state(uint8_t n)
{
    return n < sizeof state_names / sizeof *state_names && state_names[n];
}

static void walk_files(struct up_walk *w, struct up_hotfix *h)
{
    up_record_walk_flag(w, &h->lua);
    up_record_walk_flag(w, &h->files);
    up_record_walk_flag(w, &h->ending);
    up_record_walk_text(w, h->over, sizeof h->over);
    up_record_walk_flag(w, &h->ends);
    up_record_walk_bytes(w, h->ends_with, sizeof h->ends_with);
}

static void walk_entry(struct up_walk *w, struct up_hotfix *h, uint32_t form)
{
    uint8_t state = (uint8_t)h->state;

    up_record_walk_u8(w, &state);
    w->bad = w->bad || !is_state(state);
    h->state = w->bad ? UP_HOTFIX_DROPPED : (enum up_hotfix_state)state;
    up_record_walk_text(w, h->id, sizeof h->id);
    up_record_walk_text(w, h->name, sizeof h->name);
    up_record_walk_text(w, h->version, sizeof h->version);
    for (int i = 0; i < UP_RELEASE_PARTS; i++)
        up_record_walk_text(w, h->base[i], sizeof h->base[i]);
    up_record_walk_u64(w, &h->sequence);
    up_record_walk_u64(w, &h->highest);
    up_record_walk_u64(w, &h->time);
    up_record_walk_u8(w, &h->starts);
    up_record_walk_u8(w, &h->cuts);
    up_record_walk_flag(w, &h->by_owner);
    up_record_walk_text(w, h->why, sizeof h->why);
    if (form >= 2)
        walk_files(w, h);
    else if (w->in)
        h->lua = true;
}

static void walk_ledger(struct up_walk *w, struct up_hotfix_ledger *ledger)
{
    up_record_walk_u32(w, &ledger->count);
    w->bad = w->bad || ledger->count > UP_HOTFIXES;
    for (uint32_t i = 0; !w->bad && i < ledger->count; i++)
        walk_entry(w, &ledger->entry[i], ledger->form);
    if (ledger->form >= 2)
        up_record_walk_bytes(w, ledger->plan, sizeof ledger->plan);
}

static int decode(struct up_hotfix_ledger *ledger, const uint8_t *in, size_t len, struct up_error *err)
{
    struct up_walk w = {.in = in, .len = len};

    memset(ledger, 0, sizeof *ledger);
    up_record_walk_u32(&w, &ledger->form);
    if (!w.bad && ledger->form > UP_HOTFIX_FORM)
        return up_fail(err, UP_INCOMPATIBLE, "hotfix ledger: format %u is newer than this program",
                       ledger->form);
    walk_ledger(&w, ledger);
    if (w.bad || ledger->form == 0 || w.at != len)
        return up_fail(err, UP_CORRUPT, "hotfix ledger: the record is not in this program's format");
    return 0;
}

/* A record of a newer program cannot be judged, and is never overwritten. */
static bool fits(const uint8_t *value, size_t len)
{
    struct up_hotfix_ledger *ignored = malloc(sizeof *ignored);
    struct up_error why;
    bool is = ignored && decode(ignored, value, len, &why) != UP_CORRUPT;

    free(ignored);
    return is;
}

static int init(struct up_record *r, char path[UP_PATH_SIZE], struct up_storage *s, const char *state,
                struct up_error *err)
{
    if ((size_t)snprintf(path, UP_PATH_SIZE - 2, "%s/hotfix/ledger", state) >= UP_PATH_SIZE - 2)
        return up_fail(err, UP_USAGE, "state %s: path too long", state);
    *r = (struct up_record){
        .storage = s, .path = path, .magic = "MOULTHF1", .fits = fits, .capacity = UP_RECORD_HEAD + CAPACITY};
    return 0;
}

int up_hotfix_ledger_read(struct up_hotfix_ledger *out, struct up_storage *s, const char *state,
                          struct up_error *err)
{
    char path[UP_PATH_SIZE];
    struct up_record r;
    uint8_t *bytes;
    size_t len;
    int rc;

    memset(out, 0, sizeof *out);
    if (init(&r, path, s, state, err) < 0)
        return err->code;
    bytes = malloc(CAPACITY);
    if (!bytes)
        return up_fail(err, UP_INTERNAL, "hotfix ledger: out of memory");
    rc = up_record_read(&r, bytes, CAPACITY, &len, err);
    if (rc == 0)
        rc = decode(out, bytes, len, err);
    free(bytes);
    return rc == UP_NOTHING ? 0 : rc;
}

/* One record for all times: another would not know what the first time made durable, and if it could not sync that
 * again, it would write to the same file. */
static int write_times(const struct up_hotfix_ledger *ledger, unsigned times, struct up_storage *s,
                       const char *state, struct up_error *err)
{
    struct up_hotfix_ledger *copy = malloc(sizeof *copy);
    struct up_walk w = {.out = malloc(CAPACITY), .len = CAPACITY};
    char path[UP_PATH_SIZE];
    struct up_record r;
    int rc = copy && w.out ? init(&r, path, s, state, err)
                           : up_fail(err, UP_INTERNAL, "hotfix ledger: out of memory");

    if (rc == 0) {
        *copy = *ledger;
        copy->form = ledger->form ? ledger->form : UP_HOTFIX_FORM;
        up_record_walk_u32(&w, &copy->form);
        walk_ledger(&w, copy);
    }
    for (unsigned i = 0; rc == 0 && i < times; i++) {
        rc = up_record_write(&r, w.out, w.at, err);
        if (rc == UP_NOTHING)
            rc = up_record_create(&r, w.out, w.at, err);
    }
    free(copy);
    free(w.out);
    return rc;
}

int up_hotfix_ledger_write(const struct up_hotfix_ledger *ledger, struct up_storage *s, const char *state,
                           struct up_error *err)
{
    return write_times(ledger, 1, s, state, err);
}

int up_hotfix_ledger_write_both(const struct up_hotfix_ledger *ledger, struct up_storage *s,
                                const char *state, struct up_error *err)
{
    return write_times(ledger, 2, s, state, err);
}

int up_hotfix_ledger_tend(struct up_storage *s, const char *state, struct up_error *err)
{
    char path[UP_PATH_SIZE];
    struct up_record r;
    int rc = init(&r, path, s, state, err);

    if (rc == 0)
        rc = up_record_tend(&r, err);
    return rc == UP_NOTHING ? 0 : rc;
}

int up_hotfix_ledger_inspect(struct up_storage *s, const char *state, struct up_record_view *out,
                             struct up_error *err)
{
    char path[UP_PATH_SIZE];
    struct up_record r;

    return init(&r, path, s, state, err) < 0 ? err->code : up_record_inspect(&r, out, err);
}

struct up_hotfix *up_hotfix_ledger_find(struct up_hotfix_ledger *ledger, const char *name,
                                        const char *version)
{
    for (uint32_t i = ledger->count; i > 0; i--) {
        struct up_hotfix *h = &ledger->entry[i - 1];

        if (strcmp(h->name, name) == 0 && (!version || strcmp(h->version, version) == 0))
            return h;
    }
    return NULL;
}

struct up_hotfix *up_hotfix_ledger_find_active(struct up_hotfix_ledger *ledger, const char *name)
{
    for (struct up_hotfix *h = &ledger->entry[ledger->count]; h-- > ledger->entry;)
        if (up_hotfix_ledger_is_active(h) && strcmp(h->name, name) == 0)
            return h;
    return NULL;
}

struct up_hotfix *up_hotfix_ledger_find_id(struct up_hotfix_ledger *ledger, const char *id)
{
    for (uint32_t i = 0; i < ledger->count; i++)
        if (strcmp(ledger->entry[i].id, id) == 0)
            return &ledger->entry[i];
    return NULL;
}

bool up_hotfix_ledger_under_way(const struct up_hotfix_ledger *ledger)
{
    for (uint32_t i = 0; i < ledger->count; i++)
        if ((ledger->entry[i].files && ledger->entry[i].state == UP_HOTFIX_TESTING) ||
            ledger->entry[i].ending)
            return true;
    return false;
}

bool up_hotfix_ledger_is_below(const struct up_hotfix_ledger *ledger, const struct up_hotfix *h)
{
    for (const struct up_hotfix *o = h + 1; h->files && o < &ledger->entry[ledger->count]; o++)
        if (strcmp(o->over, h->id) == 0 &&
            (up_hotfix_ledger_is_active(o) || up_hotfix_ledger_is_below(ledger, o)))
            return true;
    return false;
}

uint64_t up_hotfix_ledger_highest(const struct up_hotfix_ledger *ledger, const char *name)
{
    uint64_t highest = 0;

    for (uint32_t i = 0; i < ledger->count; i++)
        if (strcmp(ledger->entry[i].name, name) == 0 && ledger->entry[i].highest > highest)
            highest = ledger->entry[i].highest;
    return highest;
}

void up_hotfix_ledger_forget(struct up_hotfix_ledger *ledger, struct up_hotfix *h)
{
    size_t after = (size_t)(&ledger->entry[ledger->count] - (h + 1));

    memmove(h, h + 1, after * sizeof *h);
    ledger->count--;
    memset(&ledger->entry[ledger->count], 0, sizeof *h);
}

/* The oldest that has ended, and whose name another entry keeps. */
static struct up_hotfix *first_to_go(struct up_hotfix_ledger *ledger, const char *name)
{
    for (uint32_t i = 0; i < ledger->count; i++) {
        struct up_hotfix *h = &ledger->entry[i];

        if (!up_hotfix_ledger_is_active(h) && !up_hotfix_ledger_is_below(ledger, h) &&
            (strcmp(h->name, name) == 0 || up_hotfix_ledger_find(ledger, h->name, NULL) != h))
            return h;
    }
    return NULL;
}

int up_hotfix_ledger_add(struct up_hotfix_ledger *ledger, const char *name, struct up_hotfix **out,
                         struct up_error *err)
{
    uint64_t highest = up_hotfix_ledger_highest(ledger, name);
    struct up_hotfix *go;

    if (ledger->count == UP_HOTFIXES) {
        go = first_to_go(ledger, name);
        if (!go)
            return up_fail(err, UP_NOSPACE, "hotfix %s: the ledger holds %d names already", name,
                           UP_HOTFIXES);
        up_hotfix_ledger_forget(ledger, go);
    }
    *out = &ledger->entry[ledger->count++];
    memset(*out, 0, sizeof **out);
    (*out)->highest = highest;
    return 0;
}

bool up_hotfix_ledger_is_lost(struct up_storage *s, const char *state)
{
    struct up_record_view view[2];
    struct up_error ignored;

    if (up_hotfix_ledger_inspect(s, state, view, &ignored) < 0)
        return false;
    return strcmp(view[0].state, "unreadable") != 0 && strcmp(view[1].state, "unreadable") != 0;
}

int up_hotfix_ledger_accepts(bool *accepts, bool *under_way, const uint8_t plan[32], struct up_storage *s,
                             const char *state, struct up_error *err)
{
    struct up_hotfix_ledger ledger;
    int rc = up_hotfix_ledger_read(&ledger, s, state, err);

    *accepts = *under_way = false;
    if (rc < 0)
        return rc == UP_STATELOST && up_hotfix_ledger_is_lost(s, state) ? 0 : rc;
    *accepts = memcmp(ledger.plan, plan, sizeof ledger.plan) == 0;
    *under_way = up_hotfix_ledger_under_way(&ledger);
    return 0;
}

int up_hotfix_ledger_repeat(struct up_storage *s, const char *state, struct up_error *err)
{
    struct up_hotfix_ledger ledger;

    if (up_hotfix_ledger_read(&ledger, s, state, err) < 0)
        return err->code;
    return up_hotfix_ledger_write_both(&ledger, s, state, err);
}
