/* The head of a package, its spool, its layout, and heads that are refused. */
#include "sample.h"

#include "bytes.h"
#include "digest.h"
#include "sim.h"
#include "tar.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static const struct up_fixture both = {.script = true, .core = true, .sequence = 7};

static void test_head(void **state)
{
    struct scratch *s = *state;
    struct sample sample;
    struct memory source;
    struct up_manifest m;
    struct up_package_layout layout;
    struct up_error err;

    make_sample(&sample, s, &both);
    for (int hesitant = 0; hesitant < 2; hesitant++) {
        memory_init(&source, sample.data, sample.size);
        source.hesitant = hesitant;
        must(read_head(&sample, s->storage, &source, NULL, &m, &layout, &err), &err);
        assert_int_equal(m.sequence, 7);
        assert_int_equal(m.part_count, 2);
        assert_int_equal(layout.size, sample.size);
        assert_int_equal(source.highest, layout.head_size); /* not a byte more */
    }
    drop_sample(&sample);
}

static void test_cut_head(void **state)
{
    struct scratch *s = *state;
    struct sample sample;
    struct memory source;
    struct up_manifest m;
    struct up_package_layout layout;
    struct up_error err;

    make_sample(&sample, s, &both);
    memory_init(&source, sample.data, sample.size);
    must(read_head(&sample, s->storage, &source, NULL, &m, &layout, &err), &err);
    for (size_t cut = 0; cut < layout.head_size; cut++)
        for (int known = 0; known < 2; known++) {
            char *copy = malloc(cut ? cut : 1);

            memcpy(copy, sample.data, cut);
            memory_init(&source, copy, cut);
            if (!known)
                source.base.size = UINT64_MAX;
            must_fail(read_head(&sample, s->storage, &source, NULL, &m, &layout, &err), UP_CORRUPT,
                      "package: ", &err);
            free(copy);
        }
    drop_sample(&sample);
}

/* A head made by hand: manifest text and indexes as they are given. */
struct made {
    uint8_t *data;
    size_t size;
};

static struct made make_head(const struct scratch *s, const struct up_manifest *m, const char *text,
                             const char *comment, const uint8_t *const index[])
{
    struct up_secret *key;
    struct up_package_layout layout;
    struct up_error err;
    struct made made;
    char sig[UP_MINISIG_MAX], path[512];
    size_t sig_size;

    must(up_signing_key_load(&key, s->storage, scratch_path(s, "fixture.key", path), &err), &err);
    must(up_signing_key_sign(key, text, strlen(text), comment, sig, &sig_size, &err), &err);
    up_signing_key_free(key);
    up_package_layout_of(&layout, m, strlen(text), sig_size);
    made.size = (size_t)layout.head_size;
    made.data = malloc(made.size);
    up_package_layout_fill(&layout, m, 0, made.data, made.size);
    memcpy(made.data + 512, text, strlen(text));
    memcpy(made.data + 1024 + up_tar_padded(strlen(text)), sig, sig_size);
    for (unsigned i = 0; i < m->part_count; i++)
        memcpy(made.data + layout.index_offset[i], index[i], (size_t)m->part[i].index_size);
    return made;
}

/* One core part of one block of 4096 bytes. */
static void describe(struct up_manifest *m, uint8_t index[112], const struct up_block *block)
{
    struct up_index_head head = {.block_count = 1, .block_size = 4096, .window = 4096, .content_size = 4096};

    memset(m, 0, sizeof *m);
    strcpy(m->project, "METER");
    memset(m->product_key, 'a', 64);
    m->sequence = 9;
    strcpy(m->release, "9");
    strcpy(m->core_name, "core");
    m->part_count = 1;
    m->part[0] = (struct up_part){
        .kind = UP_CORE, .size = 4096, .block_size = 4096, .index_size = 112, .data_size = block->stored};
    up_index_put_head(index, &head);
    up_index_put_block(index + UP_INDEX_HEAD, block);
    up_sha256(index, 112, m->part[0].index_digest);
}

static char *replaced(char *text, const char *from, const char *to)
{
    char *at = strstr(text, from), *out = malloc(strlen(text) + strlen(to) + 1);

    assert_non_null(at);
    sprintf(out, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
    free(text);
    return out;
}

static void try_head(const struct scratch *s, const struct sample *sample, const struct up_block *block,
                     const char *comment, const char *from, const char *to, int code, const char *message)
{
    struct up_manifest m, got;
    struct up_package_layout layout;
    struct memory source;
    struct up_error err;
    struct made made;
    uint8_t raw[112];
    const uint8_t *const index[] = {raw};
    size_t len;
    char *text;
    int rc;

    describe(&m, raw, block);
    must(up_manifest_format(&m, &text, &len, &err), &err);
    if (from)
        text = replaced(text, from, to);
    made = make_head(s, &m, text, comment, index);
    memory_init(&source, made.data, made.size);
    source.base.size = UINT64_MAX;
    rc = read_head(sample, s->storage, &source, NULL, &got, &layout, &err);
    if (code == 0)
        must(rc, &err);
    else
        must_fail(rc, code, message, &err);
    free(made.data);
    free(text);
}

#define KIND "\"kind\":\"core\","
#define ZEROS16 "0000000000000000"
#define SOURCE(size) \
    KIND "\"source\":{\"sha256\":\"" ZEROS16 ZEROS16 ZEROS16 ZEROS16 "\",\"size\":" size ",\"version\":1},"

static void test_signed_heads(void **state)
{
    static const char comment[] = "moult manifest sequence 9";
    struct scratch *s = *state;
    struct up_block raw = {.encoding = UP_RAW, .stored = 4096}, copy = {.encoding = UP_COPY},
                    delta = {.encoding = UP_DELTA, .stored = 10, .source = 4096};
    struct sample sample;

    make_sample(&sample, s, &both);
    try_head(s, &sample, &raw, comment, NULL, NULL, 0, "");
    try_head(s, &sample, &raw, "moult manifest sequence 8", NULL, NULL, UP_UNTRUSTED, "trusted comment");
    try_head(s, &sample, &raw, "moult manifest sequence 90", NULL, NULL, UP_UNTRUSTED, "trusted comment");
    try_head(s, &sample, &raw, "moult manifest sequence 09", NULL, NULL, UP_UNTRUSTED, "trusted comment");
    try_head(s, &sample, &raw, "", NULL, NULL, UP_UNTRUSTED, "trusted comment");
    try_head(s, &sample, &copy, comment, NULL, NULL, UP_UNTRUSTED, "copy, but the part is not a delta");
    try_head(s, &sample, &delta, comment, NULL, NULL, UP_UNTRUSTED, "delta, but the part is not a delta");
    try_head(s, &sample, &copy, comment, KIND, SOURCE("4096"), 0, "");
    try_head(s, &sample, &copy, comment, KIND, SOURCE("4095"), UP_UNTRUSTED, "sizes do not fit");
    try_head(s, &sample, &delta, comment, KIND, SOURCE("4096"), 0, "");
    try_head(s, &sample, &delta, comment, KIND, SOURCE("4095"), UP_UNTRUSTED, "sizes do not fit");
    try_head(s, &sample, &raw, comment, KIND, SOURCE("1"), 0, "");
    try_head(s, &sample, &raw, comment, "manifest-1", "manifest-2", UP_INCOMPATIBLE, "newer");
    try_head(s, &sample, &raw, comment, "\"kind\":\"core\"", "\"kind\":\"hotfix\"", UP_UNTRUSTED,
             "core part");
    try_head(s, &sample, &raw, comment, "\"release\"", "\"relief\"", UP_UNTRUSTED, "release");
    try_head(s, &sample, &raw, comment, "\"data_size\":4096", "\"data_size\":4095", UP_UNTRUSTED, "add up");
    drop_sample(&sample);
}

/* Nothing but two capped sizes is taken from a head that nobody trusts. */
static void test_untrusted(void **state)
{
    struct scratch *s = *state;
    struct sample sample, stranger;
    struct memory source;
    struct up_manifest m;
    struct up_package_layout layout;
    struct up_package *p;
    struct up_error err;
    struct up_tar_entry entry = {.name = "manifest.json", .mode = 0644, .size = UP_MANIFEST_MAX + 1};
    char path[512];

    make_sample(&sample, s, &both);
    stranger = sample;
    must(up_fixture_keys(s->storage, s->dir, true, &err), &err);
    must(up_keyring_load_file(&stranger.ring, s->storage, scratch_path(s, "other.pub", path), &err), &err);
    memory_init(&source, sample.data, sample.size);
    must(up_package_open(&p, &source.base, s->storage, stranger.ring, s->dir, &err), &err);
    must_fail(up_package_step(p, &err), UP_UNTRUSTED, "not trusted", &err);
    assert_false(up_package_has_manifest(p));
    up_package_free(p);
    assert_int_equal(access(scratch_path(s, "manifest.json", path), F_OK), -1); /* nothing was spooled */
    up_keyring_free(stranger.ring);

    must(up_tar_put((uint8_t *)sample.data, &entry, &err), &err);
    must_fail(read_head(&sample, s->storage, &source, NULL, &m, &layout, &err), UP_UNTRUSTED, "65537", &err);
    entry.size = UP_MANIFEST_MAX; /* may be, and the signature is not behind it */
    must(up_tar_put((uint8_t *)sample.data, &entry, &err), &err);
    must_fail(read_head(&sample, s->storage, &source, NULL, &m, &layout, &err), UP_CORRUPT, "within its head",
              &err);
    entry.size = 0;
    must(up_tar_put((uint8_t *)sample.data, &entry, &err), &err);
    must_fail(read_head(&sample, s->storage, &source, NULL, &m, &layout, &err), UP_UNTRUSTED, "0 bytes",
              &err);
    strcpy(entry.name, "manifest.txt");
    entry.size = 5;
    must(up_tar_put((uint8_t *)sample.data, &entry, &err), &err);
    must_fail(read_head(&sample, s->storage, &source, NULL, &m, &layout, &err), UP_UNTRUSTED,
              "no manifest.json", &err);
    memset(sample.data, 0x1f, 512);
    must_fail(read_head(&sample, s->storage, &source, NULL, &m, &layout, &err), UP_UNTRUSTED, "not a package",
              &err);
    drop_sample(&sample);
}

/* Headers, padding and end are a function of the manifest, in any window. */
static void test_layout(void **state)
{
    struct scratch *s = *state;
    struct sample sample;
    struct memory source;
    struct up_manifest m;
    struct up_package_layout layout;
    struct up_error err;
    uint8_t *frame;
    bool *inside;

    make_sample(&sample, s, &both);
    memory_init(&source, sample.data, sample.size);
    must(read_head(&sample, s->storage, &source, NULL, &m, &layout, &err), &err);
    frame = malloc(sample.size);
    inside = calloc(sample.size, sizeof *inside);
    memset(inside + 512, true, layout.manifest_size);
    memset(inside + 1024 + up_tar_padded(layout.manifest_size), true, layout.signature_size);
    for (unsigned i = 0; i < m.part_count; i++) {
        static const char *const names[] = {"script.idx", "script.dat", "core.idx", "core.dat"};

        memset(inside + layout.index_offset[i], true, m.part[i].index_size);
        memset(inside + layout.data_offset[i], true, m.part[i].data_size);
        /* Who makes packages is no witness of that. */
        assert_string_equal(sample.data + layout.index_offset[i] - UP_TAR_BLOCK, names[2 * m.part[i].kind]);
        assert_string_equal(sample.data + layout.data_offset[i] - UP_TAR_BLOCK,
                            names[2 * m.part[i].kind + 1]);
    }
    for (size_t len = 1; len <= 2048; len = len * 3 + 1)
        for (size_t at = 0; at < sample.size; at += len) {
            size_t n = sample.size - at < len ? sample.size - at : len;

            up_package_layout_fill(&layout, &m, at, frame, n);
            for (size_t i = 0; i < n; i++)
                if (!inside[at + i] && frame[i] != (uint8_t)sample.data[at + i])
                    fail_msg("byte %zu", at + i);
        }
    free(frame);
    free(inside);
    drop_sample(&sample);
}

/* Offsets and sizes beyond 32 bits, in a file that is mostly a hole. */
static void test_large(void **state)
{
    struct scratch *s = *state;
    enum { BLOCKS = 7 * 1024 };
    struct up_index_head head = {
        .block_count = BLOCKS, .block_size = UP_BLOCK_MAX, .content_size = (uint64_t)BLOCKS * UP_BLOCK_MAX};
    struct up_block block = {.encoding = UP_RAW, .stored = UP_BLOCK_MAX};
    uint64_t index_size = UP_INDEX_HEAD + (uint64_t)BLOCKS * UP_INDEX_ENTRY;
    uint8_t *raw = malloc(index_size), small[112];
    const uint8_t *const index[] = {raw};
    struct up_manifest m, got;
    struct up_package_layout layout;
    struct up_source *source;
    struct up_package *p;
    struct up_error err;
    struct sample sample;
    struct made made;
    char path[512], *text;
    size_t len;
    int fd;

    make_sample(&sample, s, &both);
    describe(&m, small, &(struct up_block){.encoding = UP_ZEROS});
    up_index_put_head(raw, &head);
    for (int i = 0; i < BLOCKS; i++)
        up_index_put_block(raw + UP_INDEX_HEAD + (size_t)i * UP_INDEX_ENTRY, &block);
    m.part[0] = (struct up_part){.kind = UP_CORE,
                                 .size = head.content_size,
                                 .block_size = UP_BLOCK_MAX,
                                 .index_size = index_size,
                                 .data_size = head.content_size};
    up_sha256(raw, index_size, m.part[0].index_digest);
    must(up_manifest_format(&m, &text, &len, &err), &err);
    made = make_head(s, &m, text, "moult manifest sequence 9", index);
    scratch_write(s, "large.upd", made.data, made.size);
    up_package_layout_of(&layout, &m, len, 288);
    assert_true(layout.size > (uint64_t)7 << 30);
    fd = open(scratch_path(s, "large.upd", path), O_WRONLY);
    assert_int_equal(ftruncate(fd, (off_t)(made.size + 512 + head.content_size + UP_TAR_END)), 0);
    close(fd);
    must(up_source_file(&source, s->storage, path, &err), &err);
    must(up_package_open(&p, source, s->storage, sample.ring, NULL, &err), &err);
    must(up_package_step(p, &err), &err);
    got = *up_package_manifest(p);
    layout = *up_package_layout(p);
    assert_int_equal(got.part[0].data_size, head.content_size);
    assert_true(layout.size == source->size);
    assert_true(layout.data_offset[0] + head.content_size + UP_TAR_END == layout.size);
    up_package_layout_fill(&layout, &got, layout.size - UP_TAR_END, raw, UP_TAR_END);
    assert_int_equal(source->ops->read(source, layout.size - 1, raw, 2, &err), 1);
    assert_int_equal(source->ops->read(source, layout.size, raw, 1, &err), 0);
    up_package_free(p);
    source->ops->close(source);
    free(made.data);
    free(text);
    free(raw);
    drop_sample(&sample);
}

/* What lies in it would have other names. */
static void test_long_spool(void **state)
{
    struct scratch *s = *state;
    struct memory source;
    struct up_package *p = NULL;
    struct up_error err;
    char spool[UP_PATH_SIZE];

    memory_init(&source, "", 0);
    memset(spool, 'x', sizeof spool);
    spool[0] = '/';
    spool[sizeof spool - 63] = '\0';
    assert_int_equal(up_package_open(&p, &source.base, s->storage, NULL, spool, &err), UP_USAGE);
    assert_true(strstr(err.message, "spool is too long") && !p);
    spool[sizeof spool - 64] = '\0';
    must(up_package_open(&p, &source.base, s->storage, NULL, spool, &err), &err);
    up_package_free(p);
}

static void test_spool(void **state)
{
    struct scratch *s = *state;
    struct up_fixture other = {.script = true, .sequence = 8};
    struct sample sample, second;
    struct memory source;
    struct up_manifest m, loaded;
    struct up_package_layout layout, again;
    struct up_error err;
    char spool[512], path[512], *kept;
    uint64_t whole;
    size_t len;

    make_sample(&sample, s, &both);
    scratch_path(s, "tx", spool);
    must(up_storage_make_dir(s->storage, spool, 0755, &err), &err);
    must_fail(up_package_load(&loaded, &again, s->storage, sample.ring, spool, &err), UP_MISSING,
              "manifest.json", &err);
    memory_init(&source, sample.data, sample.size);
    must(read_head(&sample, s->storage, &source, spool, &m, &layout, &err), &err);
    whole = source.base.received;
    must(up_package_load(&loaded, &again, s->storage, sample.ring, spool, &err), &err);
    assert_memory_equal(m.digest, loaded.digest, sizeof m.digest);
    assert_int_equal(loaded.part_count, 2);
    assert_true(layout.size == again.size && layout.head_size == again.head_size);

    /* The same head again: the indexes need not come. */
    memory_init(&source, sample.data, sample.size);
    must(read_head(&sample, s->storage, &source, spool, &m, &layout, &err), &err);
    assert_int_equal(source.base.received, whole - m.part[0].index_size - m.part[1].index_size);

    must(up_package_load_part(&loaded, s->storage, sample.ring, spool, UP_CORE, &err), &err);
    must_fail(up_package_load_part(&loaded, s->storage, sample.ring, spool, UP_FILES, &err), UP_MISSING,
              "has no files", &err);

    /* A spool that was damaged is found out, by load and by step. */
    kept = scratch_read(s, "tx/core.idx", &len);
    kept[len - 1] ^= 1;
    scratch_write(s, "tx/core.idx", kept, len);
    must_fail(up_package_load(&loaded, &again, s->storage, sample.ring, spool, &err), UP_UNTRUSTED,
              "core.idx", &err);
    must_fail(up_package_load_part(&loaded, s->storage, sample.ring, spool, UP_CORE, &err), UP_UNTRUSTED,
              "core.idx", &err);
    memory_init(&source, sample.data, sample.size);
    must(read_head(&sample, s->storage, &source, spool, &m, &layout, &err), &err);
    assert_int_equal(source.base.received, whole - m.part[0].index_size);
    must(up_package_load(&loaded, &again, s->storage, sample.ring, spool, &err), &err);
    free(kept);

    /* Another manifest takes the place, and what it lacks goes. */
    make_sample(&second, s, &other);
    memory_init(&source, second.data, second.size);
    must(read_head(&second, s->storage, &source, spool, &m, &layout, &err), &err);
    must(up_package_load(&loaded, &again, s->storage, sample.ring, spool, &err), &err);
    assert_int_equal(loaded.sequence, 8);
    assert_int_equal(access(scratch_path(s, "tx/core.idx", path), F_OK), -1);
    drop_sample(&second);
    drop_sample(&sample);
}

/* What a package has closed is another's by then. */
static void test_closed_once(void **state)
{
    struct scratch *s = *state;
    struct sample sample;
    struct memory source;
    struct up_package *p;
    struct up_error err;
    char spool[512];
    int others[8], rc;

    make_sample(&sample, s, &both);
    must(up_storage_make_dir(s->storage, scratch_path(s, "tx", spool), 0755, &err), &err);
    memory_init(&source, sample.data, sample.size);
    must(up_package_open(&p, &source.base, s->storage, sample.ring, spool, &err), &err);
    do
        rc = up_package_step(p, &err);
    while (rc == UP_AGAIN);
    must(rc, &err);
    for (int i = 0; i < 8; i++)
        others[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
    up_package_free(p);
    for (int i = 0; i < 8; i++)
        assert_int_equal(close(others[i]), 0);
    drop_sample(&sample);
}

/* Wherever the power goes while a head is spooled, the next try ends well, and
 * what load() accepts is one of the two heads, whole. */
static void test_spool_power_cuts(void **state)
{
    struct scratch *s = *state;
    struct up_fixture other = {.script = true, .core = true, .sequence = 8, .core_blocks = 9};
    struct sample sample, second;
    struct memory source;
    struct up_manifest m;
    struct up_package_layout layout;
    struct up_error err;
    struct sim *start = sim_new();
    unsigned states = 0;
    bool finished = false;

    make_sample(&sample, s, &both);
    make_sample(&second, s, &other);
    sim_put_dir(start, "/tx", 0755);
    memory_init(&source, sample.data, sample.size);
    must(read_head(&sample, sim_storage(start), &source, "/tx", &m, &layout, &err), &err);
    sim_settle(start);
    for (unsigned k = 1; !finished; k++) {
        struct sim *cut = sim_clone(start);

        sim_cut_at(cut, k);
        memory_init(&source, second.data, second.size);
        read_head(&second, sim_storage(cut), &source, "/tx", &m, &layout, &err);
        finished = !sim_is_cut(cut);
        for (unsigned i = 0; i < sim_choices(cut); i++) {
            struct sim_choice choice = sim_choice(cut, i);
            struct sim *after = sim_reboot(cut, &choice);
            int rc = up_package_load(&m, &layout, sim_storage(after), sample.ring, "/tx", &err);

            if (rc == 0)
                assert_true(m.sequence == 7 || m.sequence == 8);
            if (finished) { /* step() said that it is durable */
                must(rc, &err);
                assert_int_equal(m.sequence, 8);
            }
            memory_init(&source, second.data, second.size);
            must(read_head(&second, sim_storage(after), &source, "/tx", &m, &layout, &err), &err);
            must(up_package_load(&m, &layout, sim_storage(after), sample.ring, "/tx", &err), &err);
            assert_int_equal(m.sequence, 8);
            assert_int_equal(sim_open_files(after), 0);
            sim_free(after);
            states++;
        }
        sim_free(cut);
    }
    assert_true(states > 100);
    sim_free(start);
    drop_sample(&second);
    drop_sample(&sample);
}

/* One call fails while a head takes the place of another one. Whether there was one. */
static bool spools_in_the_end(const struct sim *from, const struct sample *sample, enum sim_op op, unsigned n,
                              bool late)
{
    struct sim *sim = sim_clone(from), *then;
    struct up_package_layout layout;
    struct memory source;
    struct up_manifest m;
    struct up_error err;
    bool met;
    int rc;

    sim_reset_counters(sim);
    (late ? sim_fail_late : sim_fail)(sim, op, n, EIO, false);
    memory_init(&source, sample->data, sample->size);
    rc = read_head(sample, sim_storage(sim), &source, "/tx", &m, &layout, &err);
    met = sim_fault_hits(sim) > 0;
    if (rc < 0)
        must_fail(rc, UP_WRITE, strerror(EIO), &err);
    sim_fail(sim, SIM_OPS, 0, 0, false);
    if (rc == 0) { /* for good, and nothing else is there */
        then = sim_reboot(sim, &(struct sim_choice){SIM_INDEPENDENT, SIM_NONE, 0, SIM_HARMLESS});
        must(up_package_load(&m, &layout, sim_storage(then), sample->ring, "/tx", &err), &err);
        assert_int_equal(m.sequence, 8);
        assert_false(sim_exists(then, "/tx/core.idx"));
        sim_free(then);
    }
    memory_init(&source, sample->data, sample->size);
    must(read_head(sample, sim_storage(sim), &source, "/tx", &m, &layout, &err), &err);
    must(up_package_load(&m, &layout, sim_storage(sim), sample->ring, "/tx", &err), &err);
    assert_int_equal(m.sequence, 8);
    assert_int_equal(sim_open_files(sim), 0);
    sim_free(sim);
    return met;
}

/* What cannot be read is neither missing nor untrusted. */
static bool loads_or_says(const struct sim *from, const struct sample *sample, enum sim_op op, unsigned n)
{
    struct sim *sim = sim_clone(from);
    struct up_package_layout layout;
    struct up_manifest m;
    struct up_error err;
    bool met;
    int rc;

    sim_reset_counters(sim);
    sim_fail(sim, op, n, EIO, false);
    rc = up_package_load(&m, &layout, sim_storage(sim), sample->ring, "/tx", &err);
    met = sim_fault_hits(sim) > 0;
    if (met)
        must_fail(rc, UP_WRITE, strerror(EIO), &err);
    else
        must(rc, &err);
    assert_int_equal(sim_open_files(sim), 0);
    sim_free(sim);
    return met;
}

static void test_spool_faults(void **state)
{
    struct up_fixture other = {.script = true, .sequence = 8};
    struct scratch *s = *state;
    struct sample sample, second;
    struct sim *start = sim_new();
    struct up_package_layout layout;
    struct memory source;
    struct up_manifest m;
    struct up_error err;
    unsigned failures = 0;

    make_sample(&sample, s, &both);
    make_sample(&second, s, &other);
    sim_put_dir(start, "/tx", 0755);
    memory_init(&source, sample.data, sample.size);
    must(read_head(&sample, sim_storage(start), &source, "/tx", &m, &layout, &err), &err);
    assert_true(sim_exists(start, "/tx/core.idx"));
    sim_settle(start);
    for (int op = SIM_OPEN; op < SIM_OPS; op++) {
        unsigned n;

        for (n = 1; spools_in_the_end(start, &second, (enum sim_op)op, n, false); n++)
            failures++;
        for (n = 1; spools_in_the_end(start, &second, (enum sim_op)op, n, true); n++)
            failures++;
        for (n = 1; loads_or_says(start, &sample, (enum sim_op)op, n); n++)
            failures++;
    }
    assert_true(failures > 40);
    sim_free(start);
    drop_sample(&second);
    drop_sample(&sample);
}

#define CHECK(name) cmocka_unit_test_setup_teardown(name, scratch_set_up, scratch_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CHECK(test_head),         CHECK(test_cut_head),
        CHECK(test_signed_heads), CHECK(test_untrusted),
        CHECK(test_layout),       CHECK(test_large),
        CHECK(test_long_spool),   CHECK(test_spool),
        CHECK(test_closed_once),  CHECK(test_spool_power_cuts),
        CHECK(test_spool_faults),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
