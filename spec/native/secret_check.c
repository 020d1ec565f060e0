/*
 * secret_check.c -- files with secrets: modes and content; and the records of
 * clouds: names, limits, and a power cut at every operation.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cloud_record.h"
#include "error.h"
#include "secret.h"
#include "sim.h"

static void put(struct sim *sim, const char *text, unsigned mode)
{
    sim_put(sim, "/f", text, strlen(text), mode);
}

static void private_files_are_read(void **state)
{
    static const unsigned modes[] = {0600, 0400, 0700};
    struct sim *sim = sim_new();
    struct up_storage *s = sim_storage(sim);
    char out[UP_SECRET_MAX + 1];
    struct up_error err;

    (void)state;
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        put(sim, "s3cret\n", modes[i]);
        assert_int_equal(up_secret_check(s, "/f", &err), 0);
        assert_int_equal(up_secret_read(s, "/f", out, &err), 0);
        assert_string_equal(out, "s3cret");
    }
    sim_free(sim);
}

static void files_that_others_may_use_are_refused(void **state)
{
    static const unsigned modes[] = {0640, 0604, 0620, 0602, 0610, 0601, 0644};
    struct sim *sim = sim_new();
    struct up_storage *s = sim_storage(sim);
    char out[UP_SECRET_MAX + 1];
    struct up_error err;

    (void)state;
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        put(sim, "s3cret\n", modes[i]);
        assert_int_equal(up_secret_check(s, "/f", &err), UP_USAGE);
        assert_int_equal(up_secret_read(s, "/f", out, &err), UP_USAGE);
        assert_non_null(strstr(err.message, "chmod 600"));
        assert_null(strstr(err.message, "s3cret"));
    }
    assert_int_equal(up_secret_read(s, "/none", out, &err), UP_MISSING);
    sim_free(sim);
}

static void what_is_no_secret_is_refused(void **state)
{
    static const char *const texts[] = {"", "\n", "two\nlines\n", "a blank", "\ttab", "\x7f", "s\xc3\xa9"};
    char text[UP_SECRET_MAX + 3], out[UP_SECRET_MAX + 1];
    struct sim *sim = sim_new();
    struct up_storage *s = sim_storage(sim);
    struct up_error err;

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        put(sim, texts[i], 0600);
        assert_int_equal(up_secret_read(s, "/f", out, &err), UP_USAGE);
    }
    memset(text, 'x', sizeof text);
    text[UP_SECRET_MAX] = '\n';
    text[UP_SECRET_MAX + 1] = '\0';
    put(sim, text, 0600);
    assert_int_equal(up_secret_read(s, "/f", out, &err), 0);
    assert_int_equal(strlen(out), UP_SECRET_MAX);
    text[UP_SECRET_MAX] = 'x';
    put(sim, text, 0600);
    assert_int_equal(up_secret_read(s, "/f", out, &err), UP_USAGE);
    sim_free(sim);
}

/* A device would be read for ever, or change under the reader. */
static void what_is_no_file_is_refused(void **state)
{
    struct sim *sim = sim_new();
    char out[UP_SECRET_MAX + 1];
    struct up_error err;

    (void)state;
    sim_put_block(sim, "/dev/disk", 4096);
    assert_int_equal(up_secret_read(sim_storage(sim), "/dev/disk", out, &err), UP_USAGE);
    assert_non_null(strstr(err.message, "must be a regular file"));
    assert_int_equal(up_secret_check(sim_storage(sim), "/dev/disk", &err), UP_USAGE);
    assert_int_equal(sim_open_files(sim), 0);
    sim_free(sim);
}

/* Neither is "not there": whoever asks may take that for "not needed". */
static void what_cannot_be_read_is_not_missing(void **state)
{
    static const enum sim_op ops[] = {SIM_OPEN, SIM_STAT, SIM_PREAD};
    struct sim *sim = sim_new();
    char out[UP_SECRET_MAX + 1];
    struct up_error err;

    (void)state;
    put(sim, "s3cret\n", 0600);
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
        sim_reset_counters(sim);
        sim_fail(sim, ops[i], 1, EACCES, false);
        assert_int_equal(up_secret_read(sim_storage(sim), "/f", out, &err), UP_WRITE);
        assert_string_equal(err.message, "/f: Permission denied");
        assert_int_equal(sim_open_files(sim), 0);
    }
    sim_free(sim);
}

static void records_that_cannot_be_kept_are_told(void **state)
{
    static char far[5000];
    struct sim *sim = sim_new();
    struct up_storage *s = sim_storage(sim);
    struct up_error err;
    char *text;

    (void)state;
    s->ops->mkdir(s, "/s", 0700);
    sim_fail(sim, SIM_MKDIR, 1, EROFS, true);
    assert_int_equal(up_cloud_record_keep(s, "/s", "a", "one", 3, &err), UP_WRITE);
    sim_fail(sim, SIM_MKDIR, 0, 0, false);
    assert_int_equal(up_cloud_record_keep(s, "/s", "a", "one", 3, &err), 0);
    sim_reset_counters(sim);
    sim_fail(sim, SIM_UNLINK, 1, EROFS, false);
    assert_int_equal(up_cloud_record_forget(s, "/s", "a", &err), UP_WRITE);
    assert_int_equal(up_cloud_record_read(s, "/s", "a", &text, NULL, &err), 0);
    free(text);
    memset(far, 'x', sizeof far - 1);
    far[0] = '/';
    assert_int_equal(up_cloud_record_keep(s, far, "a", "one", 3, &err), UP_USAGE);
    assert_non_null(strstr(err.message, "path is too long"));
    sim_free(sim);
}

static void records_are_kept_by_name(void **state)
{
    static const char *const bad[] = {
        "", ".", "..", ".hidden", "a/b", "a b", "123456789012345678901234567890123"};
    struct sim *sim = sim_new();
    struct up_storage *s = sim_storage(sim);
    static char large[UP_CLOUD_RECORD_MAX + 1];
    struct up_error err;
    char *text;
    size_t len;

    (void)state;
    s->ops->mkdir(s, "/s", 0700);
    assert_int_equal(up_cloud_record_read(s, "/s", "a", &text, &len, &err), UP_MISSING);
    assert_int_equal(up_cloud_record_forget(s, "/s", "a", &err), 0);
    assert_int_equal(up_cloud_record_keep(s, "/s", "a", "one", 3, &err), 0);
    assert_int_equal(up_cloud_record_keep(s, "/s", "b-1_2.3", large, UP_CLOUD_RECORD_MAX, &err), 0);
    assert_int_equal(up_cloud_record_keep(s, "/s", "a", "two", 3, &err), 0);
    assert_int_equal(up_cloud_record_read(s, "/s", "a", &text, &len, &err), 0);
    assert_int_equal(len, 3);
    assert_string_equal(text, "two");
    free(text);
    assert_int_equal(up_cloud_record_forget(s, "/s", "a", &err), 0);
    assert_int_equal(up_cloud_record_read(s, "/s", "a", &text, &len, &err), UP_MISSING);
    assert_int_equal(up_cloud_record_keep(s, "/s", "a", large, sizeof large, &err), UP_USAGE);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(up_cloud_record_keep(s, "/s", bad[i], "x", 1, &err), UP_USAGE);
        assert_int_equal(up_cloud_record_read(s, "/s", bad[i], &text, &len, &err), UP_USAGE);
        assert_int_equal(up_cloud_record_forget(s, "/s", bad[i], &err), UP_USAGE);
    }
    sim_free(sim);
}

/* After a cut the record is the old one or the new one; the next write works. */
static void a_cut_leaves_the_old_or_the_new_record(void **state)
{
    bool cut = true;
    unsigned states = 0;

    (void)state;
    for (unsigned k = 1; cut; k++) {
        struct sim *sim = sim_new();
        struct up_storage *s = sim_storage(sim);
        struct up_error err;

        s->ops->mkdir(s, "/s", 0700);
        assert_int_equal(up_cloud_record_keep(s, "/s", "a", "old", 3, &err), 0);
        sim_settle(sim);
        sim_cut_at(sim, k);
        (void)!up_cloud_record_keep(s, "/s", "a", "new", 3, NULL);
        cut = sim_is_cut(sim);
        for (unsigned i = 0; i < sim_choices(sim); i++) {
            struct sim_choice c = sim_choice(sim, i);
            struct sim *r = sim_reboot(sim, &c);
            char *text;

            assert_int_equal(up_cloud_record_read(sim_storage(r), "/s", "a", &text, NULL, &err), 0);
            assert_true(strcmp(text, "new") == 0 || (cut && strcmp(text, "old") == 0));
            free(text);
            assert_int_equal(up_cloud_record_keep(sim_storage(r), "/s", "a", "again", 5, &err), 0);
            sim_free(r);
            states++;
        }
        sim_free(sim);
    }
    assert_true(states > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(private_files_are_read),
        cmocka_unit_test(files_that_others_may_use_are_refused),
        cmocka_unit_test(what_is_no_secret_is_refused),
        cmocka_unit_test(what_is_no_file_is_refused),
        cmocka_unit_test(what_cannot_be_read_is_not_missing),
        cmocka_unit_test(records_are_kept_by_name),
        cmocka_unit_test(records_that_cannot_be_kept_are_told),
        cmocka_unit_test(a_cut_leaves_the_old_or_the_new_record),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
