/*
 * device_script.c -- whether the script that is to run, or runs, is what was
 * installed; if not, make it again from its archive.
 *
 * Its digest is on record. If it differs, the archive is unpacked beside the
 * tree, read back, and put in its place when nothing runs the old one: on trial
 * at once, because the script is not started yet, otherwise before the next
 * start.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device_private.h"
#include "error.h"
#include "generation.h"
#include "generation_reader.h"
#include "unpack.h"

#define PIECES_A_CALL 4 /* of 64 KiB, before the caller gets a turn */

struct up_script_check {
    uint32_t generation;
    enum { READ, UNPACK, READ_MENDED, READ_OTHER } stage;
    struct up_generation_reader *reader;
    struct up_unpack *unpack;
    char why[160];  /* why the tree is not what it should be */
    char both[400]; /* the same, and why it cannot be made again */
};

void up_device_check_free(struct up_device *d)
{
    struct up_script_check *c = d->script_check;

    if (!c)
        return;
    up_generation_reader_close(c->reader);
    up_unpack_close(c->unpack);
    free(c);
    d->script_check = NULL;
}

static const char *script_dir(const struct up_device *d, char buf[UP_PATH_SIZE])
{
    return up_device_path(d, "script", buf, UP_PATH_SIZE);
}

/* Begin to read the tree <n><suffix>. */
static int open_tree(struct up_device *d, uint32_t n, const char *suffix, struct up_error *err)
{
    char dir[UP_PATH_SIZE], path[UP_PATH_SIZE];

    up_generation_reader_close(d->script_check->reader);
    d->script_check->reader = NULL;
    if (up_generation_path(path, script_dir(d, dir), n, suffix, err) < 0)
        return err->code;
    return up_generation_reader_open(&d->script_check->reader, d->storage, path, NULL, err);
}

/* Read some pieces of the open tree: UP_AGAIN, 0 it has this digest, UP_CORRUPT. */
static int read_tree(struct up_device *d, const struct up_known_digest *digest, struct up_error *err)
{
    struct up_generation_reader *reader = d->script_check->reader;
    int rc = UP_AGAIN;

    for (int n = 0; n < PIECES_A_CALL && rc == UP_AGAIN; n++)
        rc = up_generation_reader_step(reader, err);
    if (rc == 0 && memcmp(up_generation_reader_digest(reader), digest->bytes, sizeof digest->bytes) != 0)
        return up_fail(err, UP_CORRUPT, "its files are not those that were installed");
    return rc;
}

/* Show it in `status`, and record it once in the history. */
static void tell_damage(struct up_device *d, const char *text)
{
    char dir[UP_PATH_SIZE], now[sizeof d->script_check->both];
    const struct up_pair *pair = up_device_pair(d);
    uint32_t n = d->script_check->generation;

    script_dir(d, dir);
    up_generation_damage(d->storage, dir, n, now, sizeof now);
    if (strcmp(now, text) == 0)
        return;
    up_generation_note_damage(d->storage, dir, n, text);
    up_device_note(d, "damaged", UP_CORRUPT, pair->release, 0, text);
}

/* The tree is intact. */
static int end_well(struct up_device *d)
{
    char dir[UP_PATH_SIZE];

    up_generation_note_damage(d->storage, script_dir(d, dir), d->script_check->generation, NULL);
    d->broken = d->instead = 0;
    up_device_check_free(d);
    return 0;
}

/* The tree is damaged, and will not be made again. */
static int end_badly(struct up_device *d, struct up_error *err)
{
    up_fail(err, UP_CORRUPT, "%s", d->script_check->both);
    tell_damage(d, err->message);
    up_device_check_free(d);
    return err->code;
}

/* Find another generation that was confirmed with the core that runs. */
static const struct up_pair *other_pair(const struct up_device *d)
{
    const struct up_pair *pair = up_device_pair(d), *other = &d->state.slot[!d->boot_state.running];
    bool confirmed = d->state.phase < UP_ARMING || !up_device_has_core(d);

    if (up_device_on_trial(d) || !confirmed || !other->present || !other->script.known ||
        other->generation == pair->generation || strcmp(other->core_name, pair->core_name) != 0 ||
        other->core_version != pair->core_version || other->core_size != pair->core_size)
        return NULL;
    return other;
}

/* It cannot be made again, for the reason in err: look for another one to run. */
static int give_up(struct up_device *d, struct up_error *err)
{
    struct up_script_check *c = d->script_check;
    const struct up_pair *other = other_pair(d);
    char cause[200];

    snprintf(cause, sizeof cause, "%.199s", err->message);
    snprintf(c->both, sizeof c->both, "generation %u: %s; it cannot be made again: %s", c->generation, c->why,
             cause);
    if (!other || open_tree(d, other->generation, "", err) < 0)
        return end_badly(d, err);
    c->stage = READ_OTHER;
    return UP_AGAIN;
}

/* The tree is damaged, for the reason in err: make it again. */
static int begin_mending(struct up_device *d, struct up_error *err)
{
    struct up_script_check *c = d->script_check;
    char dir[UP_PATH_SIZE], archive[UP_PATH_SIZE], mended[UP_PATH_SIZE];
    struct up_stat st;

    snprintf(c->why, sizeof c->why, "%.159s", err->message);
    script_dir(d, dir);
    if (up_generation_path(archive, dir, c->generation, ".tar", err) < 0 ||
        up_generation_path(mended, dir, c->generation, ".mend", err) < 0)
        return give_up(d, err);
    if (d->storage->ops->stat(d->storage, archive, &st) < 0) {
        up_fail(err, UP_MISSING, "%s: %s", archive, strerror(errno));
        return give_up(d, err);
    }
    if (up_storage_remove_tree(d->storage, mended, err) < 0 ||
        up_unpack_open(&c->unpack, d->storage, archive, st.size, UP_ARCHIVE_OF_SCRIPT, mended, err) < 0)
        return give_up(d, err);
    c->stage = UNPACK;
    return UP_AGAIN;
}

static int unpack(struct up_device *d, struct up_error *err)
{
    struct up_script_check *c = d->script_check;
    int rc = UP_AGAIN;

    for (int n = 0; n < PIECES_A_CALL && rc == UP_AGAIN; n++)
        rc = up_unpack_step(c->unpack, err);
    if (rc == UP_AGAIN)
        return rc;
    up_unpack_close(c->unpack);
    c->unpack = NULL;
    if (rc < 0 || open_tree(d, c->generation, ".mend", err) < 0)
        return give_up(d, err);
    c->stage = READ_MENDED;
    return UP_AGAIN;
}

/* Put the new tree in place. Nothing runs the old one. */
static int exchange(struct up_device *d, uint32_t n, struct up_error *err)
{
    char dir[UP_PATH_SIZE];
    const struct up_pair *pair = up_device_pair(d);

    if (up_generation_exchange(d->storage, script_dir(d, dir), n, err) < 0)
        return err->code;
    up_generation_note_damage(d->storage, dir, n, NULL);
    up_device_note(d, "mended", UP_OK, pair->release, 0, "the script was made again from its archive");
    return 0;
}

/* The new tree is intact. */
static int end_mending(struct up_device *d, struct up_error *err)
{
    struct up_script_check *c = d->script_check;
    uint32_t n = c->generation;

    if (d->state.phase == UP_TRIAL) {
        if (exchange(d, n, err) < 0)
            return give_up(d, err);
        return end_well(d);
    }
    snprintf(c->both, sizeof c->both, "generation %u: %s; it is made again at the next start of the script",
             n, c->why);
    tell_damage(d, c->both);
    up_device_check_free(d);
    d->mended = n;
    return 0;
}

static int end_other(struct up_device *d, int rc, struct up_error *err)
{
    struct up_script_check *c = d->script_check;
    const struct up_pair *other = other_pair(d);
    size_t len = strlen(c->both);

    if (rc == 0 && other) {
        d->broken = c->generation;
        d->instead = other->generation;
        snprintf(c->both + len, sizeof c->both - len, "; generation %u, of the same core, runs instead",
                 d->instead);
    }
    return end_badly(d, err);
}

static int check_script(struct up_device *d, struct up_error *err)
{
    struct up_script_check *c = d->script_check;
    const struct up_pair *pair = up_device_pair(d), *other;
    int rc;

    switch (c->stage) {
    case READ:
        rc = read_tree(d, &pair->script, err);
        if (rc == UP_CORRUPT)
            return begin_mending(d, err);
        return rc == 0 ? end_well(d) : rc;
    case UNPACK:
        return unpack(d, err);
    case READ_MENDED:
        rc = read_tree(d, &pair->script, err);
        if (rc == UP_CORRUPT)
            return give_up(d, err);
        return rc == 0 ? end_mending(d, err) : rc;
    default:
        other = other_pair(d);
        rc = other ? read_tree(d, &other->script, err) : UP_NOTHING;
        return rc == UP_AGAIN ? rc : end_other(d, rc, err);
    }
}

/* Begin to read generation n. */
static int new_check(struct up_device *d, uint32_t n, struct up_error *err)
{
    d->script_check = calloc(1, sizeof *d->script_check);
    if (!d->script_check)
        return up_fail(err, UP_INTERNAL, "script: out of memory");
    d->script_check->generation = n;
    return open_tree(d, n, "", err);
}

static int begin_check(struct up_device *d, uint32_t n, struct up_error *err)
{
    int rc = new_check(d, n, err);

    if (rc == UP_CORRUPT)
        return begin_mending(d, err);
    return rc < 0 ? rc : UP_AGAIN;
}

int up_device_inspect(struct up_device *d, struct up_error *err)
{
    const struct up_pair *pair = up_device_pair(d);
    uint32_t n = pair->generation;
    int rc;

    if (d->script_check && d->script_check->generation != n)
        up_device_check_free(d);
    if (d->state.phase == UP_TRIAL && !d->uncounted && !d->script_check) {
        if (up_device_check_armed(d, err) < 0)
            return err->code;
        rc = up_device_check_image(d, err);
        if (rc < 0)
            return rc;
    }
    if (!pair->script.known || d->mended == n || d->uncounted)
        return 0;
    rc = d->script_check ? check_script(d, err) : begin_check(d, n, err);
    if (rc < 0 && rc != UP_AGAIN)
        up_device_check_free(d);
    return rc;
}

void up_device_damage(const struct up_device *d, char *out, size_t len)
{
    char dir[UP_PATH_SIZE];

    up_generation_damage(d->storage, script_dir(d, dir), up_device_pair(d)->generation, out, len);
}

void up_device_put_script(struct up_device *d)
{
    uint32_t n = d->mended;
    struct up_error ignored;

    d->mended = 0;
    if (n > 0 && n == up_device_pair(d)->generation)
        exchange(d, n, &ignored);
}

void up_device_script_ended(struct up_device *d, unsigned times, unsigned pause, const char *why)
{
    char text[200], count[32] = "";

    if (times > 1)
        snprintf(count, sizeof count, "%u times, the last: ", times);
    snprintf(text, sizeof text, "%s%.120s; next start after %u s", count, why, pause);
    up_device_note_again(d, "restarted", up_device_pair(d)->release, text);
}

/* Record the digest for all pairs of that generation. */
static int remember(struct up_device *d, uint32_t n, const uint8_t *digest, struct up_error *err)
{
    struct up_journal_state next = d->state;

    for (int i = 0; i < UP_SLOTS; i++)
        if (next.slot[i].present && next.slot[i].generation == n) {
            next.slot[i].script.known = true;
            memcpy(next.slot[i].script.bytes, digest, sizeof next.slot[i].script.bytes);
        }
    return up_device_save(d, &next, err);
}

int up_device_learn_script(struct up_device *d, struct up_error *err)
{
    const struct up_pair *pair = up_device_pair(d);
    int rc = UP_AGAIN;

    if (d->state.phase != UP_IDLE || pair->script.known || !pair->generation) {
        up_device_check_free(d);
        return 0;
    }
    if (!d->script_check) {
        rc = new_check(d, pair->generation, err);
        rc = rc == 0 ? UP_AGAIN : rc;
    }
    for (int n = 0; n < PIECES_A_CALL && rc == UP_AGAIN; n++)
        rc = up_generation_reader_step(d->script_check->reader, err);
    if (rc == 0)
        rc = remember(d, pair->generation, up_generation_reader_digest(d->script_check->reader), err);
    if (rc != UP_AGAIN)
        up_device_check_free(d);
    return rc;
}
