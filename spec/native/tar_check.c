/* Canonical headers: one byte string for each member, and nothing else is one. */
#include "scratch.h"

#include "tar.h"
#include "tar_sum.h"

static struct up_tar_entry entry_of(const char *name, bool directory, unsigned mode, uint64_t size)
{
    struct up_tar_entry entry = {.directory = directory, .mode = mode, .size = size};

    memcpy(entry.name, name, strnlen(name, UP_TAR_NAME_MAX));
    return entry;
}

/* A name of len bytes in parts of `part` bytes each. */
static void long_name(char *out, size_t len, size_t part)
{
    for (size_t i = 0; i < len; i++)
        out[i] = i % (part + 1) == part ? '/' : 'n';
    out[len] = 0;
}

static void test_round_trip(void **state)
{
    static const struct {
        const char *name;
        bool directory;
        unsigned mode;
        uint64_t size;
    } cases[] = {
        {"manifest.json", false, 0644, 1},
        {"a", false, 0755, 0},
        {"lib", true, 0755, 0},
        {"lib/deep/er", true, 0755, 0},
        {"..a/b..", false, 0644, 511},
        {"\xc3\xa4 name with spaces", false, 0644, 512},
        {"big", false, 0644, ((uint64_t)8 << 30) - 1},
        {"over 4 GiB", false, 0644, ((uint64_t)4 << 30) + 1},
    };
    uint8_t header[UP_TAR_BLOCK], zeros[UP_TAR_BLOCK] = {0};
    struct up_tar_entry entry, got;
    struct up_error err;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        entry = entry_of(cases[i].name, cases[i].directory, cases[i].mode, cases[i].size);
        must(up_tar_put(header, &entry, &err), &err);
        assert_int_equal(up_tar_get(&got, header, &err), 1);
        assert_string_equal(got.name, cases[i].name);
        assert_int_equal(got.directory, cases[i].directory);
        assert_int_equal(got.mode, cases[i].mode);
        assert_int_equal(got.size, cases[i].size);
    }
    assert_int_equal(up_tar_get(&got, zeros, &err), 0);
}

/* Both fields full, and one byte more than they hold. */
static void test_the_longest_names(void **state)
{
    static const struct {
        size_t len, split;
        bool fits;
    } cases[] = {
        {255, 154, true},  {255, 155, true},  {254, 155, true},
        {254, 152, false}, {255, 153, false}, {255, 156, false},
    };
    uint8_t header[UP_TAR_BLOCK];
    struct up_error err;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct up_tar_entry entry = entry_of("", false, 0644, 0), got;

        memset(entry.name, 'n', cases[i].len);
        entry.name[cases[i].split] = '/';
        if (!cases[i].fits) {
            assert_true(up_tar_put(header, &entry, &err) < 0);
            continue;
        }
        must(up_tar_put(header, &entry, &err), &err);
        assert_int_equal(up_tar_get(&got, header, &err), 1);
        assert_string_equal(got.name, entry.name);
    }
}

static void test_long_names(void **state)
{
    char name[400];
    uint8_t header[UP_TAR_BLOCK];
    struct up_tar_entry entry, got;
    struct up_error err;

    (void)state;
    for (int directory = 0; directory < 2; directory++)
        for (size_t len = 1; len <= UP_TAR_NAME_MAX; len++)
            for (size_t part = 20; part <= 100; part += 40) {
                int rc;

                long_name(name, len, part);
                if (name[len - 1] == '/')
                    continue;
                entry = entry_of(name, directory, directory ? 0755 : 0644, 0);
                rc = up_tar_put(header, &entry, &err);
                /* Up to 100 bytes always fit; beyond, a split must be found. */
                if (len + (size_t)directory <= 100 || (len <= 236 && part == 20))
                    must(rc, &err);
                if (rc == 0) {
                    assert_int_equal(up_tar_get(&got, header, &err), 1);
                    assert_string_equal(got.name, name);
                }
            }
    memset(name, 'x', 101);
    name[101] = 0;
    entry = entry_of(name, false, 0644, 0);
    must_fail(up_tar_put(header, &entry, &err), UP_USAGE, "too long", &err);
}

static void test_refused_members(void **state)
{
    static const char *const names[] = {"",     "/",   "/a",   "a/",    "a//b",   ".",    "..",    "./a",
                                        "../a", "a/.", "a/..", "a/./b", "a/../b", "a\nb", "a\x7f", "\x1b[2J"};
    uint8_t header[UP_TAR_BLOCK];
    struct up_tar_entry entry;
    struct up_error err;

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        entry = entry_of(names[i], false, 0644, 0);
        must_fail(up_tar_put(header, &entry, &err), UP_USAGE, "not allowed", &err);
    }
    entry = entry_of("a", false, 0600, 0);
    must_fail(up_tar_put(header, &entry, &err), UP_USAGE, "mode", &err);
    entry = entry_of("a", false, 04755, 0);
    must_fail(up_tar_put(header, &entry, &err), UP_USAGE, "mode", &err);
    entry = entry_of("a", true, 0644, 0);
    must_fail(up_tar_put(header, &entry, &err), UP_USAGE, "mode", &err);
    entry = entry_of("a", true, 0755, 1);
    must_fail(up_tar_put(header, &entry, &err), UP_USAGE, "size", &err);
    entry = entry_of("a", false, 0644, (uint64_t)8 << 30);
    must_fail(up_tar_put(header, &entry, &err), UP_USAGE, "size", &err);
}

/* No header that differs in one bit is a header. */
static void test_every_bit(void **state)
{
    uint8_t header[UP_TAR_BLOCK];
    struct up_tar_entry entry, got;
    struct up_error err;
    char name[256];

    (void)state;
    for (int form = 0; form < 3; form++) {
        long_name(name, form == 2 ? 180 : 30, 20);
        entry = entry_of(name, form == 1, form == 1 ? 0755 : 0644, form == 1 ? 0 : 12345);
        must(up_tar_put(header, &entry, &err), &err);
        for (int bit = 0; bit < 8 * UP_TAR_BLOCK; bit++) {
            header[bit / 8] ^= (uint8_t)(1 << bit % 8);
            assert_int_equal(up_tar_get(&got, header, &err), UP_UNTRUSTED);
            header[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
    }
}

/* With the sum put right again, other forms that tar knows stay refused. */
static void test_valid_but_not_canonical(void **state)
{
    static const struct {
        int at;
        const char *bytes;
        int len;
    } changes[] = {
        {156, "1", 1}, /* hard link */
        {156, "2", 1}, /* symbolic link */
        {156, "3", 1}, /* device */
        {156, "x", 1}, /* extended header */
        {156, "\0", 1},
        {108, "0000001", 7},
        {136, "14000000000", 11},
        {265, "root", 4},
        {157, "/etc/passwd", 11},
        {257, "ustar  ", 8},
        {100, "0000777", 7},
        {100, "   644 ", 7},
        {345, "prefix\0x", 8},
        {500, "x", 1},
        {124, "\x80\0\0\0\0\0\0\0\0\0\1\0", 12},
    };
    struct up_tar_entry entry = entry_of("member", false, 0644, 5), got;
    uint8_t header[UP_TAR_BLOCK];
    struct up_error err;

    (void)state;
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        must(up_tar_put(header, &entry, &err), &err);
        memcpy(header + changes[i].at, changes[i].bytes, (size_t)changes[i].len);
        tar_sum(header);
        if (up_tar_get(&got, header, &err) != UP_UNTRUSTED)
            fail_msg("change %zu at %d was taken", i, changes[i].at);
    }
}

static void test_padding(void **state)
{
    (void)state;
    assert_int_equal(up_tar_padded(0), 0);
    assert_int_equal(up_tar_padded(1), 512);
    assert_int_equal(up_tar_padded(512), 512);
    assert_int_equal(up_tar_padded(513), 1024);
    assert_true(up_tar_padded(((uint64_t)8 << 30) - 1) == (uint64_t)8 << 30);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),        cmocka_unit_test(test_long_names),
        cmocka_unit_test(test_the_longest_names), cmocka_unit_test(test_refused_members),
        cmocka_unit_test(test_every_bit),         cmocka_unit_test(test_valid_but_not_canonical),
        cmocka_unit_test(test_padding),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
