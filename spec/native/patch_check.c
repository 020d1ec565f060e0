/* Patches: made and applied for every pair of files, and refused when anything is wrong. */
#include "delta_images.h"
#include "scratch.h"

#include "digest.h"
#include "patch.h"
#include "sim.h"

#include <errno.h>
#include <unistd.h>

static int run(struct up_patch *p, struct up_error *err)
{
    uint64_t done, total, before = 0;
    int rc;

    for (rc = up_patch_step(p, err); rc == UP_AGAIN; rc = up_patch_step(p, err)) {
        assert_int_equal(up_patch_size(p), 0); /* not yet known */
        up_patch_progress(p, &done, &total);
        assert_true(done >= before && done <= total && total > 0);
        before = done;
    }
    up_patch_progress(p, &done, &total);
    if (rc == 0) {
        assert_true(done == total && up_patch_size(p) > 0);
        assert_int_equal(up_patch_step(p, err), 0); /* and remains so */
    }
    up_patch_close(p);
    return rc;
}

static int make(struct up_storage *storage, const char *dir, enum up_encoding encoding, struct up_error *err)
{
    char old[512], fresh[512], out[512];
    struct up_patch *p = NULL;

    snprintf(old, sizeof old, "%s/old", dir);
    snprintf(fresh, sizeof fresh, "%s/fresh", dir);
    snprintf(out, sizeof out, "%s/patch", dir);
    return up_patch_make(&p, storage, old, fresh, out, encoding, err) < 0 ? err->code : run(p, err);
}

static int apply(struct up_storage *storage, const char *dir, struct up_error *err)
{
    char old[512], patch[512], out[512];
    struct up_patch *p = NULL;

    snprintf(old, sizeof old, "%s/old", dir);
    snprintf(patch, sizeof patch, "%s/patch", dir);
    snprintf(out, sizeof out, "%s/out", dir);
    return up_patch_apply(&p, storage, old, patch, out, err) < 0 ? err->code : run(p, err);
}

static void put(struct scratch *s, const struct delta_images *images)
{
    scratch_write(s, "old", images->old, images->old_size);
    scratch_write(s, "fresh", images->fresh, images->fresh_size);
}

static void test_images(void **state)
{
    static const enum up_encoding encodings[] = {UP_LZMA, UP_ZSTD, UP_RAW};
    struct scratch *s = *state;
    struct up_error err;

    for (int e = 0; e < 3; e++)
        for (enum delta_case which = 0; which < DELTA_CASES; which++) {
            struct delta_images images;
            size_t size, again_size, len;
            char *patch, *again, *out;

            delta_images_make(&images, which);
            put(s, &images);
            must(make(s->storage, s->dir, encodings[e], &err), &err);
            patch = scratch_read(s, "patch", &size);
            must(make(s->storage, s->dir, encodings[e], &err), &err);
            again = scratch_read(s, "patch", &again_size);
            assert_int_equal(size, again_size); /* deterministic */
            assert_memory_equal(patch, again, size);
            /* One block of 1 MiB: head, index, and what takes the fewest bytes. */
            if (size > UP_PATCH_HEAD + UP_INDEX_HEAD + UP_INDEX_ENTRY + images.fresh_size)
                fail_msg("%s: %zu bytes", images.name, size);
            must(apply(s->storage, s->dir, &err), &err);
            out = scratch_read(s, "out", &len);
            assert_int_equal(len, images.fresh_size);
            assert_memory_equal(out, images.fresh, len);
            free(patch);
            free(again);
            free(out);
            delta_images_free(&images);
        }
}

/* Some MiB, so that there are blocks of several kinds. */
static void test_blocks(void **state)
{
    enum { MIB = 1 << 20 };
    struct scratch *s = *state;
    struct delta_images images = {.old_size = 3 * MIB + 100, .fresh_size = 4 * MIB + 77};
    struct up_error err;
    size_t len;
    char *out;

    images.old = calloc(1, images.old_size);
    images.fresh = calloc(1, images.fresh_size);
    delta_image_fill(images.old, images.old_size, 5);
    memcpy(images.fresh, images.old + 1000, 2 * MIB);
    delta_image_fill(images.fresh + 3 * MIB, MIB + 77, 6);
    for (size_t i = 0; i < MIB; i += 5000)
        images.fresh[i] ^= 1;
    put(s, &images);
    must(make(s->storage, s->dir, UP_LZMA, &err), &err);
    must(apply(s->storage, s->dir, &err), &err);
    out = scratch_read(s, "out", &len);
    assert_int_equal(len, images.fresh_size);
    assert_memory_equal(out, images.fresh, len);
    free(out);
    delta_images_free(&images);
}

static void no_leftovers(const struct scratch *s)
{
    char path[512];

    assert_int_equal(access(scratch_path(s, "out.new", path), F_OK), -1);
    assert_int_equal(access(scratch_path(s, "patch.new", path), F_OK), -1);
}

static void test_wrong_old(void **state)
{
    struct scratch *s = *state;
    struct delta_images images;
    struct up_error err;
    char *kept;

    delta_images_make(&images, DELTA_SHUFFLED);
    put(s, &images);
    must(make(s->storage, s->dir, UP_LZMA, &err), &err);
    scratch_write(s, "out", "as it was", 9);
    images.old[19999] ^= 1;
    put(s, &images);
    must_fail(apply(s->storage, s->dir, &err), UP_INCOMPATIBLE, "made against", &err);
    images.old_size--;
    put(s, &images);
    must_fail(apply(s->storage, s->dir, &err), UP_INCOMPATIBLE,
              "19999 bytes, the patch was made against 20000", &err);
    scratch_write(s, "old", "", 0);
    must_fail(make(s->storage, s->dir, UP_LZMA, &err), UP_USAGE, "old: 0 bytes", &err);
    put(s, &images);
    scratch_write(s, "fresh", "", 0);
    must_fail(make(s->storage, s->dir, UP_LZMA, &err), UP_USAGE, "fresh: 0 bytes", &err);
    must_fail(make(s->storage, s->dir, UP_COPY, &err), UP_USAGE, "encoding", &err);
    no_leftovers(s);
    kept = scratch_read(s, "out", NULL); /* nothing of this touched what was there */
    assert_string_equal(kept, "as it was");
    free(kept);
    delta_images_free(&images);
}

/* Nothing is made under a name that was cut short. */
static void test_long_names(void **state)
{
    struct sim *sim = sim_new();
    struct up_patch *p = NULL;
    struct up_error err;
    char name[8192];

    (void)state;
    sim_put_text(sim, "/old", "old");
    sim_put_text(sim, "/fresh", "fresh");
    memset(name, 'n', sizeof name);
    name[0] = '/';
    for (size_t len = 1000; len < sizeof name; len++) { /* where the name fits and name.new does not, too */
        int rc;

        name[len] = '\0';
        rc = up_patch_make(&p, sim_storage(sim), "/old", "/fresh", name, UP_RAW, &err);
        if (rc == 0)
            up_patch_close(p);
        else if (rc == UP_USAGE)
            must_fail(up_patch_apply(&p, sim_storage(sim), "/old", "/fresh", name, &err), UP_USAGE,
                      "path is too long", &err);
        assert_true(rc == UP_USAGE || len < 4096);
        assert_false(sim_exists(sim, name));
        name[len] = 'n';
    }
    assert_int_equal(sim_open_files(sim), 0);
    sim_free(sim);
}

static int apply_bytes(struct sim *sim, const void *patch, size_t size, struct up_error *err)
{
    sim_settle(sim);
    sim_put(sim, "/w/patch", patch, size, 0644);
    return apply(sim_storage(sim), "/w", err);
}

/* Every byte of a patch flipped, and it cut short at every byte: never another file than the new one. */
static void test_damage(void **state)
{
    struct sim *sim = sim_new();
    struct delta_images images;
    struct up_error err;
    size_t size;
    char *patch;

    (void)state;
    delta_images_make(&images, DELTA_MOVED);
    sim_put_dir(sim, "/w", 0755);
    sim_put(sim, "/w/old", images.old, images.old_size, 0644);
    sim_put(sim, "/w/fresh", images.fresh, images.fresh_size, 0644);
    must(make(sim_storage(sim), "/w", UP_LZMA, &err), &err);
    patch = sim_get(sim, "/w/patch", &size);
    for (size_t i = 0; i < size; i++) {
        int rc;

        patch[i] ^= (char)(1 << i % 8);
        rc = apply_bytes(sim, patch, size, &err);
        /* The codec's window may be declared larger than is needed. */
        if (rc != UP_CORRUPT && rc != UP_INCOMPATIBLE && (rc != 0 || i / 4 != (UP_PATCH_HEAD + 24) / 4))
            fail_msg("byte %zu: code %d", i, rc);
        patch[i] ^= (char)(1 << i % 8);
        must_fail(apply_bytes(sim, patch, i, &err), UP_CORRUPT, "patch", &err);
    }
    must(apply_bytes(sim, patch, size, &err), &err);
    patch = realloc(patch, size + 1);
    patch[size] = 0;
    must_fail(apply_bytes(sim, patch, size + 1, &err), UP_CORRUPT, "its blocks end", &err);
    assert_false(sim_exists(sim, "/w/out.new"));
    assert_int_equal(sim_open_files(sim), 0);
    sim_free(sim);
    free(patch);
    delta_images_free(&images);
}

/* Whatever storage call fails: an error, nothing left over, what was there untouched. */
static void test_faults(void **state)
{
    static const enum sim_op ops[] = {SIM_OPEN,     SIM_PREAD,  SIM_PWRITE, SIM_SYNC,
                                      SIM_SYNC_DIR, SIM_RENAME, SIM_STAT,   SIM_TRUNCATE};
    struct delta_images images;
    unsigned failures = 0;

    (void)state;
    delta_images_make(&images, DELTA_SHUFFLED);
    for (size_t o = 0; o < 2 * sizeof ops / sizeof ops[0]; o++)
        for (unsigned n = 1;; n++) {
            struct sim *sim = sim_new();
            struct up_error err;
            unsigned calls;
            int rc;

            sim_put_dir(sim, "/w", 0755);
            sim_put(sim, "/w/old", images.old, images.old_size, 0644);
            sim_put(sim, "/w/fresh", images.fresh, images.fresh_size, 0644);
            if (o % 2)
                must(make(sim_storage(sim), "/w", UP_LZMA, &err), &err);
            sim_settle(sim);
            sim_put_text(sim, o % 2 ? "/w/out" : "/w/patch", "as it was");
            sim_reset_counters(sim);
            sim_fail(sim, ops[o / 2], n, ENOSPC, false);
            rc = o % 2 ? apply(sim_storage(sim), "/w", &err) : make(sim_storage(sim), "/w", UP_LZMA, &err);
            calls = sim_calls(sim, ops[o / 2]);
            sim_fail(sim, ops[o / 2], 0, 0, false);
            failures += rc < 0;
            if (rc < 0 && rc != UP_NOSPACE && rc != UP_WRITE)
                fail_msg("%s %u: %s", sim_op_name(ops[o / 2]), n, err.message);
            if (rc < 0 && ops[o / 2] != SIM_SYNC_DIR) {
                char *out = sim_get(sim, o % 2 ? "/w/out" : "/w/patch", NULL);

                assert_string_equal(out, "as it was");
                free(out);
            }
            assert_int_equal(sim_open_files(sim), 0);
            assert_false(sim_exists(sim, "/w/out.new"));
            assert_false(sim_exists(sim, "/w/patch.new"));
            sim_free(sim);
            if (calls < n)
                break;
        }
    assert_true(failures > 15);
    delta_images_free(&images);
}

#define CHECK(name) cmocka_unit_test_setup_teardown(name, scratch_set_up, scratch_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {CHECK(test_images),    CHECK(test_blocks),
                                       CHECK(test_wrong_old), cmocka_unit_test(test_long_names),
                                       CHECK(test_damage),    CHECK(test_faults)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
