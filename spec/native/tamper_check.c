/* Every byte of a small package flipped, one at a time: none is accepted. */
#include "delta_images.h"
#include "sample.h"

static void test_tamper(void **state)
{
    static const enum up_encoding encodings[] = {UP_RAW, UP_ZSTD, UP_LZMA, UP_LZMA};
    struct scratch *s = *state;
    struct delta_images images;
    size_t flipped = 0, accepted = 0;

    delta_images_make(&images, DELTA_LONGER);
    for (size_t e = 0; e < sizeof encodings / sizeof encodings[0]; e++) {
        struct up_fixture f = {
            .script = true, .core = true, .core_blocks = 3, .script_files = 1, .encoding = encodings[e]};
        struct sample sample;
        struct up_error err;

        if (e == 3) { /* copies, deltas and new blocks */
            f.image = images.fresh;
            f.image_size = images.fresh_size;
            f.old = images.old;
            f.old_size = images.old_size;
        }
        make_sample(&sample, s, &f);
        must(verify_bytes(&sample, s, sample.data, sample.size, &err), &err);
        for (size_t i = 0; i < sample.size; i++) {
            int rc;

            sample.data[i] ^= (char)(1 << i % 8);
            rc = verify_bytes(&sample, s, sample.data, sample.size, &err);
            if (rc != UP_UNTRUSTED && rc != UP_CORRUPT) {
                accepted++;
                print_message("byte %zu of %zu: code %d\n", i, sample.size, rc);
            }
            sample.data[i] ^= (char)(1 << i % 8);
            flipped++;
        }
        must(verify_bytes(&sample, s, sample.data, sample.size, &err), &err);
        drop_sample(&sample);
    }
    delta_images_free(&images);
    print_message("tamper: %zu bytes flipped, %zu accepted\n", flipped, accepted);
    assert_int_equal(accepted, 0);
}

/* Shorter or longer than it was is no package either. */
static void test_length(void **state)
{
    struct scratch *s = *state;
    struct up_fixture f = {.script = true, .core = true, .encoding = UP_ZSTD};
    struct sample sample;
    struct up_error err;
    char *longer;

    make_sample(&sample, s, &f);
    for (size_t cut = 0; cut < sample.size; cut += cut < 4096 ? 1 : 97)
        if (verify_bytes(&sample, s, sample.data, cut, &err) != UP_CORRUPT)
            fail_msg("cut at %zu of %zu", cut, sample.size);
    longer = calloc(1, sample.size + 512);
    memcpy(longer, sample.data, sample.size);
    must_fail(verify_bytes(&sample, s, longer, sample.size + 1, &err), UP_CORRUPT, "its manifest says", &err);
    must_fail(verify_bytes(&sample, s, longer, sample.size + 512, &err), UP_CORRUPT, "its manifest says",
              &err);
    free(longer);
    drop_sample(&sample);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_tamper, scratch_set_up, scratch_tear_down),
        cmocka_unit_test_setup_teardown(test_length, scratch_set_up, scratch_tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
