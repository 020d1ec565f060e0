/* Archives of strangers: what may be passes, and of the hostile ones none does. */
#include "scratch.h"

#include <unistd.h>

#include "archive_reader.h"
#include "archives.h"
#include "tar_sum.h"

static unsigned tried, through, bad;

static struct up_archive_limits limits;

/* One after the other, each read to its end: 0 or the error. */
static int read_all(struct up_archive_reader *a, struct up_error *err)
{
    struct up_archive_entry entry;
    char buf[4096];
    int more;
    long n;

    for (more = up_archive_reader_next(a, &entry, err); more > 0;
         more = up_archive_reader_next(a, &entry, err))
        do {
            n = up_archive_reader_read(a, buf, sizeof buf, err);
            if (n < 0)
                return (int)n;
        } while (n > 0);
    return more;
}

static int read_memory(const struct pile *p, struct up_error *err)
{
    struct up_archive_reader *a;
    int rc = up_archive_reader_open_memory(&a, p->data, p->len, &limits, err);

    if (rc < 0)
        return rc;
    rc = read_all(a, err);
    up_archive_reader_close(a);
    return rc;
}

static int count_name(void *user, const char *name, enum up_node_kind kind)
{
    (void)name, (void)kind;
    ++*(unsigned *)user;
    return 0;
}

/* How many names lie in a folder. */
static unsigned names_in(const struct scratch *s, const char *dir)
{
    unsigned n = 0;

    assert_int_equal(s->storage->ops->list(s->storage, dir, count_name, &n), 0);
    return n;
}

/* Extract below a folder of its own: 0 or the error. What was hostile leaves nothing. */
static int extract(const struct scratch *s, const struct pile *p, struct up_error *err)
{
    char path[512], box[512], to[600];
    struct up_archive_reader *a;
    uint64_t files = 0;
    int rc;

    scratch_path(s, "box", box);
    scratch_path(s, "archive", path);
    snprintf(to, sizeof to, "%s/to", box);
    assert_int_equal(up_storage_remove_tree(s->storage, box, err), 0);
    assert_int_equal(up_storage_make_dir(s->storage, box, 0755, err), 0);
    assert_int_equal(up_storage_write_file(s->storage, path, p->data, p->len, 0644, err), 0);
    rc = up_archive_reader_open(&a, s->storage, path, &limits, err);
    if (rc == 0) {
        rc = up_archive_reader_extract(a, s->storage, to, &files, err);
        up_archive_reader_close(a);
    }
    assert_int_equal(names_in(s, box), rc == 0);
    return rc;
}

static void expect(const struct scratch *s, const char *title, const struct pile *p, int code,
                   const char *why)
{
    struct up_error memory = {0}, file = {0};
    int read = read_memory(p, &memory), put = extract(s, p, &file);

    if (code < 0) {
        tried++;
        through += read == 0 || put == 0;
    }
    if (read != code || put != code ||
        (code < 0 && (!strstr(memory.message, why) || !strstr(file.message, why))))
        print_error("%s: read %d (%s), extracted %d (%s)\n", title, read, memory.message, put, file.message),
            bad++;
}

/* As it is, and compressed. */
static void expect_tar(const struct scratch *s, const char *title, struct pile *p, int code, const char *why)
{
    expect(s, title, p, code, why);
    gzip(p);
    expect(s, title, p, code, why);
    pile_free(p);
}

static const char long_name[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789ab"
                                "cdef0123456789abcdef0123456789";

/* Damage where the format promises UTF-8. */
static const char no_utf8[] = "UTF-8";

static void test_names(void **state)
{
    static const struct {
        const char *name, *why;
    } cases[] = {
        {"../evil", "leads out"},
        {"a/../../evil", "leads out"},
        {"a/b/..", "leads out"},
        {"./../evil", "leads out"},
        {"..", "leads out"},
        {".//..//evil", "leads out"},
        {"/etc/passwd", "absolute"},
        {"//etc/passwd", "absolute"},
        {"..\\evil", ""},
        {"C:\\evil", ""},
        {"C:/evil", "drive letter"},
        {"c:evil", "drive letter"},
        {"a\nb", "control character"},
        {"a\rb", "control character"},
        {"a\x1b[2Jb", "control character"},
        {"a\x7f", "control character"},
        {"a\tb", "control character"},
        {"\xc0\xae\xc0\xae/evil", no_utf8},
        {"a\xff", no_utf8},
        {"\xed\xa0\x80", no_utf8},
        {"a\xe2\x80\xaegnp.sh", "UTF-8"},
        {"a\xc2\x85"
         "b",
         "UTF-8"},
        {"\xef\xbb\xbfname", "UTF-8"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int code = cases[i].why == no_utf8 ? UP_CORRUPT : UP_UNTRUSTED;
        struct pile p = {0}, pax = {0};
        struct zip z = {0};

        tar_file(&p, "good", "good");
        tar_file(&p, cases[i].name, "evil");
        tar_end(&p);
        expect_tar(*state, cases[i].name, &p, UP_UNTRUSTED, cases[i].why);

        tar_pax(&pax, 'x', "path", cases[i].name);
        tar_file(&pax, "good", "evil");
        tar_end(&pax);
        expect_tar(*state, cases[i].name, &pax, code, cases[i].why);

        zip_add(&z, &(struct zipped){.name = "good", .content = "good"});
        zip_add(&z, &(struct zipped){.name = cases[i].name, .content = "evil", .flags = 0x800});
        zip_end(&z, 0, 0, 0);
        expect(*state, cases[i].name, &z.out, code, cases[i].why);
        pile_free(&z.out);
    }
}

static void test_kinds_in_tar(void **state)
{
    static const struct {
        const char *title;
        struct member m;
        const char *why;
    } cases[] = {
        {"a link out", {"link", '2', 0777, 0, "/etc"}, "a link"},
        {"a link inside", {"link", '2', 0777, 0, "good"}, "a link"},
        {"a link to above", {"link", '2', 0777, 0, "../.."}, "a link"},
        {"a hard link out", {"link", '1', 0644, 0, "/etc/passwd"}, "a link"},
        {"a hard link inside", {"link", '1', 0644, 0, "good"}, "a link"},
        {"a hard link to itself", {"link", '1', 0644, 0, "link"}, "a link"},
        {"a character device", {"null", '3', 0666, 0, NULL}, "neither a file"},
        {"a block device", {"sda", '4', 0666, 0, NULL}, "neither a file"},
        {"a pipe", {"pipe", '6', 0666, 0, NULL}, "neither a file"},
        {"a setuid file", {"su", '0', 04755, 0, NULL}, "setuid"},
        {"a setgid file", {"sg", '0', 02755, 0, NULL}, "setuid"},
        {"a file named as the folder", {".", '0', 0644, 0, NULL}, "without a name"},
        {"a name that is empty", {"", '0', 0644, 0, NULL}, ""},
        {"a directory that leads out", {"../dir/", '5', 0755, 0, NULL}, "leads out"},
        {"a directory that is absolute", {"/dir/", '5', 0755, 0, NULL}, "absolute"},
        {"a name twice", {"good", '0', 0644, 0, NULL}, "twice"},
        {"a name twice, with a dot", {"./good", '0', 0644, 0, NULL}, "twice"},
        {"a name twice, with slashes", {".//good", '0', 0644, 0, NULL}, "twice"},
        {"a directory where a file is", {"good/", '5', 0755, 0, NULL}, "twice"},
        {"a file below a file", {"good/evil", '0', 0644, 0, NULL}, "below a file"},
        {"a file where a directory is", {"dir", '0', 0644, 0, NULL}, "twice"},
        {"a directory twice", {"dir/sub", '5', 0755, 0, NULL}, "twice"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct pile p = {0};

        tar_file(&p, "good", "good");
        tar_member(&p, &(struct member){.name = "dir/sub/", .type = '5', .mode = 0755}, "", 0);
        tar_header(&p, &cases[i].m);
        tar_end(&p);
        expect_tar(*state, cases[i].title, &p, UP_UNTRUSTED, cases[i].why);
    }
}

/* Where libarchive converts names it composes letters; elsewhere they have to be composed. */
static void test_decomposed(void **state)
{
    static const char name[] = "e\xcc\x81t\xc3\xa9", composed[] = "\xc3\xa9t\xc3\xa9";
    struct pile p = {0};
    struct zip z = {0};

    tar_file(&p, name, "twice");
    tar_end(&p);
    expect_tar(*state, "a decomposed name", &p, UP_UNTRUSTED, "decomposed");
    tar_file(&p, composed, "once");
    tar_pax(&p, 'x', "path", name);
    tar_file(&p, "good", "twice");
    tar_end(&p);
    expect_tar(*state, "a decomposed name in pax", &p, UP_UNTRUSTED, "twice");
    zip_add(&z, &(struct zipped){.name = composed, .content = "once", .flags = 0x800});
    zip_add(&z, &(struct zipped){.name = name, .content = "twice", .flags = 0x800});
    zip_end(&z, 0, 0, 0);
    expect(*state, "a decomposed name in zip", &z.out, UP_UNTRUSTED, "twice");
    pile_free(&z.out);
}

/* A link first, then a file through it. */
static void test_through_a_link(void **state)
{
    static const char *const targets[] = {"/tmp", "..", ".", "good"};

    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
        struct pile p = {0};

        tar_header(&p, &(struct member){"way", '2', 0777, 0, targets[i]});
        tar_file(&p, "way/evil", "evil");
        tar_end(&p);
        expect_tar(*state, targets[i], &p, UP_UNTRUSTED, "a link");
    }
}

static void test_pax(void **state)
{
    static const struct {
        const char *key, *value;
        int code;
        const char *why;
    } cases[] = {
        {"size", "99999999999", UP_NOSPACE, "more than"},      {"size", "-1", UP_CORRUPT, ""},
        {"GNU.sparse.realsize", "1000000000", UP_NOSPACE, ""}, {"GNU.sparse.major", "1", UP_CORRUPT, ""},
        {"path", "/evil", UP_UNTRUSTED, "absolute"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct pile p = {0};

        tar_pax(&p, 'x', cases[i].key, cases[i].value);
        tar_file(&p, "good", "good");
        tar_end(&p);
        expect_tar(*state, cases[i].value, &p, cases[i].code, cases[i].why);
    }
}

static void test_kinds_in_zip(void **state)
{
    static const struct {
        const char *title;
        struct zipped e;
        int code;
        const char *why;
    } cases[] = {
        {"a link", {.name = "link", .content = "/etc", .attributes = 0120777}, UP_UNTRUSTED, "a link"},
        {"a device", {.name = "dev", .content = "", .attributes = 0020666}, UP_UNTRUSTED, "neither"},
        {"setuid", {.name = "su", .content = "x", .attributes = 0104755}, UP_UNTRUSTED, "setuid"},
        {"twice", {.name = "good", .content = "evil"}, UP_UNTRUSTED, "twice"},
        {"below a file", {.name = "good/evil", .content = "evil"}, UP_UNTRUSTED, "below"},
        {"encrypted", {.name = "secret", .content = "evil", .flags = 1}, UP_UNTRUSTED, "encrypted"},
        {"another name in front",
         {.name = "fine", .local_name = "../evil", .content = "evil"},
         UP_CORRUPT,
         "zip: "},
        {"another name behind",
         {.name = "../evil", .local_name = "fine", .content = "evil"},
         UP_CORRUPT,
         "zip: "},
        {"another name of a good one",
         {.name = "fine", .local_name = "good", .content = "evil"},
         UP_CORRUPT,
         "zip: "},
        {"a wrong sum", {.name = "f", .content = "text", .crc_off = 1}, UP_CORRUPT, ""},
        {"a wrong size", {.name = "f", .content = "text", .size_off = 5}, UP_CORRUPT, ""},
        {"a wrong size in front", {.name = "f", .content = "text", .local_size_off = 5}, UP_CORRUPT, ""},
        {"a wrong packed size",
         {.name = "f", .content = "text", .deflated = true, .packed_off = 900},
         UP_CORRUPT,
         ""},
        {"a wrong place", {.name = "f", .content = "text", .place_off = 7}, UP_CORRUPT, ""},
        {"a place outside", {.name = "f", .content = "text", .place_off = 0x7fffffff}, UP_CORRUPT, ""},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct zip z = {0};

        zip_add(&z, &(struct zipped){.name = "good", .content = "good"});
        zip_add(&z, &cases[i].e);
        zip_end(&z, 0, 0, 0);
        expect(*state, cases[i].title, &z.out, cases[i].code, cases[i].why);
        pile_free(&z.out);
    }
}

static void test_zip_directory(void **state)
{
    static const struct {
        const char *title;
        uint32_t place, count, len;
        const char *behind, *why; /* what follows its end */
    } cases[] = {
        {"its place is wrong", 3, 0, 0, "", ""},
        {"its place is outside", 0x10000000, 0, 0, "", ""},
        {"it is longer than it is", 0, 0, 1000, "", ""},
        {"it has more entries than it has", 0, 5, 0, "", "zip: "},
        {"it has fewer entries than it has", 0, (uint32_t)-1, 0, "", "zip: its directory has more"},
        {"a byte follows its end", 0, 0, 0, "x", "zip: it has no end"},
        {"another archive follows its end", 0, 0, 0, "PK\x03\x04 and more of it, which nobody looks at",
         "zip: it has no end"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct zip z = {0};

        zip_add(&z, &(struct zipped){.name = "good", .content = "good"});
        zip_add(&z, &(struct zipped){.name = "more", .content = "more"});
        zip_end(&z, cases[i].place, cases[i].count, cases[i].len);
        pile_add(&z.out, cases[i].behind, strlen(cases[i].behind));
        expect(*state, cases[i].title, &z.out, UP_CORRUPT, cases[i].why);
        pile_free(&z.out);
    }
}

static void test_bombs(void **state)
{
    struct pile p = {0};
    struct zip z = {0};
    char *zeros = calloc(1, 4 << 20);
    struct member big = {.name = "zeros", .mode = 0644, .size = 4 << 20};

    tar_member(&p, &big, zeros, 4 << 20);
    tar_end(&p);
    gzip(&p);
    expect(*state, "a tar.gz of zeros", &p, UP_NOSPACE, "times its size");
    gzip(&p);
    expect(*state, "the same, compressed twice", &p, UP_NOSPACE, "times its size");
    pile_free(&p);

    zip_add(&z, &(struct zipped){.name = "zeros", .content = zeros, .len = 4 << 20, .deflated = true});
    zip_end(&z, 0, 0, 0);
    expect(*state, "a zip of zeros", &z.out, UP_NOSPACE, "times its size");
    pile_free(&z.out);

    limits.bytes = 1000;
    tar_member(&p, &(struct member){.name = "more", .mode = 0644, .size = 1001}, zeros, 1001);
    tar_end(&p);
    expect_tar(*state, "more bytes than allowed", &p, UP_NOSPACE, "more than 1000 bytes");
    for (char name[] = "a"; name[0] <= 'c'; name[0]++)
        tar_member(&p, &(struct member){.name = name, .mode = 0644, .size = 400}, zeros, 400);
    tar_end(&p);
    expect_tar(*state, "more bytes than allowed together", &p, UP_NOSPACE, "more than 1000 bytes");
    up_archive_reader_limits(&limits);

    tar_header(&p, &(struct member){.name = "huge", .mode = 0644, .size = (uint64_t)8 << 30});
    tar_end(&p);
    expect_tar(*state, "a size that is not there", &p, UP_NOSPACE, "more than");

    limits.entries = 3;
    for (char name[] = "a"; name[0] <= 'd'; name[0]++)
        tar_file(&p, name, "");
    tar_end(&p);
    expect_tar(*state, "more entries than allowed", &p, UP_NOSPACE, "more than 3 entries");
    up_archive_reader_limits(&limits);

    limits.depth = 3;
    tar_file(&p, "a/b/c/d", "deep");
    tar_end(&p);
    expect_tar(*state, "deeper than allowed", &p, UP_NOSPACE, "4 components");
    up_archive_reader_limits(&limits);
    free(zeros);
}

static void test_sparse(void **state)
{
    struct pile p = {0};
    char map[512] = {0};

    /* The old form of GNU: 'S', with a map in the header's place of the prefix. */
    tar_header(&p, &(struct member){.name = "sparse", .type = 'S', .mode = 0644, .size = 512});
    memcpy(p.data + 257, "ustar  ", 8);
    snprintf((char *)p.data + 386, 12, "%011o", 0);
    snprintf((char *)p.data + 398, 12, "%011o", 512);
    snprintf((char *)p.data + 483, 12, "%011llo", (unsigned long long)1 << 29);
    tar_sum(p.data);
    pile_add(&p, map, sizeof map);
    tar_end(&p);
    limits.bytes = 1 << 30;
    expect_tar(*state, "a sparse file", &p, UP_UNTRUSTED, "sparse");
    up_archive_reader_limits(&limits);
}

/* Cut at every byte, in the middle of an entry or of the compression, it does not pass. */
static void test_cut(void **state)
{
    struct pile p = {0};
    struct zip z = {0};
    struct up_error err;
    size_t whole;

    tar_file(&p, "first", "some text that is a little longer than a word");
    tar_file(&p, "second", "more");
    tar_end(&p);
    gzip(&p);
    whole = p.len;
    for (p.len = 0; p.len < whole; p.len++) {
        tried++;
        if (read_memory(&p, &err) == 0)
            fail_msg("a tar.gz of %zu bytes passes, cut after %zu", whole, p.len);
    }
    pile_free(&p);
    zip_add(&z, &(struct zipped){.name = "first", .content = "some text", .deflated = true});
    zip_add(&z, &(struct zipped){.name = "second", .content = "more"});
    zip_end(&z, 0, 0, 0);
    whole = z.out.len;
    for (z.out.len = 0; z.out.len < whole; z.out.len++) {
        tried++;
        if (read_memory(&z.out, &err) == 0)
            fail_msg("a zip of %zu bytes passes, cut after %zu", whole, z.out.len);
    }
    pile_free(&z.out);
    (void)state;
}

static void test_no_archive(void **state)
{
    static const char *const texts[] = {"",
                                        "x",
                                        "<html><body>Not found</body></html>",
                                        "\x1f\x8b\x08",
                                        "PK\x03\x04",
                                        "7z\xbc\xaf\x27\x1c",
                                        "!<arch>\n",
                                        "Rar!\x1a\x07"};

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct pile p = {0};

        pile_add(&p, texts[i], strlen(texts[i]));
        expect(*state, texts[i], &p, UP_CORRUPT, "");
        pile_free(&p);
    }
}

static void test_good(void **state)
{
    struct pile p = {0};
    struct zip z = {0};
    char path[600], *text;
    struct up_error err;

    tar_member(&p, &(struct member){.name = "./", .type = '5', .mode = 0755}, "", 0);
    tar_file(&p, "./MIT/main.lua", "return 1\n");
    tar_member(&p, &(struct member){.name = "./MIT/run", .mode = 0755, .size = 2}, "#!", 2);
    tar_file(&p, "./MIT/empty", "");
    tar_member(&p, &(struct member){.name = "./MIT/", .type = '5', .mode = 02775}, "", 0);
    tar_pax(&p, 'x', "path", long_name);
    tar_file(&p, "short", "long");
    tar_pax(&p, 'g', "comment", "of the whole");
    tar_file(&p, "\xe9\x9d\x92/\xc3\xa9", "UTF-8");
    tar_end(&p);
    expect_tar(*state, "a good tar", &p, 0, "");
    snprintf(path, sizeof path, "%s/box/to/MIT/main.lua", ((struct scratch *)*state)->dir);
    assert_int_equal(up_storage_read_file(up_storage_system(), path, 100, &text, NULL, &err), 0);
    assert_string_equal(text, "return 1\n");
    free(text);

    zip_add(&z, &(struct zipped){.name = "MIT/", .content = "", .attributes = 040755});
    zip_add(&z, &(struct zipped){.name = "MIT/a", .content = "aaaaaaaaaaaaaaaaaaaaaaaa", .deflated = true});
    zip_add(&z, &(struct zipped){.name = "\xc3\xa9", .content = "UTF-8", .flags = 0x800});
    zip_end(&z, 0, 0, 0);
    expect(*state, "a good zip", &z.out, 0, "");
    pile_free(&z.out);

    limits.any_charset = true;
    tar_file(&p, "\xb8\xfc\xd0\xc2.ini", "GBK");
    tar_end(&p);
    expect_tar(*state, "a name in another charset", &p, 0, "");
    up_archive_reader_limits(&limits);
}

/* An error stays one, and entries that were read are not extracted later. */
static void test_order(void **state)
{
    struct pile p = {0};
    struct up_archive_reader *a;
    struct up_archive_entry entry;
    struct up_error err;
    char buf[16];

    tar_file(&p, "good", "good");
    tar_header(&p, &(struct member){"link", '2', 0777, 0, "good"});
    tar_file(&p, "behind", "good");
    tar_end(&p);
    assert_int_equal(up_archive_reader_open_memory(&a, p.data, p.len, NULL, &err), 0);
    assert_int_equal(up_archive_reader_next(a, &entry, &err), 1);
    assert_int_equal(entry.size, 4);
    assert_int_equal(entry.mode, 0644);
    assert_int_equal(up_archive_reader_extract(a, up_storage_system(), "/nowhere", NULL, &err), UP_USAGE);
    assert_int_equal(up_archive_reader_read(a, buf, 2, &err), 2);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(up_archive_reader_next(a, &entry, &err), UP_UNTRUSTED);
        assert_string_equal(err.message, "archive: link: a link");
        assert_int_equal(up_archive_reader_read(a, buf, 2, &err), UP_UNTRUSTED);
    }
    up_archive_reader_close(a);
    pile_free(&p);
    (void)state;
}

/* What is there is not touched; what an earlier extraction left is. */
static void test_places(void **state)
{
    const struct scratch *s = *state;
    struct pile p = {0};
    char path[512], to[512], part[512], old[600], now[600];
    struct up_archive_reader *a;
    struct up_error err;

    tar_file(&p, "new", "new");
    tar_end(&p);
    scratch_path(s, "places.tar", path);
    scratch_path(s, "to", to);
    scratch_path(s, "to.part", part);
    snprintf(old, sizeof old, "%s/old", part);
    snprintf(now, sizeof now, "%s/new", to);
    assert_int_equal(up_storage_write_file(s->storage, path, p.data, p.len, 0644, &err), 0);
    assert_int_equal(up_storage_make_dir(s->storage, part, 0755, &err), 0);
    assert_int_equal(up_storage_write_file(s->storage, old, "old", 3, 0644, &err), 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(up_archive_reader_open(&a, s->storage, path, NULL, &err), 0);
        assert_int_equal(up_archive_reader_extract(a, s->storage, to, NULL, &err), i == 0 ? 0 : UP_WRITE);
        up_archive_reader_close(a);
        assert_int_equal(names_in(s, to), 1);
        assert_int_equal(access(now, R_OK), 0);
        assert_int_equal(access(part, F_OK), -1);
    }
    assert_non_null(strstr(err.message, "it exists"));
    assert_int_equal(up_archive_reader_open(&a, s->storage, to, NULL, &err), UP_WRITE);
    assert_int_equal(up_archive_reader_open(&a, s->storage, "/nowhere/a.tar", NULL, &err), UP_MISSING);
    pile_free(&p);
}

/* Last: of all the others. */
static void test_none_came_through(void **state)
{
    (void)state;
    printf("archive: %u hostile archives, %u through\n", tried, through);
    assert_int_equal(through, 0);
    assert_int_equal(bad, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_names, scratch_set_up, scratch_tear_down),
        cmocka_unit_test_setup_teardown(test_decomposed, scratch_set_up, scratch_tear_down),
        cmocka_unit_test_setup_teardown(test_kinds_in_tar, scratch_set_up, scratch_tear_down),
        cmocka_unit_test_setup_teardown(test_through_a_link, scratch_set_up, scratch_tear_down),
        cmocka_unit_test_setup_teardown(test_pax, scratch_set_up, scratch_tear_down),
        cmocka_unit_test_setup_teardown(test_kinds_in_zip, scratch_set_up, scratch_tear_down),
        cmocka_unit_test_setup_teardown(test_zip_directory, scratch_set_up, scratch_tear_down),
        cmocka_unit_test_setup_teardown(test_bombs, scratch_set_up, scratch_tear_down),
        cmocka_unit_test_setup_teardown(test_sparse, scratch_set_up, scratch_tear_down),
        cmocka_unit_test_setup_teardown(test_cut, scratch_set_up, scratch_tear_down),
        cmocka_unit_test_setup_teardown(test_no_archive, scratch_set_up, scratch_tear_down),
        cmocka_unit_test_setup_teardown(test_good, scratch_set_up, scratch_tear_down),
        cmocka_unit_test(test_order),
        cmocka_unit_test_setup_teardown(test_places, scratch_set_up, scratch_tear_down),
        cmocka_unit_test(test_none_came_through),
    };

    up_archive_reader_limits(&limits);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
