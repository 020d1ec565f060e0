#include "journal.h"

#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "record.h"
#include "record_walk.h"
#include "storage.h"

#define FLOORS_BEFORE_4 2 /* of script and core */

struct up_journal {
    struct up_record record;
    char path[UP_PATH_SIZE], second[UP_PATH_SIZE];
};

static const char *const phase_names[UP_PHASES] = {"idle",  "fetching", "installing", "arming",
                                                   "armed", "trial",    "confirming", "rolling_back"};

const char *up_journal_phase_name(enum up_phase phase)
{
    return phase < UP_PHASES ? phase_names[phase] : "unknown";
}

#define FORM_OF_PERMITS_AND_TIME 3u

uint32_t up_journal_form(const struct up_journal_state *s)
{
    uint32_t form = UP_JOURNAL_FORM, least = FORM_OF_PERMITS_AND_TIME;

    for (int i = 0; i < UP_SLOTS; i++)
        if (s->slot[i].present && s->slot[i].reads < form)
            form = s->slot[i].reads;
    if (s->form > least)
        least = s->form;
    return form > least ? form : least;
}

bool up_journal_permit_used(const struct up_journal_state *s, const uint8_t digest[32])
{
    for (int i = 0; i < UP_PERMITS_MAX; i++)
        if (s->used[i].not_after && memcmp(s->used[i].digest, digest, sizeof s->used[i].digest) == 0)
            return true;
    return false;
}

/* The entry that expires first; a free one comes before all others. */
static int first_to_go(const struct up_journal_state *s)
{
    int at = 0;

    for (int i = 1; i < UP_PERMITS_MAX; i++)
        if (s->used[i].not_after < s->used[at].not_after)
            at = i;
    return at;
}

bool up_journal_permit_room(const struct up_journal_state *s, uint64_t time)
{
    uint64_t end = s->used[first_to_go(s)].not_after;

    return end == 0 || end < time;
}

void up_journal_permit_remember(struct up_journal_state *s, const struct up_permit_mark *mark)
{
    struct up_permit_mark *entry = &s->used[first_to_go(s)];

    if (up_journal_permit_used(s, mark->digest))
        return;
    if (entry->not_after > s->permits_over)
        s->permits_over = entry->not_after;
    *entry = *mark;
}

static void walk_pair(struct up_walk *w, struct up_pair *p)
{
    up_record_walk_flag(w, &p->present);
    up_record_walk_bytes(w, p->digest, sizeof p->digest);
    up_record_walk_text(w, p->release, sizeof p->release);
    up_record_walk_text(w, p->core_name, sizeof p->core_name);
    up_record_walk_u64(w, &p->core_version);
    up_record_walk_u64(w, &p->core_size);
    up_record_walk_text(w, p->script_version, sizeof p->script_version);
    up_record_walk_u32(w, &p->generation);
}

static void walk_mark(struct up_walk *w, struct up_permit_mark *m)
{
    up_record_walk_bytes(w, m->digest, sizeof m->digest);
    up_record_walk_u64(w, &m->not_after);
}

static void walk_digest(struct up_walk *w, struct up_known_digest *d)
{
    up_record_walk_flag(w, &d->known);
    up_record_walk_bytes(w, d->bytes, sizeof d->bytes);
}

/* What form 3 adds to a pair. */
static void walk_pair_3(struct up_walk *w, struct up_pair *p)
{
    walk_digest(w, &p->script);
    up_record_walk_text(w, p->identity, sizeof p->identity);
}

static void walk_transaction(struct up_walk *w, struct up_transaction *t)
{
    up_record_walk_u32(w, &t->id);
    up_record_walk_u8(w, &t->parts);
    up_record_walk_u8(w, &t->target);
    w->bad = w->bad || t->target >= UP_SLOTS;
    up_record_walk_u32(w, &t->generation);
    up_record_walk_u64(w, &t->sequence);
    up_record_walk_u64(w, &t->issued);
    up_record_walk_u32(w, &t->deadline);
    walk_pair(w, &t->pair);
    up_record_walk_text(w, t->project, sizeof t->project);
    up_record_walk_text(w, t->boot_id, sizeof t->boot_id);
    up_record_walk_text(w, t->fetch_id, sizeof t->fetch_id);
    up_record_walk_u64(w, &t->hint);
    up_record_walk_u8(w, &t->starts);
    up_record_walk_u8(w, &t->failures);
    up_record_walk_u8(w, &t->restarts);
    up_record_walk_flag(w, &t->failed);
    up_record_walk_text(w, t->why, sizeof t->why);
}

/* Form 2 in one piece. */
static void walk_permits(struct up_walk *w, struct up_journal_state *s)
{
    walk_mark(w, &s->tx.permit);
    for (int i = 0; i < UP_PERMITS_MAX; i++)
        walk_mark(w, &s->used[i]);
}

static void walk_kept_out(struct up_walk *w, struct up_kept_out *k)
{
    up_record_walk_u32(w, &k->days);
    up_record_walk_u64(w, &k->day);
    up_record_walk_u64(w, &k->uptime);
    up_record_walk_text(w, k->boot_id, sizeof k->boot_id);
}

/* Form 3 in one piece; what is added to it comes last. */
static void walk_form_3(struct up_walk *w, struct up_journal_state *s)
{
    for (int i = 0; i < UP_SLOTS; i++)
        walk_pair_3(w, &s->slot[i]);
    walk_pair_3(w, &s->tx.pair);
    up_record_walk_u64(w, &s->proven);
    up_record_walk_u64(w, &s->permits_over);
    walk_kept_out(w, &s->kept_out);
    up_record_walk_flag(w, &s->tx.unreached);
    up_record_walk_flag(w, &s->tx.let_in);
}

static void walk_pair_4(struct up_walk *w, struct up_pair *p)
{
    walk_digest(w, &p->files);
    up_record_walk_text(w, p->files_version, sizeof p->files_version);
    up_record_walk_u32(w, &p->reads);
}

/* Form 4 in one piece. */
static void walk_form_4(struct up_walk *w, struct up_journal_state *s)
{
    for (int i = FLOORS_BEFORE_4; i < UP_FLOORS; i++)
        up_record_walk_u64(w, &s->floor[i]);
    for (int i = 0; i < UP_SLOTS; i++)
        walk_pair_4(w, &s->slot[i]);
    walk_pair_4(w, &s->tx.pair);
    up_record_walk_u32(w, &s->tree);
    walk_digest(w, &s->tx.plan);
    up_record_walk_flag(w, &s->tx.restart);
    up_record_walk_text(w, s->tx.armed_boot, sizeof s->tx.armed_boot);
}

static void walk_state(struct up_walk *w, struct up_journal_state *s)
{
    uint32_t phase = s->phase, code = (uint32_t)s->last.code;

    up_record_walk_u32(w, &phase);
    w->bad = w->bad || phase >= UP_PHASES;
    s->phase = w->bad ? UP_IDLE : (enum up_phase)phase;
    for (int i = 0; i < UP_SLOTS; i++)
        walk_pair(w, &s->slot[i]);
    for (int i = 0; i < FLOORS_BEFORE_4; i++)
        up_record_walk_u64(w, &s->floor[i]);
    up_record_walk_u64(w, &s->issued);
    up_record_walk_u32(w, &s->next_generation);
    up_record_walk_u32(w, &s->next_transaction);
    for (int i = 0; i < UP_QUARANTINE_MAX; i++) {
        up_record_walk_u64(w, &s->quarantine[i].sequence);
        up_record_walk_u8(w, &s->quarantine[i].parts);
        up_record_walk_u8(w, &s->quarantine[i].strikes);
        up_record_walk_text(w, s->quarantine[i].project, sizeof s->quarantine[i].project);
    }
    walk_transaction(w, &s->tx);
    up_record_walk_flag(w, &s->has_last);
    up_record_walk_u32(w, &code);
    s->last.code = (int32_t)code;
    up_record_walk_u64(w, &s->last.sequence);
    up_record_walk_u64(w, &s->last.time);
    up_record_walk_text(w, s->last.message, sizeof s->last.message);
    if (s->form >= 2)
        walk_permits(w, s);
    if (s->form >= 3)
        walk_form_3(w, s);
    if (s->form >= 4)
        walk_form_4(w, s);
}

size_t up_journal_encode(const struct up_journal_state *s, uint8_t out[UP_JOURNAL_CAPACITY])
{
    struct up_walk w = {.out = out, .len = UP_JOURNAL_CAPACITY};
    struct up_journal_state copy = *s;

    if (copy.form == 0)
        copy.form = UP_JOURNAL_FORM;
    up_record_walk_u32(&w, &copy.form);
    walk_state(&w, &copy);
    return w.at;
}

/*
 * Form 2 did not record when the used permits that it forgot expire. But it
 * forgot one only when no entry was free, always the one that expired first,
 * and raised the time floor past its end: so none of them expires later than
 * the floor or than the permits that are kept.
 */
static uint64_t forgotten_by_form_2(const struct up_journal_state *s)
{
    uint64_t last = 0;

    for (int i = 0; i < UP_PERMITS_MAX; i++) {
        if (s->used[i].not_after == 0)
            return 0;
        if (s->used[i].not_after > last)
            last = s->used[i].not_after;
    }
    return s->issued > last ? last : s->issued - (s->issued > 0);
}

static void read_what_they_were_written_in(struct up_journal_state *s)
{
    for (int i = 0; i < UP_SLOTS; i++)
        s->slot[i].reads = s->slot[i].present ? s->form : 0;
}

int up_journal_decode(struct up_journal_state *s, const uint8_t *in, size_t len, struct up_error *err)
{
    struct up_walk w = {.in = in, .len = len};

    memset(s, 0, sizeof *s);
    up_record_walk_u32(&w, &s->form);
    if (!w.bad && s->form > UP_JOURNAL_FORM)
        return up_fail(err, UP_INCOMPATIBLE,
                       "journal: format %u is newer than this program, which reads up to format %d", s->form,
                       UP_JOURNAL_FORM);
    walk_state(&w, s);
    if (w.bad || s->form == 0 || w.at != len)
        return up_fail(err, UP_CORRUPT, "journal: the record is not in this program's format");
    if (s->form == 2)
        s->permits_over = forgotten_by_form_2(s);
    if (s->form < 4)
        read_what_they_were_written_in(s);
    return 0;
}

/* A record of a newer program cannot be judged, and is never overwritten. */
static bool fits(const uint8_t *value, size_t len)
{
    struct up_journal_state ignored;
    struct up_error why;

    return up_journal_decode(&ignored, value, len, &why) != UP_CORRUPT;
}

int up_journal_open(struct up_journal **out, struct up_storage *storage, const char *state_dir,
                    struct up_error *err)
{
    struct up_journal *j = calloc(1, sizeof *j);

    if (!j)
        return up_fail(err, UP_INTERNAL, "journal: out of memory");
    if (strlen(state_dir) + sizeof "/journal" > sizeof j->path) {
        free(j);
        return up_fail(err, UP_USAGE, "state %s: path too long", state_dir);
    }
    strcpy(j->path, state_dir);
    strcat(j->path, "/journal");
    j->record = (struct up_record){.storage = storage,
                                   .path = j->path,
                                   .magic = "MOULTJN1",
                                   .fits = fits,
                                   .capacity = UP_RECORD_HEAD + UP_JOURNAL_CAPACITY};
    *out = j;
    return 0;
}

int up_journal_second(struct up_journal *j, const char *dir, struct up_error *err)
{
    j->record.second = NULL;
    if (!dir)
        return 0;
    if (strlen(dir) + sizeof "/journal.1" > sizeof j->second)
        return up_fail(err, UP_USAGE, "journal_dir %s: path too long", dir);
    strcpy(j->second, dir);
    strcat(j->second, "/journal.1");
    j->record.second = j->second;
    return 0;
}

void up_journal_close(struct up_journal *j)
{
    free(j);
}

int up_journal_read(struct up_journal *j, struct up_journal_state *out, struct up_error *err)
{
    uint8_t *bytes = malloc(UP_JOURNAL_CAPACITY);
    size_t len;
    int rc;

    if (!bytes)
        return up_fail(err, UP_INTERNAL, "journal: out of memory");
    rc = up_record_read(&j->record, bytes, UP_JOURNAL_CAPACITY, &len, err);
    if (rc == 0)
        rc = up_journal_decode(out, bytes, len, err);
    free(bytes);
    return rc;
}

static int write_with(int (*writer)(struct up_record *, const void *, size_t, struct up_error *),
                      struct up_journal *j, const struct up_journal_state *s, struct up_error *err)
{
    uint8_t *bytes = malloc(UP_JOURNAL_CAPACITY);
    int rc;

    if (!bytes)
        return up_fail(err, UP_INTERNAL, "journal: out of memory");
    rc = writer(&j->record, bytes, up_journal_encode(s, bytes), err);
    free(bytes);
    return rc;
}

int up_journal_write(struct up_journal *j, const struct up_journal_state *s, struct up_error *err)
{
    return write_with(up_record_write, j, s, err);
}

int up_journal_create(struct up_journal *j, const struct up_journal_state *first, struct up_error *err)
{
    return write_with(up_record_create, j, first, err);
}

int up_journal_tend(struct up_journal *j, struct up_error *err)
{
    return up_record_tend(&j->record, err);
}

int up_journal_inspect(struct up_journal *j, struct up_record_view *out, struct up_error *err)
{
    return up_record_inspect(&j->record, out, err);
}
