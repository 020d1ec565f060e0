/*
 * sample.h -- a small signed package in memory, and ways to read it.
 */
#ifndef UP_SAMPLE_H
#define UP_SAMPLE_H

#include "fixture.h"
#include "minisign.h"
#include "package.h"
#include "scratch.h"
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

static inline long memory_read(struct up_source *s, uint64_t offset, void *buf, size_t len,
                               struct up_error *err)
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

static inline void memory_init(struct memory *m, const void *data, size_t size)
{
    *m = (struct memory){.base = {.ops = &memory_ops, .size = size}, .data = data, .size = size};
}

/* A fixture packed in the scratch directory, and the ring that trusts it. */
struct sample {
    char *data;
    size_t size;
    struct up_keyring *ring;
};

static inline void make_sample(struct sample *sample, const struct scratch *s, const struct up_fixture *f)
{
    char path[512], key[512];
    struct up_error err;

    must(up_fixture_pack(s->storage, scratch_path(s, "sample.upd", path), s->dir, f, &err), &err);
    sample->data = scratch_read(s, "sample.upd", &sample->size);
    must(up_fixture_keys(s->storage, s->dir, false, &err), &err);
    must(up_keyring_load_file(&sample->ring, s->storage, scratch_path(s, "fixture.pub", key), &err), &err);
}

static inline void drop_sample(struct sample *sample)
{
    free(sample->data);
    up_keyring_free(sample->ring);
}

static inline int read_head(const struct sample *sample, struct up_storage *storage, struct memory *source,
                            const char *spool, struct up_manifest *m, struct up_package_layout *layout,
                            struct up_error *err)
{
    struct up_package *p;
    int rc = up_package_open(&p, &source->base, storage, sample->ring, spool, err);

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

static inline int verify_bytes(const struct sample *sample, const struct scratch *s, const void *data,
                               size_t size, struct up_error *err)
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

#endif
