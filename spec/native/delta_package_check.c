/* Packages whose core is a delta: what the packer makes of images that differ in every way. */
#include "delta_images.h"
#include "sample.h"

#include "codec.h"
#include "delta.h"
#include "digest.h"
#include "variants.h"

static struct up_fixture fixture_of(const struct delta_images *images)
{
    return (struct up_fixture){.core = true,
                               .sequence = 7,
                               .encoding = UP_ZSTD,
                               .image = images->fresh,
                               .image_size = images->fresh_size,
                               .old = images->old,
                               .old_size = images->old_size};
}

static int read_old(void *context, void *buf, size_t len, uint64_t offset, struct up_error *err)
{
    const struct delta_images *images = context;

    (void)err;
    assert_true(offset <= images->old_size && len <= images->old_size - offset);
    memcpy(buf, images->old + offset, len);
    return 0;
}

/* The new image of a package, put together by hand; counts blocks by encoding. */
static uint8_t *apply(const struct sample *sample, const struct up_manifest *m,
                      const struct up_package_layout *layout, const struct delta_images *images,
                      unsigned counts[UP_ENCODINGS])
{
    const struct up_part *part = &m->part[0];
    const uint8_t *index = (const uint8_t *)sample->data + layout->index_offset[0],
                  *stored = (const uint8_t *)sample->data + layout->data_offset[0];
    struct up_old old = {.read = read_old, .context = (void *)images, .size = images->old_size};
    uint8_t *image = malloc((size_t)part->size);
    struct up_index_head head;
    struct up_codec *codec;
    struct up_delta *delta;
    struct up_error err;

    must(up_codec_new(&codec, &err), &err);
    must(up_delta_new(&delta, &err), &err);
    must(up_index_get_head(&head, index, part, &err), &err);
    for (uint32_t i = 0; i < head.block_count; i++) {
        uint64_t at = (uint64_t)i * head.block_size;
        struct up_block block;
        uint8_t digest[UP_SHA256_SIZE];

        must(up_index_get_block(&block, index + UP_INDEX_HEAD + i * UP_INDEX_ENTRY, &head, i, &err), &err);
        counts[block.encoding]++;
        if (block.encoding == UP_COPY)
            memcpy(image + at, images->old + block.source, block.length);
        else if (block.encoding == UP_DELTA)
            must(up_delta_decode(delta, &old, block.source, at, stored, block.stored, image + at,
                                 block.length, &err),
                 &err);
        else
            must(up_codec_decode(codec, block.encoding, stored, block.stored, image + at, block.length, &err),
                 &err);
        up_sha256(image + at, block.length, digest);
        assert_memory_equal(digest, block.digest, sizeof digest);
        stored += block.stored;
    }
    up_codec_free(codec);
    up_delta_free(delta);
    return image;
}

static void check_case(struct scratch *s, enum delta_case which, unsigned counts[UP_ENCODINGS])
{
    struct delta_images images;
    struct up_fixture f;
    struct sample one, two;
    struct memory source;
    struct up_manifest m;
    struct up_package_layout layout;
    struct up_error err;
    uint8_t digest[UP_SHA256_SIZE], *image;

    delta_images_make(&images, which);
    f = fixture_of(&images);
    make_sample(&one, s, &f);
    make_sample(&two, s, &f);
    assert_int_equal(one.size, two.size); /* deterministic */
    assert_memory_equal(one.data, two.data, one.size);
    must(verify_bytes(&one, s, one.data, one.size, &err), &err);
    memory_init(&source, one.data, one.size);
    must(read_head(&one, s->storage, &source, NULL, &m, &layout, &err), &err);
    up_sha256(images.old, images.old_size, digest);
    assert_true(m.part[0].delta);
    assert_int_equal(m.part[0].source_size, images.old_size);
    assert_memory_equal(m.part[0].source_digest, digest, sizeof digest);
    if (m.part[0].data_size > images.most)
        fail_msg("%s: %llu bytes, more than %llu", images.name, (unsigned long long)m.part[0].data_size,
                 (unsigned long long)images.most);
    image = apply(&one, &m, &layout, &images, counts);
    assert_memory_equal(image, images.fresh, images.fresh_size);
    free(image);
    drop_sample(&one);
    drop_sample(&two);
    delta_images_free(&images);
}

static void test_images(void **state)
{
    unsigned all[UP_ENCODINGS] = {0};

    for (enum delta_case which = 0; which < DELTA_CASES; which++) {
        unsigned counts[UP_ENCODINGS] = {0};

        check_case(*state, which, counts);
        for (int e = 0; e < UP_ENCODINGS; e++)
            all[e] += counts[e];
        if (which == DELTA_IDENTICAL)
            assert_int_equal(counts[UP_COPY], 5);
        if (which == DELTA_ONE_BYTE)
            assert_true(counts[UP_COPY] == 4 && counts[UP_DELTA] == 1);
        if (which == DELTA_ZEROS)
            assert_int_equal(counts[UP_ZEROS], 5);
    }
    assert_true(all[UP_COPY] > 0 && all[UP_DELTA] > 0 && all[UP_ZEROS] > 0 && all[UP_ZSTD] > 0);
}

static int pack(const struct scratch *s, const struct up_fixture *f, struct up_error *err)
{
    char path[512];

    return up_fixture_pack(s->storage, scratch_path(s, "sample.upd", path), s->dir, f, err);
}

static void test_refused(void **state)
{
    struct delta_images images;
    struct up_fixture f;
    struct up_error err;

    delta_images_make(&images, DELTA_ONE_BYTE);
    f = fixture_of(&images);
    f.old_size = 0;
    must_fail(pack(*state, &f, &err), UP_USAGE, "old.img: 0 bytes", &err);
    f = fixture_of(&images);
    f.image_size = 0;
    must_fail(pack(*state, &f, &err), UP_USAGE, "core.img: 0 bytes", &err);
    f = fixture_of(&images);
    f.encoding = UP_DELTA;
    must_fail(pack(*state, &f, &err), UP_USAGE, "encoding", &err);
    delta_images_free(&images);
}

/* What the crash enumeration installs has blocks of every kind that it is there for. */
static void test_variant(void **state)
{
    struct scratch *s = *state;
    struct delta_images images = {.name = "variant"};
    unsigned counts[UP_ENCODINGS] = {0};
    struct up_fixture f = {.core = true};
    struct sample sample;
    struct memory source;
    struct up_manifest m;
    struct up_package_layout layout;
    struct up_error err;
    const void *fresh, *old;
    uint8_t *image;

    make_sample(&sample, s, &f); /* for its keys */
    free(sample.data);
    sample.data = variant_delta(2, 0, 1, VARIANT_KIN, &sample.size);
    fresh = variant_core(VARIANT_KIN, &images.fresh_size);
    old = variant_core(1, &images.old_size);
    images.old = memcpy(malloc(images.old_size), old, images.old_size);
    images.fresh = memcpy(malloc(images.fresh_size), fresh, images.fresh_size);
    memory_init(&source, sample.data, sample.size);
    must(read_head(&sample, s->storage, &source, NULL, &m, &layout, &err), &err);
    image = apply(&sample, &m, &layout, &images, counts);
    assert_memory_equal(image, images.fresh, images.fresh_size);
    assert_int_equal(counts[UP_COPY], 2);
    assert_int_equal(counts[UP_DELTA], 1);
    assert_int_equal(counts[UP_RAW], 1);
    free(image);
    drop_sample(&sample);
    delta_images_free(&images);
}

#define CHECK(name) cmocka_unit_test_setup_teardown(name, scratch_set_up, scratch_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {CHECK(test_images), CHECK(test_variant), CHECK(test_refused)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
