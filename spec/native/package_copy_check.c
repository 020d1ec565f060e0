/* A package that is copied while it is installed: in order, verified, at the pace of who takes it. */
#include "sample.h"

#include <unistd.h>

#include "package_copy.h"

struct bench {
    struct scratch *scratch;
    struct sample sample;
    struct memory memory;
    struct up_package *package;
    struct up_copy *copy;
    struct up_source *source; /* what the transfer reads */
    char spool[512];
    uint8_t *got; /* what the program has */
    size_t have;
};

static void closes(struct up_source *s)
{
    (void)s; /* lies in the bench */
}

/* Nobody asks for nothing: over a network that would be a request. */
static long asked_read(struct up_source *s, uint64_t offset, void *buf, size_t len, struct up_error *err)
{
    assert_true(len > 0);
    return memory_read(s, offset, buf, len, err);
}

static const struct up_source_ops closing_ops = {asked_read, NULL, closes};

/* One whose link dies after 1500 bytes. */
static long dying_read(struct up_source *s, uint64_t offset, void *buf, size_t len, struct up_error *err)
{
    if (s->received >= 1500)
        return up_fail(err, UP_NETWORK, "the link died");
    return memory_read(s, offset, buf, len < 500 ? len : 500, err);
}

static const struct up_source_ops dying_ops = {dying_read, NULL, closes};

static void open_copy(struct bench *b, uint64_t from)
{
    struct up_error err;

    must(up_package_copy_open(&b->copy, &b->memory.base, b->package, b->scratch->storage, b->spool, from,
                              &err),
         &err);
    b->source = up_package_copy_source(b->copy);
    assert_ptr_equal(up_package_copy_below(b->copy), &b->memory.base);
    b->have = (size_t)from;
}

static void set_up(struct bench *b, struct scratch *s, uint64_t from)
{
    const struct up_fixture f = {.script = true, .core = true, .core_blocks = 9, .encoding = UP_ZSTD};
    struct up_error err;
    int rc;

    *b = (struct bench){.scratch = s};
    make_sample(&b->sample, s, &f);
    memory_init(&b->memory, b->sample.data, b->sample.size);
    b->memory.base.ops = &closing_ops;
    scratch_path(s, "tx", b->spool);
    must(s->storage->ops->mkdir(s->storage, b->spool, 0700), &err);
    must(up_package_open(&b->package, &b->memory.base, s->storage, b->sample.ring, b->spool, &err), &err);
    do {
        rc = up_package_step(b->package, &err);
    } while (rc == UP_AGAIN);
    must(rc, &err);
    b->got = malloc(b->sample.size);
    open_copy(b, from);
}

static void tear_down(struct bench *b)
{
    b->source->ops->close(b->source);
    up_package_free(b->package);
    drop_sample(&b->sample);
    free(b->got);
    (void)!up_storage_remove_tree(b->scratch->storage, b->spool, NULL);
}

/* The program takes at most `most` bytes. */
static size_t take(struct bench *b, size_t most)
{
    const uint8_t *data;
    struct up_error err;
    long n = up_package_copy_take(b->copy, b->have, &data, &err);

    if (n < 0)
        fail_msg("%s", err.message);
    if ((size_t)n < most)
        most = (size_t)n;
    if (most > 0)
        memcpy(b->got + b->have, data, most);
    b->have += most;
    return most;
}

/* The transfer reads [from, to), while the program takes what there is. */
static void read_through(struct bench *b, uint64_t from, uint64_t to)
{
    uint8_t buf[777];
    struct up_error err = {0};
    unsigned rounds = 0;

    while (from < to) {
        size_t len = to - from < sizeof buf ? (size_t)(to - from) : sizeof buf;
        long n = b->source->ops->read(b->source, from, buf, len, &err);

        assert_true(rounds++ < 100000);
        if (n == UP_AGAIN) {
            take(b, 1000);
            continue;
        }
        assert_true(n > 0);
        assert_memory_equal(buf, b->sample.data + from, (size_t)n);
        from += (uint64_t)n;
    }
}

static void take_rest(struct bench *b)
{
    while (take(b, 1000) > 0)
        ;
    assert_false(up_package_copy_waits(b->copy));
}

static void has_all(const struct bench *b)
{
    assert_int_equal(b->have, b->sample.size);
    assert_memory_equal(b->got, b->sample.data, b->sample.size);
}

static void test_whole(void **state)
{
    uint64_t from[] = {0, 1, 511, 513, 1500, 4000, 9000, 20000}, at, head;
    struct bench b;

    for (unsigned i = 0; i < sizeof from / sizeof *from; i++) {
        for (int hesitant = 0; hesitant < 2; hesitant++) {
            set_up(&b, *state, from[i]);
            b.memory.hesitant = hesitant;
            at = up_package_layout(b.package)->data_offset[0];
            head = b.memory.base.received;
            memcpy(b.got, b.sample.data, (size_t)from[i]);
            read_through(&b, at, b.sample.size);
            take_rest(&b);
            has_all(&b);
            assert_int_equal(b.source->size, b.sample.size);
            assert_int_equal(b.source->received, b.memory.base.received);
            assert_int_equal(b.source->received - head, b.sample.size - at); /* each byte once */
            tear_down(&b);
        }
    }
}

/* A link that never carries a whole block. */
static void test_links_die(void **state)
{
    struct bench b;
    uint8_t buf[64];
    struct up_error err;
    uint64_t at, lives = 0;

    set_up(&b, *state, 0);
    at = up_package_layout(b.package)->data_offset[0];
    while (at < b.sample.size) {
        long n = b.source->ops->read(b.source, at, buf, sizeof buf, &err);

        if (n == UP_AGAIN) {
            take(&b, 1000);
        } else if (n > 0) {
            assert_memory_equal(buf, b.sample.data + at, (size_t)n);
            at += (uint64_t)n;
        } else {
            assert_int_equal(n, UP_NETWORK);
            up_package_copy_leave(b.copy);
            assert_null(up_package_copy_below(b.copy));
            take(&b, 10);
            memory_init(&b.memory, b.sample.data, b.sample.size);
            b.memory.base.ops = &dying_ops;
            up_package_copy_join(b.copy, &b.memory.base);
            assert_int_equal(b.source->received, 0); /* it counts its own */
            lives++;
        }
        if (lives == 0)
            b.memory.base.ops = &dying_ops;
    }
    assert_true(lives > 5);
    take_rest(&b);
    has_all(&b);
    up_package_copy_leave(b.copy);
    assert_int_equal(b.source->ops->read(b.source, 0, buf, 1, &err), UP_INTERNAL);
    tear_down(&b);
}

/* What the device has is not read by the transfer, but copied. */
static void test_jumps(void **state)
{
    struct bench b;

    set_up(&b, *state, 0);
    read_through(&b, b.sample.size - 700, b.sample.size);
    take_rest(&b);
    has_all(&b);
    read_through(&b, up_package_layout(b.package)->data_offset[0],
                 b.sample.size); /* again, without the program */
    assert_int_equal(b.source->ops->read(b.source, b.sample.size, b.got, 1, NULL), 0);
    tear_down(&b);
}

static void test_pace(void **state)
{
    struct bench b;
    struct up_error err;
    const uint8_t *data;
    uint8_t byte;
    uint64_t at;

    set_up(&b, *state, 0);
    at = up_package_layout(b.package)->data_offset[0];
    assert_false(up_package_copy_waits(b.copy));
    assert_int_equal(take(&b, 10), 0); /* nobody has read yet */
    for (int i = 0; i < 3; i++)
        assert_int_equal(b.source->ops->read(b.source, at, &byte, 1, &err), UP_AGAIN);
    assert_true(up_package_copy_waits(b.copy));
    take(&b, 100);
    assert_int_equal(b.source->ops->read(b.source, at, &byte, 1, &err), UP_AGAIN);

    /* An answer that is lost is asked for again; what it has, it cannot. */
    b.have -= 100;
    take(&b, 60);
    assert_true(up_package_copy_take(b.copy, 60, &data, &err) > 0);
    assert_int_equal(up_package_copy_take(b.copy, 59, &data, &err), UP_USAGE);
    assert_non_null(strstr(err.message, "byte 59 is not where it stopped, at byte 60"));
    assert_int_equal(up_package_copy_take(b.copy, b.sample.size, &data, &err), UP_USAGE);

    read_through(&b, at, b.sample.size);
    take_rest(&b);
    has_all(&b);
    tear_down(&b);
}

static void has_ended(struct bench *b)
{
    const uint8_t *data;
    struct up_error err;

    assert_int_equal(up_package_copy_take(b->copy, b->have, &data, &err), UP_NOTHING);
    assert_false(up_package_copy_waits(b->copy));
}

static void test_release(void **state)
{
    struct bench b;

    set_up(&b, *state, 0);
    read_through(&b, up_package_layout(b.package)->data_offset[0],
                 up_package_layout(b.package)->data_offset[1]);
    up_package_copy_release(b.copy);
    has_ended(&b);
    read_through(&b, up_package_layout(b.package)->data_offset[0], b.sample.size);
    tear_down(&b);
}

/* One that lies on the way to who reads a block for the n-th time. */
static int lies_left;
static uint64_t lie_at;

static long lying_read(struct up_source *s, uint64_t offset, void *buf, size_t len, struct up_error *err)
{
    long n = memory_read(s, offset, buf, len, err);

    if (n > 0 && lies_left > 0 && offset <= lie_at && lie_at < offset + (uint64_t)n) {
        lies_left--;
        ((uint8_t *)buf)[lie_at - offset] ^= 1;
    }
    return n;
}

static const struct up_source_ops lying_ops = {lying_read, NULL, closes};

static void test_wrong_block(void **state)
{
    struct bench b;

    for (int lies = 1; lies <= 2; lies++) {
        set_up(&b, *state, 0);
        b.memory.base.ops = &lying_ops;
        lies_left = lies;
        lie_at = up_package_layout(b.package)->data_offset[1] + 3;
        if (lies == 1) {
            read_through(&b, up_package_layout(b.package)->data_offset[0], b.sample.size);
            take_rest(&b);
            has_all(&b);
        } else { /* the copy alone ends */
            uint8_t byte;
            struct up_error err;
            uint64_t at = up_package_layout(b.package)->data_offset[1];

            read_through(&b, at - 1, at);
            take_rest(&b);
            assert_int_equal(b.source->ops->read(b.source, at, &byte, 1, &err), 1);
            has_ended(&b);
            read_through(&b, at, b.sample.size);
            assert_memory_equal(b.got, b.sample.data, b.have);
        }
        assert_int_equal(lies_left, 0);
        tear_down(&b);
    }
}

/* Bytes outside of blocks: the program has the signed ones, the transfer sees what came. */
static void test_outside(void **state)
{
    struct bench b;
    uint8_t byte;
    struct up_error err;
    uint64_t at;

    set_up(&b, *state, 0);
    b.memory.base.ops = &lying_ops;
    at = lie_at = up_package_layout(b.package)->data_offset[1] - 200;
    read_through(&b, at - 100, at);
    lies_left = 1;
    assert_int_equal(b.source->ops->read(b.source, at, &byte, 1, &err), 1);
    assert_int_equal(byte, (uint8_t)b.sample.data[at] ^ 1);
    take_rest(&b);
    assert_memory_equal(b.got, b.sample.data, b.have);
    assert_true(b.have > at);
    tear_down(&b);
}

static void test_short_source(void **state)
{
    struct bench b;
    uint64_t at;
    uint8_t byte;
    struct up_error err;

    set_up(&b, *state, 0);
    at = up_package_layout(b.package)->data_offset[1];
    read_through(&b, at - 1, at);
    take_rest(&b);
    b.memory.size = (size_t)at + 5;
    assert_int_equal(b.source->ops->read(b.source, at, &byte, 1, &err), 1);
    has_ended(&b);
    tear_down(&b);
}

static void test_spool_is_gone(void **state)
{
    const char *names[] = {"manifest.json", "manifest.minisig", "script.idx", "core.idx"};
    struct bench b;
    char path[600];

    for (unsigned i = 0; i < 4; i++) {
        set_up(&b, *state, 0);
        snprintf(path, sizeof path, "%s/%s", b.spool, names[i]);
        assert_int_equal(unlink(path), 0);
        read_through(&b, up_package_layout(b.package)->data_offset[1], b.sample.size);
        has_ended(&b);
        assert_memory_equal(b.got, b.sample.data, b.have); /* what cannot be read is not made up */
        tear_down(&b);
    }
}

/* When a program goes on behind the head, only what lists the blocks is asked for. */
static void test_index_is_gone(void **state)
{
    struct bench b;
    char path[600];

    set_up(&b, *state, 20000);
    snprintf(path, sizeof path, "%s/core.idx", b.spool);
    assert_int_equal(unlink(path), 0);
    read_through(&b, up_package_layout(b.package)->data_offset[1], b.sample.size);
    has_ended(&b);
    assert_int_equal(b.have, 20000);
    tear_down(&b);
}

static void test_refusals(void **state)
{
    struct bench b;
    char path[UP_PATH_SIZE + 1];
    struct up_copy *copy;
    struct up_error err;

    set_up(&b, *state, 0);
    memset(path, 'x', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    assert_int_equal(
        up_package_copy_open(&copy, &b.memory.base, b.package, b.scratch->storage, path, 0, &err), UP_USAGE);
    tear_down(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_whole, scratch_set_up, scratch_tear_down),
        cmocka_unit_test_setup_teardown(test_links_die, scratch_set_up, scratch_tear_down),
        cmocka_unit_test_setup_teardown(test_jumps, scratch_set_up, scratch_tear_down),
        cmocka_unit_test_setup_teardown(test_pace, scratch_set_up, scratch_tear_down),
        cmocka_unit_test_setup_teardown(test_release, scratch_set_up, scratch_tear_down),
        cmocka_unit_test_setup_teardown(test_wrong_block, scratch_set_up, scratch_tear_down),
        cmocka_unit_test_setup_teardown(test_outside, scratch_set_up, scratch_tear_down),
        cmocka_unit_test_setup_teardown(test_short_source, scratch_set_up, scratch_tear_down),
        cmocka_unit_test_setup_teardown(test_spool_is_gone, scratch_set_up, scratch_tear_down),
        cmocka_unit_test_setup_teardown(test_index_is_gone, scratch_set_up, scratch_tear_down),
        cmocka_unit_test_setup_teardown(test_refusals, scratch_set_up, scratch_tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
