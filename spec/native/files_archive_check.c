/*
 * files_archive_check.c -- content of a part files: what a device takes, and
 * hostile archives, each by its name. All of it comes once whole, in odd pieces and
 * byte by byte, and cut short anywhere.
 */
#include "scratch.h"

#include "files_archive.h"
#include "tar.h"
#include "tar_sum.h"

struct archive {
    uint8_t data[16384];
    size_t size;
};

static const char ini[] = "app\t/mnt/app/Bin\t28\t2\r\n"
                          "b.gif\t/mnt/app/Pic\t1\t4\r\n"
                          "b.gif\t/mnt/app/Pic2\t1\t4\r\n"
                          "old.dat\t/mnt/app/etc\t2\t4\r\n";

static void put_zeros(struct archive *a, size_t len)
{
    memset(a->data + a->size, 0, len);
    a->size += len;
}

static uint8_t *put(struct archive *a, const char *name, unsigned mode, const char *content, size_t size)
{
    struct up_tar_entry entry = {.mode = mode, .size = size};
    uint8_t *header = a->data + a->size;
    struct up_error err;

    strcpy(entry.name, name);
    must(up_tar_put(header, &entry, &err), &err);
    a->size += UP_TAR_BLOCK;
    memcpy(a->data + a->size, content, size);
    a->size += size;
    put_zeros(a, (size_t)up_tar_padded(size) - size);
    return header;
}

static void put_ini(struct archive *a, const char *text)
{
    put(a, UP_UPDATE_INI, 0644, text, strlen(text));
}

static void good(struct archive *a)
{
    a->size = 0;
    put_ini(a, ini);
    put(a, "app", 0644, "program", 7);
    put(a, "b.gif", 0644, "", 0);
    put_zeros(a, UP_TAR_END);
}

static int feed(const struct archive *a, uint64_t size, size_t piece, struct up_files_archive *check,
                struct up_error *err)
{
    int rc = 0;

    up_files_archive_begin(check, size);
    for (size_t at = 0; rc == 0 && at < a->size; at += piece)
        rc = up_files_archive_feed(check, a->data + at, a->size - at < piece ? a->size - at : piece, err);
    return rc < 0 ? rc : up_files_archive_end(check, err);
}

static int verdict(const struct archive *a, struct up_error *err)
{
    static const size_t pieces[] = {sizeof a->data, 1, 7, 512, 4096};
    struct up_files_archive check;
    int first = 1;

    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        int rc = feed(a, a->size, pieces[i], &check, err);

        up_files_archive_free(&check);
        assert_true(first == 1 || rc == first);
        first = rc;
    }
    return first;
}

static void test_good(void **state)
{
    struct up_files_archive check;
    struct archive a;
    struct up_error err;

    (void)state;
    good(&a);
    must(verdict(&a, &err), &err);
    must(feed(&a, a.size, 100, &check, &err), &err);
    assert_int_equal(check.ini.count, 4);
    assert_int_equal(check.members, 2);
    assert_int_equal(up_files_archive_find(&check, "app")->size, 7);
    assert_int_equal(up_files_archive_find(&check, "b.gif")->size, 0);
    assert_null(up_files_archive_find(&check, "old.dat"));
    assert_null(up_files_archive_find(&check, UP_UPDATE_INI));
    up_files_archive_free(&check);
    up_files_archive_free(&check); /* as often as one likes */
}

static void test_nothing_to_put(void **state)
{
    struct archive a = {.size = 0};
    struct up_error err;

    (void)state;
    put_ini(&a, "old.dat\t/mnt/app/etc\t2\t4\n");
    put_zeros(&a, UP_TAR_END);
    must(verdict(&a, &err), &err);
}

/* Cases: each makes a whole archive with one thing wrong. */
static void no_ini(struct archive *a)
{
    put(a, "app", 0644, "x", 1);
    put_zeros(a, UP_TAR_END);
}

static void ini_last(struct archive *a)
{
    put(a, "app", 0644, "x", 1);
    put_ini(a, ini);
    put_zeros(a, UP_TAR_END);
}

static void nothing(struct archive *a)
{
    put_zeros(a, UP_TAR_END);
}

static void empty_ini(struct archive *a)
{
    put_ini(a, "");
    put_zeros(a, UP_TAR_END);
}

static void bad_ini(struct archive *a)
{
    put_ini(a, "app\t/mnt/../etc\t4\t2\n");
    put(a, "app", 0644, "x", 1);
    put_zeros(a, UP_TAR_END);
}

static void two_inis(struct archive *a)
{
    put_ini(a, ini);
    put_ini(a, ini);
    put_zeros(a, UP_TAR_END);
}

static void large_ini(struct archive *a)
{
    struct up_tar_entry entry = {.name = UP_UPDATE_INI, .mode = 0644, .size = UP_UPDATE_INI_MAX + 1};
    struct up_error err;

    must(up_tar_put(a->data, &entry, &err), &err);
    a->size = UP_TAR_BLOCK;
}

/* Its header alone says whether it may be so large. */
static void the_size_of_an_ini_is_bounded(void **state)
{
    static const uint64_t sizes[] = {0, 1, UP_UPDATE_INI_MAX, UP_UPDATE_INI_MAX + 1};

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct up_tar_entry entry = {.name = UP_UPDATE_INI, .mode = 0644, .size = sizes[i]};
        struct up_files_archive check;
        uint8_t header[UP_TAR_BLOCK];
        struct up_error err;
        int rc;

        must(up_tar_put(header, &entry, &err), &err);
        up_files_archive_begin(&check, 2 * UP_UPDATE_INI_MAX);
        rc = up_files_archive_feed(&check, header, sizeof header, &err);
        up_files_archive_free(&check);
        if (i == 1 || i == 2)
            must(rc, &err);
        else
            must_fail(rc, UP_UNTRUSTED, "must have 1 to 262144 bytes", &err);
    }
}

static void stranger(struct archive *a)
{
    put_ini(a, ini);
    put(a, "app", 0644, "x", 1);
    put(a, "b.gif", 0644, "x", 1);
    put(a, "c.so", 0644, "x", 1);
    put_zeros(a, UP_TAR_END);
}

static void deleted(struct archive *a)
{
    put_ini(a, ini);
    put(a, "app", 0644, "x", 1);
    put(a, "b.gif", 0644, "x", 1);
    put(a, "old.dat", 0644, "x", 1);
    put_zeros(a, UP_TAR_END);
}

static void missing(struct archive *a)
{
    put_ini(a, ini);
    put(a, "app", 0644, "x", 1);
    put_zeros(a, UP_TAR_END);
}

static void twice(struct archive *a)
{
    put_ini(a, ini);
    put(a, "app", 0644, "x", 1);
    put(a, "app", 0644, "y", 1);
    put(a, "b.gif", 0644, "x", 1);
    put_zeros(a, UP_TAR_END);
}

static void out_of_order(struct archive *a)
{
    put_ini(a, ini);
    put(a, "b.gif", 0644, "x", 1);
    put(a, "app", 0644, "x", 1);
    put_zeros(a, UP_TAR_END);
}

static void executable(struct archive *a)
{
    put_ini(a, ini);
    put(a, "app", 0755, "x", 1);
    put(a, "b.gif", 0644, "x", 1);
    put_zeros(a, UP_TAR_END);
}

static void directory(struct archive *a)
{
    struct up_tar_entry entry = {.name = "app", .mode = 0755, .directory = true};
    struct up_error err;

    put_ini(a, ini);
    must(up_tar_put(a->data + a->size, &entry, &err), &err);
    a->size += UP_TAR_BLOCK;
    put(a, "b.gif", 0644, "x", 1);
    put_zeros(a, UP_TAR_END);
}

static void nested(struct archive *a)
{
    put_ini(a, ini);
    put(a, "sub/app", 0644, "x", 1);
    put(a, "b.gif", 0644, "x", 1);
    put_zeros(a, UP_TAR_END);
}

/* A header of another kind, with a right sum. */
static void retype(uint8_t *header, char type)
{
    header[156] = (uint8_t)type;
    tar_sum(header);
}

static void link(struct archive *a)
{
    uint8_t *header;

    put_ini(a, ini);
    header = put(a, "app", 0644, "", 0);
    memcpy(header + 157, "/etc/passwd", 11);
    retype(header, '2');
    put(a, "b.gif", 0644, "x", 1);
    put_zeros(a, UP_TAR_END);
}

static void device(struct archive *a)
{
    put_ini(a, ini);
    retype(put(a, "app", 0644, "", 0), '4');
    put(a, "b.gif", 0644, "x", 1);
    put_zeros(a, UP_TAR_END);
}

static void owner(struct archive *a)
{
    uint8_t *header;

    put_ini(a, ini);
    header = put(a, "app", 0644, "x", 1);
    header[114] = '7';
    retype(header, '0');
    put(a, "b.gif", 0644, "x", 1);
    put_zeros(a, UP_TAR_END);
}

static void setuid(struct archive *a)
{
    uint8_t *header;

    put_ini(a, ini);
    header = put(a, "app", 0644, "x", 1);
    memcpy(header + 100, "0004755", 7);
    retype(header, '0');
    put(a, "b.gif", 0644, "x", 1);
    put_zeros(a, UP_TAR_END);
}

static void padding(struct archive *a)
{
    put_ini(a, ini);
    put(a, "app", 0644, "x", 1);
    a->data[a->size - 1] = 1;
    put(a, "b.gif", 0644, "x", 1);
    put_zeros(a, UP_TAR_END);
}

static void no_end(struct archive *a)
{
    put_ini(a, ini);
    put(a, "app", 0644, "x", 1);
    put(a, "b.gif", 0644, "x", 1);
}

static void half_an_end(struct archive *a)
{
    no_end(a);
    put_zeros(a, UP_TAR_BLOCK);
}

static void more_behind(struct archive *a)
{
    no_end(a);
    put_zeros(a, UP_TAR_END + UP_TAR_BLOCK);
}

static void other_end(struct archive *a)
{
    no_end(a);
    put_zeros(a, UP_TAR_END);
    a->data[a->size - 1] = 1;
}

static const struct {
    const char *name;
    void (*make)(struct archive *a);
    const char *message;
} hostile[] = {
    {"no update.ini", no_ini, "files: begins with app, not with update.ini"},
    {"update.ini last", ini_last, "files: begins with app, not with update.ini"},
    {"nothing in it", nothing, "files: has no update.ini"},
    {"update.ini empty", empty_ini, "files: update.ini must have 1 to 262144 bytes"},
    {"update.ini too large", large_ini, "files: member update.ini is cut short"},
    {"update.ini climbs out", bad_ini, "update.ini line 1: directory: \".\" and \"..\" are not allowed"},
    {"update.ini twice", two_inis, "files: update.ini, which update.ini does not name"},
    {"a file that no line names", stranger, "files: c.so, which update.ini does not name"},
    {"a file for a line that deletes", deleted, "files: old.dat, which update.ini does not name"},
    {"a file missing", missing, "files: update.ini line 2: name: there is no file b.gif in the part"},
    {"a file twice", twice, "files: member app out of order"},
    {"out of order", out_of_order, "files: member app out of order"},
    {"executable", executable, "files: member app must be a file of mode 0644"},
    {"a directory", directory, "files: member app must be a file of mode 0644"},
    {"a file in a directory", nested, "files: sub/app, which update.ini does not name"},
    {"a link", link, "archive header of \"app\": not in canonical form"},
    {"a device", device, "archive header of \"app\": not in canonical form"},
    {"an owner", owner, "archive header of \"app\": not in canonical form"},
    {"setuid", setuid, "archive header of \"app\": not in canonical form"},
    {"bytes in the padding", padding, "files: bytes where the archive must have zeros"},
    {"no end", no_end, "files: the archive ends without its end mark"},
    {"half an end", half_an_end, "files: bytes after the end mark"},
    {"bytes behind the end", more_behind, "files: bytes after the end mark"},
    {"an end of other bytes", other_end, "files: bytes where the archive must have zeros"},
};

static void test_hostile(void **state)
{
    unsigned through = 0, cases = sizeof hostile / sizeof *hostile;

    (void)state;
    for (size_t i = 0; i < cases; i++) {
        struct archive a = {.size = 0};
        struct up_error err = {.message = ""};

        hostile[i].make(&a);
        if (verdict(&a, &err) != UP_UNTRUSTED || strcmp(err.message, hostile[i].message) != 0) {
            through++;
            print_message("%s: %s\n", hostile[i].name, err.message);
        }
    }
    print_message("files: %u hostile archives, %u through\n", cases, through);
    assert_int_equal(through, 0);
}

/* With the size that it claims to have, and the bytes cut anywhere. */
static void test_cut(void **state)
{
    struct up_files_archive check;
    struct archive a, cut;
    struct up_error err;

    (void)state;
    good(&a);
    for (size_t size = 0; size < a.size; size++) {
        cut = a;
        cut.size = size;
        assert_int_equal(feed(&cut, a.size, 300, &check, &err), UP_UNTRUSTED);
        up_files_archive_free(&check);
        assert_int_equal(feed(&cut, size, 300, &check, &err), UP_UNTRUSTED);
        up_files_archive_free(&check);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_size_of_an_ini_is_bounded),
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_nothing_to_put),
        cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
