/*
 * files_tree_check.c -- single steps on a tree: each is done as a whole, or says what failed,
 * whichever call of the storage that is.
 */
#include "files_copy.h"
#include "files_tree.h"
#include "sim.h"
#include "storage.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define LONG (2 * 65536 + 100) /* bytes; more than two pieces of a copy */

static struct up_error err;
static uint8_t content[LONG];

static struct sim *tree(void)
{
    struct sim *sim = sim_new();

    for (size_t i = 0; i < LONG; i++)
        content[i] = (uint8_t)(i * 7 + i / 251);
    sim_put_mount(sim, "/app", 1, false);
    sim_put(sim, "/app/long", content, LONG, 0640);
    sim_put_dir(sim, "/app/dir", 0750);
    sim_put_owner(sim, "/app/dir", 1, 2, 3);
    sim_put(sim, "/app/dir/long", content, LONG, 0640);
    sim_put_owner(sim, "/app/dir/long", 4, 5, 6);
    sim_put_dir(sim, "/app/dir/sub", 0700);
    sim_put_text(sim, "/app/dir/sub/file", "text");
    sim_put_link(sim, "/app/dir/sub/link", "file");
    return sim;
}

/* What is done in /app, and whether all of it was. */
struct step {
    const char *name;
    int (*act)(const struct up_files_place *p);
    bool (*done)(struct sim *sim);
};

static int hash(const struct up_files_place *p)
{
    uint8_t digest[UP_SHA256_SIZE], right[UP_SHA256_SIZE];
    int rc = up_files_tree_digest(p, "long", digest, &err);

    up_sha256(content, LONG, right);
    if (rc == 0 && memcmp(digest, right, sizeof right) != 0)
        fail_msg("another digest");
    return rc;
}

static bool is_there(struct sim *sim)
{
    return sim_exists(sim, "/app/long");
}

static int copy(const struct up_files_place *p)
{
    struct up_storage *s = p->storage;
    int to = s->ops->open_at(s, p->dir, "copy", UP_WRITE_ONLY_NEW, 0600), rc;

    if (to < 0)
        return up_files_tree_failed(p, "copy", "open", &err);
    rc = up_files_tree_copy(p, "long", to, &err);
    s->ops->close(s, to);
    return rc;
}

static bool has_copy(struct sim *sim)
{
    size_t len;
    char *bytes = sim_get(sim, "/app/copy", &len);
    bool is = len == LONG && memcmp(bytes, content, LONG) == 0;

    free(bytes);
    return is;
}

static int copy_dir(const struct up_files_place *p)
{
    return up_files_copy_dir(p, "dir", p->dir, "other", &err);
}

/* As the other was, under its name. */
static bool has_other(struct sim *sim)
{
    struct up_storage *s = sim_storage(sim);
    char *before = sim_dump(sim, "/app/dir"), *after;
    bool alike;

    if (up_storage_remove_tree(s, "/app/dir", &err) < 0 || s->ops->rename(s, "/app/other", "/app/dir") < 0)
        fail_msg("%s", err.message);
    after = sim_dump(sim, "/app/dir");
    alike = strcmp(before, after) == 0 && strstr(after, "long");
    free(before);
    free(after);
    return alike;
}

static int drop(const struct up_files_place *p)
{
    return up_files_tree_remove(p, "dir", &err);
}

static bool is_gone(struct sim *sim)
{
    return !sim_exists(sim, "/app/dir");
}

static int may_drop(const struct up_files_place *p)
{
    return up_files_tree_removable(p, "dir", &err);
}

static int measure(const struct up_files_place *p)
{
    uint64_t files, bytes;
    int rc = up_files_tree_measure(p, "dir", &files, &bytes, &err);

    if (rc == 0 && (files != 5 || bytes < LONG + 4))
        fail_msg("%u files of %u bytes", (unsigned)files, (unsigned)bytes);
    return rc;
}

static const struct step steps[] = {
    {"digest", hash, is_there},
    {"copy", copy, has_copy},
    {"copy a folder", copy_dir, has_other},
    {"remove", drop, is_gone},
    {"can be removed", may_drop, is_there},
    {"measure", measure, is_there},
};

static bool fails_or_ends(const struct sim *from, const struct step *step, enum sim_op op, unsigned n)
{
    struct sim *sim = sim_clone(from);
    struct up_files_place place;
    bool met;
    int rc;

    if (up_files_tree_open_at(&place, sim_storage(sim), "/app", "", &err) < 0)
        fail_msg("%s", err.message);
    sim_reset_counters(sim);
    sim_fail(sim, op, n, EIO, false);
    rc = step->act(&place);
    met = sim_fault_hits(sim) > 0;
    sim_fail(sim, SIM_OPS, 0, 0, false);
    up_files_tree_close(&place);
    if (rc < 0
            ? !met || rc != err.code || !strstr(err.message, strerror(EIO)) || !strstr(err.message, "/app/")
            : met || !step->done(sim))
        fail_msg("%s: %s %u failed: %d: %s", step->name, sim_op_name(op), n, rc, err.message);
    assert_int_equal(sim_open_files(sim), 0);
    sim_free(sim);
    return met;
}

static void a_step_is_done_as_a_whole_or_says_what_failed(void **state)
{
    struct sim *sim = tree();

    (void)state;
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        unsigned failures = 0;

        for (int op = SIM_OPEN; op < SIM_OPS; op++)
            for (unsigned n = 1; fails_or_ends(sim, &steps[i], (enum sim_op)op, n); n++)
                failures++;
        assert_true(failures > 3);
    }
    sim_free(sim);
}

/* A tree that is deeper than anybody makes one is neither copied nor removed, and does not end the program. */
/* As it will be read after a cut. */
static void a_digest_is_that_of_the_medium(void **state)
{
    struct sim *sim = tree();
    struct up_files_place p;

    (void)state;
    sim_settle(sim);
    sim_flip_cache(sim, "/app/long", LONG / 2);
    assert_int_equal(up_files_tree_open_at(&p, sim_storage(sim), "/app", "", &err), 0);
    assert_int_equal(hash(&p), 0);
    up_files_tree_close(&p);
    sim_free(sim);
}

static void what_is_too_deep_is_left_alone(void **state)
{
    struct sim *sim = sim_new();
    struct up_files_place place;
    char path[512] = "/app/dir";

    (void)state;
    for (int i = 0; i < 40; i++)
        strcat(path, "/d");
    sim_put_text(sim, path, "deep");
    assert_int_equal(up_files_tree_open_at(&place, sim_storage(sim), "/app", "", &err), 0);
    assert_int_equal(up_files_copy_dir(&place, "dir", place.dir, "other", &err), UP_INCOMPATIBLE);
    assert_non_null(strstr(err.message, "too deep"));
    assert_int_equal(up_files_tree_remove(&place, "dir", &err), UP_WRITE);
    assert_non_null(strstr(err.message, strerror(ENAMETOOLONG)));
    assert_true(sim_exists(sim, path));
    assert_int_equal(up_files_tree_removable(&place, "dir", &err), UP_WRITE);
    up_files_tree_close(&place);
    assert_int_equal(sim_open_files(sim), 0);
    sim_free(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_step_is_done_as_a_whole_or_says_what_failed),
        cmocka_unit_test(a_digest_is_that_of_the_medium),
        cmocka_unit_test(what_is_too_deep_is_left_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
