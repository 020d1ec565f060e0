/*
 * verify_check.c -- a package that ends, changes or cannot be read anywhere
 * between its first and its last byte is never taken for whole.
 */
#include "verify.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "codec.h"
#include "delta_images.h"
#include "error.h"
#include "files_archive.h"
#include "fixture.h"
#include "index.h"
#include "minisign.h"
#include "script_archive.h"
#include "sim.h"
#include "source.h"
#include "spoiled_decoder.h"

/* Bytes of memory, up to `size`; from `broken` on they cannot be read; at most
 * `piece` at a time. From the second reading on, byte `again` is another one,
 * or cannot be read. */
struct memory {
    struct up_source base;
    const uint8_t *data;
    size_t size, broken, piece;
    size_t again;      /* SIZE_MAX: none */
    uint8_t flip;      /* 0: it cannot be read */
    unsigned readings; /* of byte `again` */
};

static long memory_read(struct up_source *s, uint64_t offset, void *buf, size_t len, struct up_error *err)
{
    struct memory *m = (struct memory *)s;

    if (offset >= m->size)
        return 0;
    if (len > m->size - offset)
        len = (size_t)(m->size - offset);
    if (len > m->piece)
        len = m->piece;
    if (offset + len > m->broken)
        return up_fail(err, UP_WRITE, "the medium is broken at byte %zu", m->broken);
    memcpy(buf, m->data + offset, len);
    if (m->again >= offset && m->again - offset < len && m->readings++ > 0) {
        if (!m->flip)
            return up_fail(err, UP_WRITE, "the medium broke at byte %zu", m->again);
        ((uint8_t *)buf)[m->again - offset] ^= m->flip;
    }
    return (long)len;
}

static const struct up_source_ops memory_ops = {memory_read, NULL, NULL};

struct rig {
    struct sim *sim;
    struct up_keyring *ring;
    uint8_t *package;
    size_t size;
};

static struct rig rig_new(const struct up_fixture *fixture)
{
    struct rig r = {.sim = sim_new()};
    struct up_storage *s = sim_storage(r.sim);
    struct up_error err;

    sim_put_dir(r.sim, "/work", 0755);
    if (up_fixture_pack(s, "/package", "/work", fixture, &err) < 0 ||
        up_fixture_keys(s, "/work", false, &err) < 0 ||
        up_keyring_load_file(&r.ring, s, "/work/fixture.pub", &err) < 0)
        fail_msg("%s", err.message);
    r.package = (uint8_t *)sim_get(r.sim, "/package", &r.size);
    /* One byte more, for a package that does not end where it should. */
    r.package = realloc(r.package, r.size + 1);
    r.package[r.size] = 0;
    return r;
}

static void rig_free(struct rig *r)
{
    up_keyring_free(r->ring);
    free(r->package);
    sim_free(r->sim);
}

static int verify_memory(const struct rig *r, struct memory *m, struct up_verify_counts *counts,
                         struct up_error *err)
{
    struct up_verify *v;
    int rc = up_verify_open(&v, &m->base, sim_storage(r->sim), r->ring, err);

    if (rc < 0)
        return rc;
    assert_null(up_verify_manifest(v));
    for (rc = up_verify_step(v, err); rc == UP_AGAIN; rc = up_verify_step(v, err))
        assert_non_null(up_verify_manifest(v));
    if (rc == 0) { /* and it stays good */
        assert_int_equal(up_verify_step(v, err), 0);
        assert_true((up_verify_files(v) != NULL) == (up_verify_manifest(v)->files_version[0] != '\0'));
    }
    if (counts)
        up_verify_counts(v, counts);
    up_verify_close(v);
    return rc;
}

static int verify(const struct rig *r, size_t size, size_t broken, size_t piece,
                  struct up_verify_counts *counts, struct up_error *err)
{
    /* A source that does not know its size is only read. */
    struct memory m = {.base = {&memory_ops, size > r->size ? UINT64_MAX : size, 0},
                       .data = r->package,
                       .size = size,
                       .broken = broken,
                       .piece = piece,
                       .again = SIZE_MAX};

    return verify_memory(r, &m, counts, err);
}

/* Of two images: blocks to copy, and one that is a delta. */
static uint8_t old[DELTA_IMAGE], fresh[DELTA_IMAGE];

static const struct up_fixture fixtures[] = {
    {.script = true},
    {.script = true, .core = true, .core_blocks = 2, .encoding = UP_ZSTD},
    {.core = true, .core_blocks = 3, .encoding = UP_LZMA},
    {.core = true,
     .encoding = UP_ZSTD,
     .image = fresh,
     .image_size = sizeof fresh,
     .old = old,
     .old_size = sizeof old},
};
#define FIXTURES (sizeof fixtures / sizeof fixtures[0])

static void a_whole_package_is_good_in_any_pieces(void **state)
{
    static const size_t pieces[] = {SIZE_MAX, 4096, 511, 7};

    (void)state;
    for (size_t f = 0; f < FIXTURES; f++) {
        struct rig r = rig_new(&fixtures[f]);

        for (size_t p = 0; p < sizeof pieces / sizeof pieces[0]; p++) {
            struct up_verify_counts counts;
            struct up_error err;

            if (verify(&r, r.size, SIZE_MAX, pieces[p], &counts, &err) != 0)
                fail_msg("pieces of %zu: %s", pieces[p], err.message);
            assert_true(counts.done == counts.total && counts.done > 0);
        }
        rig_free(&r);
    }
}

/* A cut is noticed wherever it is, and what cannot be read is said as that. */
static void no_byte_of_it_may_be_missing(void **state)
{
    (void)state;
    for (size_t f = 0; f < FIXTURES; f++) {
        struct rig r = rig_new(&fixtures[f]);

        for (size_t at = 0; at < r.size; at += at % 512 == 511 || at % 512 == 0 ? 1 : 85) {
            struct up_error err = {0};
            int rc = verify(&r, at, SIZE_MAX, SIZE_MAX, NULL, &err);

            if (rc != UP_CORRUPT && rc != UP_UNTRUSTED)
                fail_msg("cut at %zu of %zu: %d: %s", at, r.size, rc, err.message);
            rc = verify(&r, r.size, at, SIZE_MAX, NULL, &err);
            if (rc != UP_WRITE || !strstr(err.message, "the medium is broken"))
                fail_msg("broken at %zu of %zu: %d: %s", at, r.size, rc, err.message);
        }
        rig_free(&r);
    }
}

static void nothing_may_follow_its_end(void **state)
{
    struct rig r = rig_new(&fixtures[0]);
    struct up_error err;

    (void)state;
    assert_int_equal(verify(&r, r.size + 1, SIZE_MAX, SIZE_MAX, NULL, &err), UP_CORRUPT);
    assert_non_null(strstr(err.message, "bytes after its end"));
    assert_int_equal(verify(&r, r.size + 1, r.size, SIZE_MAX, NULL, &err), UP_WRITE);
    rig_free(&r);
}

/* Of every stretch of it a byte, in turn: none is without a check. */
static void no_byte_of_it_may_be_another(void **state)
{
    (void)state;
    for (size_t f = 0; f < FIXTURES; f++) {
        struct rig r = rig_new(&fixtures[f]);

        for (size_t at = 0; at < r.size; at += 13) {
            struct up_error err = {0};
            int rc;

            r.package[at] ^= 0x04;
            rc = verify(&r, r.size, SIZE_MAX, SIZE_MAX, NULL, &err);
            /* The untrusted comment is what its name says. */
            if (rc == 0 && !memmem(r.package + (at < 64 ? 0 : at - 64), 128, "untrusted", 9) &&
                !memmem(r.package + (at < 64 ? 0 : at - 64), 128, "comment", 7))
                fail_msg("byte %zu of %zu is not looked at", at, r.size);
            r.package[at] ^= 0x04;
        }
        rig_free(&r);
    }
}

/* A source that has a size, and ends before it. */
static void one_that_ends_early_is_corrupt(void **state)
{
    struct rig r = rig_new(&fixtures[2]);

    (void)state;
    for (size_t at = 0; at < r.size; at += 211) {
        struct memory m = {.base = {&memory_ops, r.size, 0},
                           .data = r.package,
                           .size = at,
                           .broken = SIZE_MAX,
                           .piece = SIZE_MAX,
                           .again = SIZE_MAX};
        struct up_error err = {0};
        int rc = verify_memory(&r, &m, NULL, &err);

        if (rc != UP_CORRUPT || !strstr(err.message, "ends at byte"))
            fail_msg("ends at %zu of %zu: %d: %s", at, r.size, rc, err.message);
    }
    rig_free(&r);
}

/* The index is read for the head, and again along with the blocks: it may
 * neither change in between nor be gone. */
static void what_is_read_twice_is_checked_twice(void **state)
{
    /* The last makes half of the codec window, which nothing else notices. */
    static const uint8_t flips[] = {0, 0x40, 0x18};
    struct rig r = rig_new(&fixtures[2]);
    const uint8_t *index = memmem(r.package, r.size, "MOULTIX1", 8);
    size_t from = (size_t)(index - r.package), to = from + UP_INDEX_HEAD + 3 * UP_INDEX_ENTRY;

    (void)state;
    for (size_t f = 0; f < sizeof flips; f++)
        for (size_t at = from; at < to; at++) {
            struct memory m = {.base = {&memory_ops, r.size, 0},
                               .data = r.package,
                               .size = r.size,
                               .broken = SIZE_MAX,
                               .piece = SIZE_MAX,
                               .again = at,
                               .flip = flips[f]};
            struct up_error err = {0};
            int rc = verify_memory(&r, &m, NULL, &err);

            assert_int_equal(m.readings, 2);
            if (flips[f] ? rc != UP_UNTRUSTED && rc != UP_CORRUPT : rc != UP_WRITE)
                fail_msg("byte %zu of the index, %02x: %d: %s", at - from, flips[f], rc, err.message);
        }
    rig_free(&r);
}

/* As stored each block has its signed digest, and what it becomes is compared all the same. */
static void what_decodes_to_something_else_is_corrupt(void **state)
{
    struct rig r = rig_new(&fixtures[2]);
    struct up_error err;

    (void)state;
    spoiled = 1;
    assert_int_equal(verify(&r, r.size, SIZE_MAX, SIZE_MAX, NULL, &err), UP_CORRUPT);
    assert_non_null(strstr(err.message, "decoded"));
    assert_int_equal(spoiled, 0);
    rig_free(&r);
}

/* What only the end of an archive shows: that of a script, and that of files. */
static bool no_end;

int __real_up_script_archive_end(const struct up_script_archive *a, struct up_error *err);
int __wrap_up_script_archive_end(const struct up_script_archive *a, struct up_error *err);
int __real_up_files_archive_end(struct up_files_archive *a, struct up_error *err);
int __wrap_up_files_archive_end(struct up_files_archive *a, struct up_error *err);

int __wrap_up_script_archive_end(const struct up_script_archive *a, struct up_error *err)
{
    return no_end ? up_fail(err, UP_UNTRUSTED, "no end") : __real_up_script_archive_end(a, err);
}

int __wrap_up_files_archive_end(struct up_files_archive *a, struct up_error *err)
{
    return no_end ? up_fail(err, UP_UNTRUSTED, "no end") : __real_up_files_archive_end(a, err);
}

static void an_archive_without_its_end_is_none(void **state)
{
    static const struct up_fixture whole[] = {
        {.script = true},
        {.files = "conf\t/app/etc\t4\t4\n"},
        {.script = true, .files = "conf\t/app/etc\t4\t4\n"},
        {.hotfix = "1", .base = "*"},
        {.hotfix = "1", .base = "*", .fix_files = "conf\t/app/etc\t4\t4\n"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++) {
        struct rig r = rig_new(&whole[i]);
        struct up_error err;

        if (verify(&r, r.size, SIZE_MAX, SIZE_MAX, NULL, &err) != 0)
            fail_msg("package %zu: %s", i, err.message);
        no_end = true;
        assert_int_equal(verify(&r, r.size, SIZE_MAX, SIZE_MAX, NULL, &err), UP_UNTRUSTED);
        assert_string_equal(err.message, "no end");
        no_end = false;
        rig_free(&r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_package_is_good_in_any_pieces),
        cmocka_unit_test(no_byte_of_it_may_be_missing),
        cmocka_unit_test(nothing_may_follow_its_end),
        cmocka_unit_test(no_byte_of_it_may_be_another),
        cmocka_unit_test(one_that_ends_early_is_corrupt),
        cmocka_unit_test(what_is_read_twice_is_checked_twice),
        cmocka_unit_test(what_decodes_to_something_else_is_corrupt),
        cmocka_unit_test(an_archive_without_its_end_is_none),
    };

    delta_image_fill(old, sizeof old, 1);
    memcpy(fresh, old, sizeof old);
    fresh[10000] ^= 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
