#include "hotfix_ledger.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "record.h"
#include "record_walk.h"
#include "storage.h"

#define FORM 1
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

static void walk_entry(struct up_walk *w, struct up_hotfix *h)
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
}

static void walk_ledger(struct up_walk *w, struct up_hotfix_ledger *ledger)
{
    up_record_walk_u32(w, &ledger->count);
    w->bad = w->bad || ledger->count > UP_HOTFIXES;
    for (uint32_t i = 0; !w->bad && i < ledger->count; i++)
        walk_entry(w, &ledger->entry[i]);
}

static int decode(struct up_hotfix_ledger *ledger, const uint8_t *in, size_t len, struct up_error *err)
{
    struct up_walk w = {.in = in, .len = len};
    uint32_t form = 0;

    memset(ledger, 0, sizeof *ledger);
    up_record_walk_u32(&w, &form);
    if (!w.bad && form > FORM)
        return up_fail(err, UP_INCOMPATIBLE, "hotfix ledger: format %u is newer than this program", form);
    walk_ledger(&w, ledger);
    if (w.bad || form == 0 || w.at != len)
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

int up_hotfix_ledger_write(const struct up_hotfix_ledger *ledger, struct up_storage *s, const char *state,
                           struct up_error *err)
{
    struct up_hotfix_ledger *copy = malloc(sizeof *copy);
    struct up_walk w = {.out = malloc(CAPACITY), .len = CAPACITY};
    uint32_t form = FORM;
    char path[UP_PATH_SIZE];
    struct up_record r;
    int rc = copy && w.out ? init(&r, path, s, state, err)
                           : up_fail(err, UP_INTERNAL, "hotfix ledger: out of memory");

    if (rc == 0) {
        *copy = *ledger;
        up_record_walk_u32(&w, &form);
        walk_ledger(&w, copy);
        rc = up_record_write(&r, w.out, w.at, err);
        if (rc == UP_NOTHING)
            rc = up_record_create(&r, w.out, w.at, err);
    }
    free(copy);
    free(w.out);
    return rc;
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

        if (!up_hotfix_ledger_is_active(h) &&
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
