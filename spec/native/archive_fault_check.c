/*
 * Archives as they may be, to the byte of each limit; and their extraction on storage of
 * which every call fails once, and which loses its power when all is done.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "archive_names.h"
#include "archive_reader.h"
#include "archives.h"
#include "error.h"
#include "sim.h"
#include "storage.h"

#define ARCHIVE "/a.tar"
#define TO "/box/to"

static struct pile small; /* a tar */
static struct zip zip;    /* of the same */
static char noise[150000];

static struct sim *with_archive(const struct pile *p)
{
    struct sim *sim = sim_new();

    sim_put(sim, ARCHIVE, p->data, p->len, 0644);
    sim_put_dir(sim, "/box", 0755);
    sim_settle(sim);
    return sim;
}

static int extract(struct sim *sim, uint64_t *files, struct up_error *err)
{
    struct up_archive_reader *a;
    int rc = up_archive_reader_open(&a, sim_storage(sim), ARCHIVE, NULL, err);

    if (rc < 0)
        return rc;
    rc = up_archive_reader_extract(a, sim_storage(sim), TO, files, err);
    up_archive_reader_close(a);
    return rc;
}

static void assert_whole(struct sim *sim)
{
    static const char *const paths[] = {TO "/top", TO "/a/one", TO "/a/b/two"};

    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        char *text = sim_get(sim, paths[i], NULL);

        if (!text || strcmp(text, paths[i] + strlen(TO) + 1) != 0)
            fail_msg("%s: %s", paths[i], text ? text : "is not there");
        free(text);
    }
    assert_int_equal(sim_kind(sim, TO "/empty"), UP_NODE_DIR);
}

static void what_was_extracted_is_durable(void **state)
{
    struct sim *sim = with_archive(&small);
    uint64_t files = 0;
    struct up_error err;

    (void)state;
    assert_int_equal(extract(sim, &files, &err), 0);
    assert_int_equal(files, 3);
    assert_int_equal(sim_open_files(sim), 0);
    for (unsigned i = 0; i < sim_choices(sim); i++) {
        struct sim_choice choice = sim_choice(sim, i);
        struct sim *after = sim_reboot(sim, &choice);

        assert_whole(after);
        sim_free(after);
    }
    sim_free(sim);
}

/* Cut anywhere, what is there under its name is whole. */
static void what_was_cut_is_not_there(void **state)
{
    bool finished = false;

    (void)state;
    for (unsigned k = 1; !finished; k++) {
        struct sim *sim = with_archive(&small);
        struct up_error err;

        sim_cut_at(sim, k);
        (void)!extract(sim, NULL, &err);
        finished = !sim_is_cut(sim);
        for (unsigned i = 0; i < sim_choices(sim); i++) {
            struct sim_choice choice = sim_choice(sim, i);
            struct sim *after = sim_reboot(sim, &choice);

            if (sim_exists(after, TO))
                assert_whole(after);
            else
                assert_int_equal(extract(after, NULL, &err), 0);
            sim_free(after);
        }
        sim_free(sim);
    }
}

static int reads_as_well(enum sim_op op)
{
    return op == SIM_PREAD || op == SIM_OPEN || op == SIM_LIST;
}

/* The call that failed is told with its path, and nothing of it is left. */
static bool extract_with_failure(const struct pile *archive, enum sim_op op, unsigned n)
{
    int error = reads_as_well(op) ? EIO : ENOSPC;
    struct sim *sim = with_archive(archive);
    struct up_error err = {0};
    bool met;
    int rc;

    sim_fail(sim, op, n, error, false);
    rc = extract(sim, NULL, &err);
    met = sim_fault_hits(sim) > 0;
    sim_fail(sim, op, 0, 0, false);
    assert_int_equal(sim_open_files(sim), 0);
    if (met && (rc == 0 || !strstr(err.message, strerror(error)) ||
                (error == ENOSPC && op != SIM_SYNC_DIR && rc != UP_NOSPACE)))
        fail_msg("%s %u: %d: %s", sim_op_name(op), n, rc, rc < 0 ? err.message : "");
    if (!met)
        assert_int_equal(rc, 0);
    assert_false(sim_exists(sim, TO ".part"));
    assert_int_equal(sim_exists(sim, TO), !met);
    if (met)
        assert_int_equal(extract(sim, NULL, &err), 0);
    assert_whole(sim);
    sim_free(sim);
    return met;
}

static void a_call_that_fails_leaves_nothing(void **state)
{
    static const enum sim_op ops[] = {SIM_OPEN,     SIM_PREAD,  SIM_PWRITE, SIM_SYNC,
                                      SIM_SYNC_DIR, SIM_RENAME, SIM_MKDIR,  SIM_LIST};

    (void)state;
    for (size_t i = 0; i < 2 * sizeof ops / sizeof *ops; i++) {
        unsigned n = 1;

        while (extract_with_failure(i % 2 ? &zip.out : &small, ops[i / 2], n))
            n++;
        assert_true(n > 1);
    }
}

/* Each read to its end: 0 or the error. */
static int read_all(const struct pile *p, const struct up_archive_limits *limits, struct up_error *err)
{
    struct up_archive_reader *a;
    struct up_archive_entry entry;
    char buf[1000];
    int rc = up_archive_reader_open_memory(&a, p->data, p->len, limits, err);
    long n = 0;

    if (rc < 0)
        return rc;
    do {
        rc = up_archive_reader_next(a, &entry, err);
        for (n = rc; n > 0;)
            n = up_archive_reader_read(a, buf, sizeof buf, err);
    } while (rc > 0 && n == 0);
    up_archive_reader_close(a);
    return n < 0 ? (int)n : rc;
}

static void limits_hold_to_the_byte(void **state)
{
    static const struct {
        struct up_archive_limits limits;
        int code;
    } cases[] = {
        {{.bytes = 18, .entries = 6, .depth = 3, .ratio = 200}, 0},
        {{.bytes = 17, .entries = 6, .depth = 3, .ratio = 200}, UP_NOSPACE},
        {{.bytes = 18, .entries = 5, .depth = 3, .ratio = 200}, UP_NOSPACE},
        {{.bytes = 18, .entries = 6, .depth = 2, .ratio = 200}, UP_NOSPACE},
    };
    struct pile p = {0};
    struct up_error err;

    (void)state;
    tar_file(&p, "one", "12345678");
    tar_file(&p, "a/b/two", "1234567890");
    for (char name[] = "w"; name[0] <= 'z'; name[0]++)
        tar_file(&p, name, "");
    tar_end(&p);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (read_all(&p, &cases[i].limits, &err) != cases[i].code)
            fail_msg("case %zu: %s", i, err.message);
    pile_free(&p);
}

static void names_are_those_that_show_as_they_are(void **state)
{
    static const struct {
        const char *raw, *clean; /* NULL: refused */
    } cases[] = {
        {"a b~", "a b~"},
        {"a\x1f", NULL},
        {"a\x7f", NULL},
        {"@:x", "@:x"},
        {"[:x", "[:x"},
        {"`:x", "`:x"},
        {"{:x", "{:x"},
        {"a:x", NULL},
        {"z:x", NULL},
        {"A:x", NULL},
        {"Z:x", NULL},
        {"a-x", "a-x"},
        {"ab:x", "ab:x"},
        {"\xcb\xbf", "\xcb\xbf"}, /* before the combining marks */
        {"a\xcc\x80", NULL},
        {"a\xcd\xaf", NULL},
        {"a\xcd\xb0", "a\xcd\xb0"},
        {".a/..b/c.", ".a/..b/c."},
        {"./a//./b/", "a/b"},
        {"...", "..."},
    };
    struct up_archive_limits limits;
    char out[UP_ARCHIVE_NAME_MAX + 1], longest[UP_ARCHIVE_NAME_MAX + 2];
    struct up_error err;

    (void)state;
    up_archive_reader_limits(&limits);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int rc = up_archive_name_clean(out, cases[i].raw, &limits, &err);

        if (!cases[i].clean ? rc != UP_UNTRUSTED : rc != 0 || strcmp(out, cases[i].clean) != 0)
            fail_msg("%s: %d %s", cases[i].raw, rc, rc < 0 ? err.message : out);
    }
    assert_int_equal(up_archive_name_clean(out, "./", &limits, &err), 1);
    memset(longest, 'n', sizeof longest);
    longest[UP_ARCHIVE_NAME_MAX + 1] = '\0';
    assert_int_equal(up_archive_name_clean(out, longest, &limits, &err), UP_UNTRUSTED);
    longest[UP_ARCHIVE_NAME_MAX] = '\0';
    assert_int_equal(up_archive_name_clean(out, longest, &limits, &err), 0);
    assert_string_equal(out, longest);
}

/* Sums and sizes may stand behind the content, as in a zip that was written to a pipe. */
static void a_zip_may_describe_entries_behind_them(void **state)
{
    static const struct {
        struct zipped e;
        int code;
        const char *why;
    } cases[] = {
        {{.descriptor = 12}, 0, ""},
        {{.descriptor = 16}, 0, ""},
        {{.descriptor = 12, .descriptor_off = 1}, UP_CORRUPT, "two sizes or sums"},
        {{.descriptor = 16, .descriptor_off = 1}, UP_CORRUPT, "two sizes or sums"},
        {{.descriptor = 16, .crc_off = 1}, UP_CORRUPT, "two sizes or sums"},
        {{.descriptor = 16, .packed_off = 1000}, UP_CORRUPT, "points outside"},
    };
    struct up_archive_limits limits;

    (void)state;
    up_archive_reader_limits(&limits);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct zipped e = cases[i].e, second = e;
        struct up_error err = {0};
        struct zip z = {0};

        e.name = "described";
        e.content = "some text that is there, and again: some text that is there";
        e.deflated = true;
        second.name = "second";
        second.content = "more";
        zip_add(&z, &e);
        zip_add(&z, &second);
        zip_end(&z, 0, 0, 0);
        if (read_all(&z.out, &limits, &err) != cases[i].code || !strstr(err.message, cases[i].why))
            fail_msg("case %zu: %s", i, err.message);
        pile_free(&z.out);
    }
}

/* More than is read at once, so that places are looked for in it. */
static void a_large_zip_is_read(void **state)
{
    struct up_archive_limits limits;
    struct zip z = {0};
    struct sim *sim;
    struct up_error err;
    uint64_t files;
    char *text;
    size_t len;

    (void)state;
    up_archive_reader_limits(&limits);
    for (char name[] = "a"; name[0] <= 'c'; name[0]++)
        zip_add(&z, &(struct zipped){.name = name, .content = noise, .len = sizeof noise});
    zip_end(&z, 0, 0, 0);
    if (read_all(&z.out, &limits, &err) != 0)
        fail_msg("%s", err.message);
    sim = with_archive(&z.out);
    assert_int_equal(extract(sim, &files, &err), 0);
    assert_int_equal(files, 3);
    text = sim_get(sim, TO "/b", &len);
    assert_int_equal(len, sizeof noise);
    assert_memory_equal(text, noise, len);
    free(text);
    sim_free(sim);
    pile_free(&z.out);
}

static int make(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof noise; i++)
        noise[i] = (char)(i * i >> 3 ^ i * 2654435761u >> 13);
    tar_file(&small, "top", "top");
    tar_member(&small, &(struct member){.name = "empty/", .type = '5', .mode = 0755}, "", 0);
    tar_file(&small, "a/one", "a/one");
    tar_file(&small, "a/b/two", "a/b/two");
    tar_end(&small);
    zip_add(&zip, &(struct zipped){.name = "top", .content = "top"});
    zip_add(&zip, &(struct zipped){.name = "empty/", .content = "", .attributes = 040755});
    zip_add(&zip, &(struct zipped){.name = "a/one", .content = "a/one", .deflated = true});
    zip_add(&zip, &(struct zipped){.name = "a/b/two", .content = "a/b/two"});
    zip_end(&zip, 0, 0, 0);
    return 0;
}

static int unmake(void **state)
{
    (void)state;
    pile_free(&small);
    pile_free(&zip.out);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_extracted_is_durable),          cmocka_unit_test(what_was_cut_is_not_there),
        cmocka_unit_test(a_call_that_fails_leaves_nothing),       cmocka_unit_test(limits_hold_to_the_byte),
        cmocka_unit_test(names_are_those_that_show_as_they_are),  cmocka_unit_test(a_large_zip_is_read),
        cmocka_unit_test(a_zip_may_describe_entries_behind_them),
    };

    return cmocka_run_group_tests(tests, make, unmake);
}
