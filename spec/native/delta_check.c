/* Deltas: the coder, addresses, and blocks made from an old image, whatever
 * the images and whatever the bytes say. */
#include "scratch.h"

#include "address_finder.h"
#include "delta.h"
#include "delta_blocks.h"
#include "delta_images.h"
#include "delta_maker.h"
#include "elf.h"
#include "manifest.h"
#include "move_map.h"
#include "range_coder.h"
#include "sim.h"

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

/* ---- the coder ---- */

struct models {
    struct up_bit bit, tree[256];
    struct up_range_number number, with_sign;
};

static const uint32_t numbers[] = {0,   1,     2,          3,          7,          8,
                                   255, 65536, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff};

/* The same calls both ways. */
static void code_all(struct up_range_coder *c, bool encoding)
{
    struct models m;
    uint32_t seed = 1;

    up_range_coder_bits_reset(&m.bit, 1);
    up_range_coder_bits_reset(m.tree, 256);
    up_range_coder_number_reset(&m.number);
    up_range_coder_number_reset(&m.with_sign);
    for (size_t round = 0; round < 300; round++)
        for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
            uint32_t n = numbers[i], noise = next_random(&seed);

            assert_int_equal(up_range_coder_number(c, &m.number, encoding ? n : 0), n);
            assert_int_equal(up_range_coder_signed(c, &m.with_sign, encoding ? (int32_t)n : 0), (int32_t)n);
            assert_int_equal(up_range_coder_bit(c, &m.bit, encoding ? noise & 1 : 0), noise & 1);
            assert_int_equal(up_range_coder_tree(c, m.tree, 8, encoding ? noise & 255 : 0), noise & 255);
            assert_int_equal(up_range_coder_chance(c, 1, encoding ? (int)(noise >> 8 & 1) : 0),
                             noise >> 8 & 1);
            assert_int_equal(up_range_coder_chance(c, 4095, encoding ? (int)(noise >> 9 & 1) : 0),
                             noise >> 9 & 1);
        }
}

static void test_coder(void **state)
{
    static uint8_t out[1 << 18];
    struct up_range_coder c;
    long len;

    (void)state;
    up_range_coder_encode(&c, out, sizeof out);
    code_all(&c, true);
    len = up_range_coder_end(&c);
    assert_true(len > 0);
    up_range_coder_decode(&c, out, (size_t)len);
    code_all(&c, false);
    assert_int_equal(up_range_coder_end(&c), len);
    /* What is left over, or missing, is told. */
    up_range_coder_decode(&c, out, (size_t)len + 1);
    code_all(&c, false);
    assert_int_equal(up_range_coder_end(&c), -1);
    up_range_coder_encode(&c, out, (size_t)len - 1);
    code_all(&c, true);
    assert_int_equal(up_range_coder_end(&c), -1);
}

static void test_coder_is_tight(void **state)
{
    struct up_range_coder c;
    struct up_bit b;
    uint8_t out[100];

    (void)state;
    up_range_coder_bits_reset(&b, 1);
    up_range_coder_encode(&c, out, sizeof out);
    for (int i = 0; i < 10000; i++)
        up_range_coder_bit(&c, &b, 0);
    assert_in_range(up_range_coder_end(&c), 4, 20);
}

/* ---- addresses ---- */

static void test_fields(void **state)
{
    static const struct {
        enum up_content content;
        uint8_t bytes[8];
        size_t len, at;
        uint32_t value, target; /* at 0x1000 of an image of 0x10000 bytes */
    } cases[] = {
        /* call, jmp, jne; mov rax, [rip + 0x10]; movzx eax, byte [rip + 0x20] */
        {UP_X86, {0xe8, 0x10, 0, 0, 0}, 5, 1, 0x10, 0x1015},
        {UP_X86, {0x90, 0xe9, 0xf0, 0xff, 0xff, 0xff}, 6, 2, 0xfffffff0, 0xff6},
        {UP_X86, {0x0f, 0x85, 1, 0, 0, 0}, 6, 2, 1, 0x1007},
        {UP_X86, {0x48, 0x8b, 0x05, 0x10, 0, 0, 0}, 7, 3, 0x10, 0x1017},
        {UP_X86, {0x0f, 0xb6, 0x05, 0x20, 0, 0, 0}, 7, 3, 0x20, 0x1027},
        /* mov rdi, 0xffffffff81234567 */
        {UP_X86, {0x48, 0xc7, 0xc7, 0x67, 0x45, 0x23, 0x81}, 7, 3, 0x81234567, 0x81234567},
        /* bl to itself, in each of Arm's instruction sets; bl to the next; adrp x0, page + 2 */
        {UP_THUMB, {0xff, 0xf7, 0xfe, 0xff}, 4, 0, (uint32_t)-4, 0x1000},
        /* blx from 0x1002 to 0x1004, and what only looks like one: A32 code is aligned */
        {UP_THUMB, {0, 0, 0x00, 0xf0, 0x00, 0xe8}, 6, 2, 0, 0x1004},
        {UP_THUMB, {0x00, 0xf0, 0x01, 0xe8, 0x00, 0xf0, 0x00, 0xe8}, 8, 4, 0, 0x1008},
        {UP_ARM, {0xfe, 0xff, 0xff, 0xeb}, 4, 0, (uint32_t)-8, 0x1000},
        {UP_ARM64, {0x01, 0x00, 0x00, 0x94}, 4, 0, 4, 0x1004},
        {UP_ARM64, {0x00, 0x00, 0x00, 0xd0}, 4, 0, 0x2000, 0x3000},
        {UP_OFFSETS, {0x04, 0, 0, 0, 1, 2, 3, 4}, 8, 0, 4, 0x1004},
        {UP_POINTERS, {0x04, 0, 0, 0}, 4, 0, 4, 4},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct up_address_field f;

        assert_true(
            up_address_finder_next(&f, cases[i].content, cases[i].bytes, cases[i].len, 0, 0x1000, 0x10000));
        assert_int_equal(f.at, cases[i].at);
        assert_int_equal(f.value, cases[i].value);
        assert_int_equal(f.target, cases[i].target);
        /* Cut short, there is no field. */
        assert_false(up_address_finder_next(&f, cases[i].content, cases[i].bytes, cases[i].at + 3, 0, 0x1000,
                                            0x10000));
    }
}

static void test_field_numbers(void **state)
{
    static const struct {
        enum up_shape shape;
        uint8_t bytes[4];
        uint32_t step;
        unsigned bits;
    } shapes[] = {
        {UP_WORD, {0}, 1, 32},
        {UP_THUMB_BRANCH, {0x00, 0xf0, 0x00, 0xf8}, 2, 25},
        {UP_THUMB_BRANCH, {0x00, 0xf0, 0x00, 0xb8}, 2, 25},
        {UP_THUMB_EXCHANGE, {0x00, 0xf0, 0x00, 0xe8}, 4, 25},
        {UP_ARM_BRANCH, {0, 0, 0, 0xea}, 4, 26},
        {UP_ARM64_BRANCH, {0, 0, 0, 0x14}, 4, 28},
        {UP_ARM64_PAGE, {0x1f, 0, 0, 0x90}, 4096, 32},
    };
    uint32_t seed = 7;

    (void)state;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (int round = 0; round < 2000; round++) {
            uint32_t value =
                         (next_random(&seed) << 16 ^ next_random(&seed)) / shapes[i].step * shapes[i].step,
                     got;
            int spare = 32 - (int)shapes[i].bits;
            uint8_t bytes[4], other[4];

            if (shapes[i].shape == UP_ARM64_PAGE) /* 21 bits of pages: of 33 bits, all that fits */
                value &= ~4095u;
            value = (uint32_t)((int32_t)(value << spare) >> spare);
            memcpy(bytes, shapes[i].bytes, 4);
            up_address_finder_put(shapes[i].shape, bytes, value);
            assert_true(up_address_finder_get(shapes[i].shape, bytes, &got));
            assert_int_equal(got, value);
            assert_true(up_address_finder_fits(shapes[i].shape, shapes[i].bytes, bytes, &got));
            /* Another instruction is no other number. */
            memset(other, 0, 4);
            assert_true(shapes[i].shape == UP_WORD ||
                        !up_address_finder_fits(shapes[i].shape, bytes, other, &got));
        }
}

static void test_moves(void **state)
{
    struct up_move_map m = {0};

    (void)state;
    assert_int_equal(up_move_map_find(&m, 5), -1);
    assert_int_equal(up_move_map_note(&m, -1, 100, 1), 0);
    assert_int_equal(up_move_map_note(&m, up_move_map_find(&m, 50), 50, 2), 0);
    assert_int_equal(up_move_map_note(&m, up_move_map_find(&m, 200), 200, 3), 0);
    assert_int_equal(up_move_map_note(&m, up_move_map_find(&m, 100), 100, 4), 0);
    assert_int_equal(m.count, 3);
    assert_int_equal(up_move_map_find(&m, 49), -1);
    assert_int_equal(m.list[up_move_map_find(&m, 50)].by, 2);
    assert_int_equal(m.list[up_move_map_find(&m, 199)].by, 4);
    assert_int_equal(m.list[up_move_map_find(&m, UINT32_MAX)].by, 3);
    for (uint32_t i = 0; i < 2 * UP_MOVES_MAX; i++)
        assert_int_equal(up_move_map_note(&m, up_move_map_find(&m, 3 * i), 3 * i, i), 0);
    assert_int_equal(m.count, UP_MOVES_MAX);
    up_move_map_free(&m);
}

static void put64(uint8_t *p, uint64_t v)
{
    for (int i = 0; i < 8; i++)
        p[i] = (uint8_t)(v >> (8 * i));
}

static void test_elf(void **state)
{
    static uint8_t image[0x400];
    struct up_elf elf;
    uint32_t offset;

    (void)state;
    memcpy(image, "\177ELF\2\1", 6);
    put64(image + 32, 64);
    image[54] = 56;
    image[56] = 2;
    image[64] = 1; /* to be loaded; the other is not */
    put64(image + 64 + 8, 0x100);
    put64(image + 64 + 16, 0xffffffff81000000u);
    put64(image + 64 + 32, 0x200);
    up_elf_read(&elf, image, sizeof image);
    assert_int_equal(elf.count, 1);
    assert_int_equal(up_elf_address(&elf, 0x180), 0x81000080);
    assert_int_equal(up_elf_address(&elf, 0x300), 0x300);
    assert_true(up_elf_offset(&elf, 0x810001ff, &offset));
    assert_int_equal(offset, 0x2ff);
    assert_false(up_elf_offset(&elf, 0x81000200, &offset));
    /* Tables that lie outside, entries that are too small, and files cut off. */
    put64(image + 32, sizeof image - 55);
    up_elf_read(&elf, image, sizeof image);
    assert_int_equal(elf.count, 0);
    put64(image + 32, 64);
    image[54] = 16;
    up_elf_read(&elf, image, sizeof image);
    assert_int_equal(elf.count, 0);
    up_elf_read(&elf, image, 63);
    assert_int_equal(elf.count, 0);
    image[54] = 56;
    for (int i = 0; i < 4; i++) { /* the other byte order, and classes that are none */
        static const uint8_t bytes[4][2] = {{2, 2}, {2, 0}, {0, 1}, {3, 1}};

        memcpy(image + 4, bytes[i], 2);
        up_elf_read(&elf, image, sizeof image);
        assert_int_equal(elf.count, 0);
    }
    memcpy(image, "\177ELG\2\1", 6);
    up_elf_read(&elf, image, sizeof image);
    assert_int_equal(elf.count, 0);
}

static void put32(uint8_t *p, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> (8 * i));
}

/* The elder form; more segments than are looked at, and a table that the end of
 * the file cuts. */
static void test_elf32(void **state)
{
    static uint8_t image[0x4000];
    struct up_elf elf;
    uint32_t offset;

    (void)state;
    memcpy(image, "\177ELF\1\1", 6);
    put32(image + 28, 64);
    image[42] = 32;
    image[44] = 3;
    for (unsigned i = 0; i < 200; i++) {
        uint8_t *p = image + 64 + 32 * i;

        put32(p, 1);
        put32(p + 4, 0x100 * i);
        put32(p + 8, 0xc0000000 + 0x1000 * i);
        put32(p + 16, 0x80);
    }
    up_elf_read(&elf, image, sizeof image);
    assert_int_equal(elf.count, 3);
    assert_int_equal(up_elf_address(&elf, 0x210), 0xc0002010);
    assert_true(up_elf_offset(&elf, 0xc000107f, &offset));
    assert_int_equal(offset, 0x17f);
    assert_false(up_elf_offset(&elf, 0xc0001080, &offset));
    up_elf_read(&elf, image, 64 + 2 * 32 + 31);
    assert_int_equal(elf.count, 2);
    up_elf_read(&elf, image, 64 + 2 * 32);
    assert_int_equal(elf.count, 2);
    image[44] = 200;
    up_elf_read(&elf, image, sizeof image);
    assert_int_equal(elf.count, UP_ELF_SEGMENTS);
}

/* Sizes of blocks that no index could say. */
static void test_block_sizes(void **state)
{
    static const uint32_t sizes[] = {
        0, 2048, UP_BLOCK_MIN - 1, UP_BLOCK_MIN + 1, 3 * UP_BLOCK_MIN, 2 * UP_BLOCK_MAX};
    struct sim *sim = sim_new();
    struct up_delta_blocks *b = NULL;
    struct up_error err;

    (void)state;
    sim_put_text(sim, "/old", "old");
    sim_put_text(sim, "/new", "new");
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        assert_int_equal(up_delta_blocks_open(&b, sim_storage(sim), "/old", "/new", UP_RAW, sizes[i], &err),
                         UP_USAGE);
        assert_non_null(strstr(err.message, "a power of two from 4096 to 1048576"));
    }
    for (uint32_t size = UP_BLOCK_MIN; size <= UP_BLOCK_MAX; size *= 2) {
        assert_int_equal(up_delta_blocks_open(&b, sim_storage(sim), "/old", "/new", UP_RAW, size, &err), 0);
        up_delta_blocks_close(b);
    }
    assert_int_equal(sim_open_files(sim), 0);
    sim_free(sim);
}

/* An image that another process cuts short while it is read; and reading on
 * after all is read. */
static void test_images_that_change(void **state)
{
    struct sim *sim = sim_new();
    struct up_storage *s = sim_storage(sim);
    struct up_delta_blocks *b = NULL;
    struct up_error err;
    char *bytes = calloc(1, 9 << 20);
    int rc, file;

    (void)state;
    sim_put(sim, "/old", bytes, 9 << 20, 0644);
    sim_put_text(sim, "/new", "new");
    for (int cut = 0; cut < 2; cut++) {
        assert_int_equal(up_delta_blocks_open(&b, s, "/old", "/new", UP_RAW, UP_BLOCK_MIN, &err), 0);
        assert_int_equal(up_delta_blocks_step(b, &err), UP_AGAIN);
        if (cut) {
            file = s->ops->open(s, "/old", UP_UPDATE, 0);
            assert_int_equal(s->ops->truncate(s, file, 5 << 20), 0);
            s->ops->close(s, file);
        }
        do
            rc = up_delta_blocks_step(b, &err);
        while (rc == UP_AGAIN);
        assert_int_equal(rc, cut ? UP_USAGE : 0);
        if (cut)
            assert_non_null(strstr(err.message, "became shorter"));
        else
            assert_int_equal(up_delta_blocks_step(b, &err), 0);
        up_delta_blocks_close(b);
    }
    assert_int_equal(sim_open_files(sim), 0);
    free(bytes);
    sim_free(sim);
}

/* ---- blocks ---- */

#define BLOCK 4096u

struct old_bytes {
    const uint8_t *bytes;
    size_t size;
    int fails_after; /* reads; -1 never */
};

static int read_old(void *context, void *buf, size_t len, uint64_t offset, struct up_error *err)
{
    struct old_bytes *o = context;

    assert_true(offset <= o->size && len <= o->size - offset);
    if (o->fails_after == 0)
        return up_fail(err, UP_WRITE, "slot: cannot be read");
    o->fails_after -= o->fails_after > 0;
    memcpy(buf, o->bytes + offset, len);
    return 0;
}

struct block {
    enum up_encoding encoding;
    uint64_t source;
    uint8_t *stored;
    size_t stored_len, len;
};

struct made {
    struct block block[64];
    uint32_t count;
    size_t bytes; /* stored; whole blocks where there is no delta */
};

static void make(struct made *out, const uint8_t *old, size_t old_size, const uint8_t *fresh,
                 size_t fresh_size, uint32_t block_size)
{
    struct up_delta_maker *m;
    struct up_error err;
    uint64_t done = 0, total;
    int rc;

    memset(out, 0, sizeof *out);
    must(up_delta_maker_new(&m, old, old_size, fresh, fresh_size, block_size, &err), &err);
    for (rc = up_delta_maker_step(m, &done, &total, &err); rc == UP_AGAIN;
         rc = up_delta_maker_step(m, &done, &total, &err))
        assert_true(done <= total);
    must(rc, &err);
    out->count = (uint32_t)((fresh_size + block_size - 1) / block_size);
    assert_true(out->count <= 64);
    for (uint32_t i = 0; i < out->count; i++) {
        struct block *b = &out->block[i];

        b->len = i + 1 < out->count ? block_size : fresh_size - (size_t)i * block_size;
        b->stored = malloc(block_size);
        must(up_delta_maker_block(m, i, &b->encoding, &b->source, b->stored, &b->stored_len, &err), &err);
        out->bytes += b->encoding == UP_RAW ? b->len : b->stored_len;
        assert_true(b->encoding != UP_DELTA || b->stored_len < b->len);
    }
    up_delta_maker_free(m);
}

static void free_made(struct made *m)
{
    for (uint32_t i = 0; i < m->count; i++)
        free(m->block[i].stored);
}

/* Every block comes out as it went in. */
static void check_blocks(const struct made *m, const uint8_t *old, size_t old_size, const uint8_t *fresh,
                         uint32_t block_size)
{
    struct old_bytes bytes = {old, old_size, -1};
    struct up_old source = {read_old, &bytes, old_size};
    uint8_t *out = malloc(block_size);
    struct up_delta *d;
    struct up_error err;

    must(up_delta_new(&d, &err), &err);
    for (uint32_t i = 0; i < m->count; i++) {
        const struct block *b = &m->block[i];
        uint64_t at = (uint64_t)i * block_size;

        if (b->encoding == UP_DELTA) {
            must(up_delta_decode(d, &source, b->source, at, b->stored, b->stored_len, out, b->len, &err),
                 &err);
            assert_memory_equal(out, fresh + at, b->len);
        } else if (b->encoding == UP_COPY) {
            assert_true(b->source + b->len <= old_size);
            assert_memory_equal(old + b->source, fresh + at, b->len);
        } else {
            assert_true(b->encoding == UP_ZEROS || b->encoding == UP_RAW);
        }
    }
    up_delta_free(d);
    free(out);
}

static void test_images(void **state)
{
    (void)state;
    for (enum delta_case c = 0; c < DELTA_CASES; c++) {
        struct delta_images p;
        struct made m, again;

        delta_images_make(&p, c);
        make(&m, p.old, p.old_size, p.fresh, p.fresh_size, BLOCK);
        make(&again, p.old, p.old_size, p.fresh, p.fresh_size, BLOCK);
        if (m.bytes > p.most)
            fail_msg("%s: %zu bytes", p.name, m.bytes);
        check_blocks(&m, p.old, p.old_size, p.fresh, BLOCK);
        for (uint32_t i = 0; i < m.count; i++) {
            assert_int_equal(m.block[i].stored_len, again.block[i].stored_len);
            assert_memory_equal(m.block[i].stored, again.block[i].stored, m.block[i].stored_len);
        }
        free_made(&m);
        free_made(&again);
        delta_images_free(&p);
    }
}

/* Images that differ in every way: pieces moved, words changed, noise. */
static void test_any_images(void **state)
{
    uint32_t seed = 99;

    (void)state;
    for (int round = 0; round < 60; round++) {
        size_t old_size = next_random(&seed) % 30000 + 1, size = next_random(&seed) % 30000 + 1, at = 0;
        uint8_t *old = malloc(old_size), *fresh = malloc(size);
        struct made m;

        delta_image_fill(old, old_size, seed);
        while (at < size) {
            size_t len = next_random(&seed) % 900 + 1, from = next_random(&seed) % old_size;

            len = len < size - at ? len : size - at;
            len = len < old_size - from ? len : old_size - from;
            memcpy(fresh + at, old + from, len);
            for (size_t i = 0; i < len; i += next_random(&seed) % 200 + 1)
                fresh[at + i] = (uint8_t)next_random(&seed);
            at += len;
        }
        make(&m, old, old_size, fresh, size, round % 2 ? BLOCK : 4 * BLOCK);
        check_blocks(&m, old, old_size, fresh, round % 2 ? BLOCK : 4 * BLOCK);
        free_made(&m);
        free(old);
        free(fresh);
    }
}

/* Code whose functions call one another at random; `gap` bytes are inserted
 * in the middle, and everything still calls what it called. */
#define CODE 65536u
#define FUNCTION 256u

static uint32_t placed(uint32_t target, uint32_t gap)
{
    return target + (target >= CODE / 2 ? gap : 0);
}

static void put_word(uint8_t *p, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> (8 * i));
}

static void write_code(uint8_t *image, enum up_content content, uint32_t gap)
{
    uint32_t seed = 5;

    delta_image_fill(image + CODE / 2, gap, 77);
    for (uint32_t i = 0; i < CODE; i += 16) {
        uint8_t *p = image + placed(i, gap);
        uint32_t target = placed(next_random(&seed) % (CODE / FUNCTION) * FUNCTION, gap);
        uint32_t here = placed(i, gap);

        for (int k = 0; k < 16; k++)
            p[k] = (uint8_t)(next_random(&seed) & 0x3f);
        switch (content) {
        case UP_X86:
            p[7] = 0xe8;
            put_word(p + 8, target - (here + 12));
            break;
        case UP_THUMB:
            memcpy(p + 8, (uint8_t[]){0x00, 0xf0, 0x00, 0xf8}, 4);
            up_address_finder_put(UP_THUMB_BRANCH, p + 8, target - (here + 12));
            break;
        case UP_ARM:
            p[11] = 0xeb;
            up_address_finder_put(UP_ARM_BRANCH, p + 8, target - (here + 16));
            break;
        case UP_ARM64:
            p[11] = 0x94;
            up_address_finder_put(UP_ARM64_BRANCH, p + 8, target - (here + 8));
            break;
        case UP_OFFSETS:
            put_word(p + 8, target - (here + 8));
            break;
        default:
            put_word(p + 8, target);
        }
    }
}

static void test_moved_code(void **state)
{
    static uint8_t old[CODE], fresh[CODE + 64];

    (void)state;
    for (enum up_content content = UP_X86; content < UP_CONTENTS; content++) {
        struct made m;

        write_code(old, content, 0);
        write_code(fresh, content, 64);
        make(&m, old, sizeof old, fresh, sizeof fresh, CODE * 2);
        check_blocks(&m, old, sizeof old, fresh, CODE * 2);
        /* 4096 calls or pointers, half of which change, in a few hundred bytes. */
        if (m.bytes > 700)
            fail_msg("content %d: %zu bytes", (int)content, m.bytes);
        free_made(&m);
    }
}

/* ---- lies ---- */

static void test_hostile_blocks(void **state)
{
    static uint8_t old[CODE], fresh[CODE + 64], out[2 * CODE + 16];
    struct old_bytes bytes = {old, sizeof old, -1};
    struct up_old source = {read_old, &bytes, sizeof old};
    const struct block *b;
    struct made m;
    struct up_delta *d;
    struct up_error err;
    uint32_t seed = 3;

    (void)state;
    write_code(old, UP_X86, 0);
    write_code(fresh, UP_X86, 64);
    make(&m, old, sizeof old, fresh, sizeof fresh, CODE * 2);
    b = &m.block[0];
    assert_int_equal(b->encoding, UP_DELTA);
    must(up_delta_new(&d, &err), &err);
    memset(out + b->len, 0xa5, 16);
    for (size_t cut = 0; cut < b->stored_len; cut++)
        assert_int_equal(up_delta_decode(d, &source, b->source, 0, b->stored, cut, out, b->len, &err),
                         UP_CORRUPT);
    for (int round = 0; round < 500; round++) {
        uint8_t *lie = malloc(b->stored_len);
        int rc;

        memcpy(lie, b->stored, b->stored_len);
        lie[next_random(&seed) % b->stored_len] ^= (uint8_t)(1 + next_random(&seed) % 255);
        rc = up_delta_decode(d, &source, next_random(&seed) % 3 ? b->source : UINT64_MAX - 5,
                             next_random(&seed), lie, b->stored_len, out, b->len, &err);
        assert_true(rc == 0 || rc == UP_CORRUPT);
        free(lie);
    }
    for (int i = 0; i < 16; i++)
        assert_int_equal(out[b->len + (size_t)i], 0xa5);
    /* Another length; a smaller old image; and then what is right, still. */
    assert_int_equal(
        up_delta_decode(d, &source, b->source, 0, b->stored, b->stored_len, out, b->len - 1, &err),
        UP_CORRUPT);
    source.size = 100;
    assert_int_equal(up_delta_decode(d, &source, b->source, 0, b->stored, b->stored_len, out, b->len, &err),
                     UP_CORRUPT);
    source.size = sizeof old;
    must(up_delta_decode(d, &source, b->source, 0, b->stored, b->stored_len, out, b->len, &err), &err);
    assert_memory_equal(out, fresh, b->len);
    /* A slot that cannot be read says so. */
    for (int reads = 0; reads < 2; reads++) {
        bytes.fails_after = reads;
        assert_int_equal(
            up_delta_decode(d, &source, b->source, 0, b->stored, b->stored_len, out, b->len, &err), UP_WRITE);
    }
    up_delta_free(d);
    free_made(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_coder),
        cmocka_unit_test(test_coder_is_tight),
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_field_numbers),
        cmocka_unit_test(test_moves),
        cmocka_unit_test(test_elf),
        cmocka_unit_test(test_elf32),
        cmocka_unit_test(test_block_sizes),
        cmocka_unit_test(test_images_that_change),
        cmocka_unit_test(test_images),
        cmocka_unit_test(test_any_images),
        cmocka_unit_test(test_moved_code),
        cmocka_unit_test(test_hostile_blocks),
    };

    return cmocka_run_group_tests_name("delta", tests, NULL, NULL);
}
