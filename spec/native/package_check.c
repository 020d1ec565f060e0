/* The head of a package, its spool, and what happens to every flipped byte. */
#include "scratch.h"

#include "fixture.h"
#include "minisign.h"
#include "package.h"
#include "source.h"
#include "verify.h"

/* A source in memory that gives few bytes at a time, and nothing every other time. */
struct memory {
    struct up_source base;
    const uint8_t *data;
    size_t size;
    bool hesitant, turn;
    uint64_t highest; /* one past the last byte that was given */
};

static long memory_read(struct up_source *s, uint64_t offset, void *buf, size_t len, struct up_error *err)
{
    struct memory *m = (struct memory *)s;

    m->turn = !m->turn;
    if (m->hesitant && m->turn)
        return up_fail(err, UP_AGAIN, "nothing yet");
    if (offset >= m->size)
        return 0;
    if (len > m->size - offset)
        len = (size_t)(m->size - offset);
    if (m->hesitant && len > 100)
        len = 100;
    memcpy(buf, m->data + offset, len);
    if (offset + len > m->highest)
        m->highest = offset + len;
    s->received += len;
    return (long)len;
}

static const struct up_source_ops memory_ops = {memory_read, NULL, NULL};

static void memory_init(struct memory *m, const void *data, size_t size)
{
    *m = (struct memory){.base = {.ops = &memory_ops, .size = size}, .data = data, .size = size};
}

/* A fixture packed in the scratch directory, and the ring that trusts it. */
struct sample {
    char *data;
    size_t size;
    struct up_keyring *ring;
};

static void make_sample(struct sample *sample, const struct scratch *s, const struct up_fixture *f)
{
    char path[512], key[512];
    struct up_error err;

    must(up_fixture_pack(s->storage, scratch_path(s, "sample.upd", path), s->dir, f, &err), &err);
    sample->data = scratch_read(s, "sample.upd", &sample->size);
    must(up_fixture_keys(s->storage, s->dir, false, &err), &err);
    must(up_keyring_load_file(&sample->ring, s->storage, scratch_path(s, "fixture.pub", key), &err), &err);
}

static void drop_sample(struct sample *sample)
{
    free(sample->data);
    up_keyring_free(sample->ring);
}

static int read_head(const struct sample *sample, const struct scratch *s, struct memory *source,
                     const char *spool, struct up_manifest *m, struct up_layout *layout, struct up_error *err)
{
    struct up_package *p;
    int rc = up_package_open(&p, &source->base, s->storage, sample->ring, spool, err);

    if (rc < 0)
        return rc;
    do {
        rc = up_package_step(p, err);
    } while (rc == UP_AGAIN);
    if (rc == 0) {
        *m = *up_package_manifest(p);
        *layout = *up_package_layout(p);
    }
    up_package_free(p);
    return rc;
}

static int verify_bytes(const struct sample *sample, const struct scratch *s, const void *data, size_t size,
                        struct up_error *err)
{
    struct memory source;
    struct up_verify *v;
    int rc;

    memory_init(&source, data, size);
    must(up_verify_open(&v, &source.base, s->storage, sample->ring, err), err);
    do {
        rc = up_verify_step(v, err);
    } while (rc == UP_AGAIN);
    up_verify_close(v);
    return rc;
}

static const struct up_fixture both = {.script = true, .core = true, .sequence = 7};

static void test_head(void **state)
{
    struct scratch *s = *state;
    struct sample sample;
    struct memory source;
    struct up_manifest m;
    struct up_layout layout;
    struct up_error err;

    make_sample(&sample, s, &both);
    for (int hesitant = 0; hesitant < 2; hesitant++) {
        memory_init(&source, sample.data, sample.size);
        source.hesitant = hesitant;
        must(read_head(&sample, s, &source, NULL, &m, &layout, &err), &err);
        assert_int_equal(m.sequence, 7);
        assert_int_equal(m.part_count, 2);
        assert_int_equal(layout.size, sample.size);
        assert_int_equal(source.highest, layout.head_size);
    }
    must(verify_bytes(&sample, s, sample.data, sample.size, &err), &err);
    drop_sample(&sample);
}

static void test_tamper(void **state)
{
    static const enum up_encoding encodings[] = {UP_RAW, UP_ZSTD, UP_LZMA};
    struct scratch *s = *state;
    size_t flipped = 0, accepted = 0;

    for (size_t e = 0; e < sizeof encodings / sizeof encodings[0]; e++) {
        struct up_fixture f = both;
        struct sample sample;
        struct up_error err;

        f.encoding = encodings[e];
        f.core_blocks = 3;
        f.script_files = 1;
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
        drop_sample(&sample);
    }
    print_message("tamper: %zu bytes flipped, %zu accepted\n", flipped, accepted);
    assert_int_equal(accepted, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_head, scratch_set_up, scratch_tear_down),
        cmocka_unit_test_setup_teardown(test_tamper, scratch_set_up, scratch_tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
