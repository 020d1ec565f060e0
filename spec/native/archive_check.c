/*
 * Hostile archives: script archives through up_generation_extract() over the
 * simulator, packages through the reader of their head and up_verify.
 *
 * Each is refused with its code word and leaves no byte outside of the
 * directory it was meant for, nor a generation under its number. A directory
 * that was refused stands in nobody's way: the good archive is extracted after
 * each of them.
 */
#include "sample.h"

#include "codec.h"
#include "generation.h"
#include "script_archive.h"
#include "sim.h"
#include "tar.h"
#include "tar_sum.h"

#include <errno.h>

#define ROOM (64 * 1024)

static unsigned cases, through;

/* A header as anybody could make one, its checksum right unless spoiled later. */
struct piece {
    const char *name;
    char type;     /* 0: '0', a regular file */
    unsigned mode; /* 0: 0644, for a directory 0755 */
    const char *body, *link;
    unsigned size_off;     /* added to the size in the header */
    unsigned at, poke_len; /* bytes put over the header before it is summed, */
    const char *poke;
    bool after; /* or after that */
};

enum end {
    END_GOOD, /* two blocks of zeros */
    END_NONE,
    END_ONE,    /* one block */
    END_THREE,  /* three blocks */
    END_DIRTY,  /* a byte in the second one */
    END_BYTE,   /* a byte behind them */
    END_MEMBER, /* a good member behind them, and two more */
    END_CUT     /* half a block is missing */
};

struct archive {
    uint8_t data[ROOM];
    size_t size;
};

static void put(struct archive *a, const void *data, size_t len)
{
    assert_true(len <= sizeof a->data - a->size);
    if (len)
        memcpy(a->data + a->size, data, len);
    a->size += len;
}

static void put_zeros(struct archive *a, size_t len)
{
    static const uint8_t zeros[3 * UP_TAR_BLOCK];

    put(a, zeros, len);
}

/* Long names go into the prefix as the writer splits them. */
static void put_name(uint8_t *header, const char *name)
{
    size_t len = strlen(name);
    const char *rest = name;

    while (len - (size_t)(rest - name) > 100 && strchr(rest, '/'))
        rest = strchr(rest, '/') + 1;
    if (rest > name)
        memcpy(header + 345, name, (size_t)(rest - name) - 1 < 155 ? (size_t)(rest - name) - 1 : 155);
    memcpy(header, rest, strlen(rest) < 100 ? strlen(rest) : 100);
}

static void make_header(uint8_t header[UP_TAR_BLOCK], const struct piece *p)
{
    unsigned usual = p->type == '5' ? 0755 : 0644, mode = p->mode ? p->mode : usual;

    memset(header, 0, UP_TAR_BLOCK);
    put_name(header, p->name);
    sprintf((char *)header + 100, "%07o", mode);
    sprintf((char *)header + 108, "%07o", 0u);
    sprintf((char *)header + 116, "%07o", 0u);
    sprintf((char *)header + 124, "%011o", (unsigned)(p->body ? strlen(p->body) : 0) + p->size_off);
    sprintf((char *)header + 136, "%011o", 0u);
    header[156] = (uint8_t)(p->type ? p->type : '0');
    if (p->link)
        strcpy((char *)header + 157, p->link);
    memcpy(header + 257,
           "ustar\0"
           "00",
           8);
    sprintf((char *)header + 329, "%07o", 0u);
    sprintf((char *)header + 337, "%07o", 0u);
    if (p->poke && !p->after)
        memcpy(header + p->at, p->poke, p->poke_len);
    tar_sum(header);
    if (p->poke && p->after)
        memcpy(header + p->at, p->poke, p->poke_len);
}

static void put_piece(struct archive *a, const struct piece *p)
{
    uint8_t header[UP_TAR_BLOCK];
    size_t len = p->body ? strlen(p->body) : 0;

    make_header(header, p);
    put(a, header, sizeof header);
    put(a, p->body, len);
    put_zeros(a, (size_t)up_tar_padded(len) - len);
}

static void put_end(struct archive *a, enum end end)
{
    static const struct piece more = {.name = "more.lua", .body = "x"};

    if (end != END_NONE)
        put_zeros(a, end == END_ONE ? UP_TAR_BLOCK : 2 * UP_TAR_BLOCK);
    if (end == END_THREE)
        put_zeros(a, UP_TAR_BLOCK);
    if (end == END_DIRTY)
        a->data[a->size - 1] = 1;
    if (end == END_BYTE)
        put(a, "x", 1);
    if (end == END_MEMBER) {
        put_piece(a, &more);
        put_zeros(a, 2 * UP_TAR_BLOCK);
    }
    if (end == END_CUT)
        a->size -= UP_TAR_BLOCK / 2;
}

#define MAIN                                   \
    {                                          \
        .name = "main.lua", .body = "return 1" \
    }
#define LIB                         \
    {                               \
        .name = "lib/", .type = '5' \
    }
#define LONG "a23456789012345678901234567890123456789012345678901234567890"
#define POKED(offset, bytes) .at = (offset), .poke = (bytes), .poke_len = sizeof(bytes) - 1

struct script_case {
    const char *name;
    struct piece piece[4]; /* up to the first without a name */
    enum end end;
};

static const struct script_case script_cases[] = {
    {"up one level", {{.name = "../evil", .body = "x"}, MAIN}, END_GOOD},
    {"up from within", {LIB, {.name = "lib/../../evil", .body = "x"}, MAIN}, END_GOOD},
    {"up at its end", {LIB, {.name = "lib/..", .type = '5'}, MAIN}, END_GOOD},
    {"an absolute name", {{.name = "/state/evil", .body = "x"}, MAIN}, END_GOOD},
    {"a dot before it", {{.name = "./evil", .body = "x"}, MAIN}, END_GOOD},
    {"a dot within", {LIB, {.name = "lib/./evil", .body = "x"}, MAIN}, END_GOOD},
    {"an empty part", {LIB, {.name = "lib//evil", .body = "x"}, MAIN}, END_GOOD},
    {"the directory itself", {{.name = "./", .type = '5'}, MAIN}, END_GOOD},
    {"the one above", {{.name = "../", .type = '5'}, MAIN}, END_GOOD},
    {"no name", {{.name = "", .poke = "", .body = "x"}, MAIN}, END_GOOD},
    {"a file with a slash at its end", {{.name = "evil/", .body = "x"}, MAIN}, END_GOOD},
    {"a directory without one", {{.name = "lib", .type = '5'}, MAIN}, END_GOOD},
    {"two slashes at the end", {{.name = "lib//", .type = '5'}, MAIN}, END_GOOD},
    {"a symbolic link", {{.name = "evil", .type = '2', .link = "/state/secret"}, MAIN}, END_GOOD},
    {"a file below a symbolic link",
     {{.name = "lib", .type = '2', .link = "/state"}, {.name = "lib/evil", .body = "x"}, MAIN},
     END_GOOD},
    {"main.lua as a link", {{.name = "main.lua", .type = '2', .link = "/state/secret"}}, END_GOOD},
    {"a hard link", {{.name = "evil", .type = '1', .link = "/state/secret"}, MAIN}, END_GOOD},
    {"a file with a link's target", {{.name = "evil", .link = "/state/secret", .body = "x"}, MAIN}, END_GOOD},
    {"a character device", {{.name = "evil", .type = '3'}, MAIN}, END_GOOD},
    {"a block device", {{.name = "evil", .type = '4'}, MAIN}, END_GOOD},
    {"a pipe", {{.name = "evil", .type = '6'}, MAIN}, END_GOOD},
    {"a contiguous file", {{.name = "evil", .type = '7', .body = "x"}, MAIN}, END_GOOD},
    {"the type of old archives", {{.name = "evil", .body = "x", POKED(156, "\0")}, MAIN}, END_GOOD},
    {"an unknown type", {{.name = "evil", .type = 'Z', .body = "x"}, MAIN}, END_GOOD},
    {"a long name of GNU", {{.name = "././@LongLink", .type = 'L', .body = "../evil"}, MAIN}, END_GOOD},
    {"a long link of GNU", {{.name = "././@LongLink", .type = 'K', .body = "../evil"}, MAIN}, END_GOOD},
    {"a sparse file of GNU", {{.name = "evil", .type = 'S', .body = "x"}, MAIN}, END_GOOD},
    {"another volume", {{.name = "evil", .type = 'M', .body = "x"}, MAIN}, END_GOOD},
    {"a volume's label", {{.name = "evil", .type = 'V'}, MAIN}, END_GOOD},
    {"a dump's directory", {{.name = "evil", .type = 'D', .body = "x"}, MAIN}, END_GOOD},
    {"a header of pax",
     {{.name = "PaxHeaders/evil", .type = 'x', .body = "16 path=../evil\n"}, MAIN},
     END_GOOD},
    {"a global header of pax", {{.name = "pax", .type = 'g', .body = "16 path=../evil\n"}, MAIN}, END_GOOD},
    {"a header of Solaris", {{.name = "pax", .type = 'X', .body = "16 path=../evil\n"}, MAIN}, END_GOOD},
    {"set user id", {{.name = "evil", .mode = 04755, .body = "x"}, MAIN}, END_GOOD},
    {"set group id", {{.name = "evil", .mode = 02755, .body = "x"}, MAIN}, END_GOOD},
    {"the sticky bit", {{.name = "evil/", .type = '5', .mode = 01755}, MAIN}, END_GOOD},
    {"writable for all", {{.name = "evil", .mode = 0777, .body = "x"}, MAIN}, END_GOOD},
    {"readable for nobody", {{.name = "evil", .body = "x", POKED(100, "0000000")}, MAIN}, END_GOOD},
    {"a directory nobody may enter", {{.name = "lib/", .type = '5', .mode = 0644}, MAIN}, END_GOOD},
    {"an owner", {{.name = "evil", .body = "x", POKED(108, "0001750")}, MAIN}, END_GOOD},
    {"a group", {{.name = "evil", .body = "x", POKED(116, "0001750")}, MAIN}, END_GOOD},
    {"an owner's name", {{.name = "evil", .body = "x", POKED(265, "root")}, MAIN}, END_GOOD},
    {"a group's name", {{.name = "evil", .body = "x", POKED(297, "root")}, MAIN}, END_GOOD},
    {"a time", {{.name = "evil", .body = "x", POKED(136, "14000000000")}, MAIN}, END_GOOD},
    {"a device's number", {{.name = "evil", .body = "x", POKED(329, "0000001")}, MAIN}, END_GOOD},
    {"bytes behind the header's fields", {{.name = "evil", .body = "x", POKED(500, "x")}, MAIN}, END_GOOD},
    {"bytes behind the name's end", {{.name = "evil", .body = "x", POKED(5, "../x")}, MAIN}, END_GOOD},
    {"bytes behind the prefix's end", {{.name = "evil", .body = "x", POKED(346, "../x")}, MAIN}, END_GOOD},
    {"a name split elsewhere", {LIB, {.name = "evil", .body = "x", POKED(345, "lib")}, MAIN}, END_GOOD},
    {"up in the prefix", {{.name = "evil", .body = "x", POKED(345, "..")}, MAIN}, END_GOOD},
    {"absolute by its prefix", {{.name = "evil", .body = "x", POKED(345, "/state")}, MAIN}, END_GOOD},
    {"a size in base 256",
     {{.name = "evil", .body = "x", POKED(124, "\x80\0\0\0\0\0\0\0\0\0\0\1")}, MAIN},
     END_GOOD},
    {"a size below zero",
     {{.name = "evil", POKED(124, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff")}, MAIN},
     END_GOOD},
    {"a size padded with spaces",
     {{.name = "evil", .body = "x", POKED(124, "          1 ")}, MAIN},
     END_GOOD},
    {"a size that is no number", {{.name = "evil", .body = "x", POKED(124, "0000000000x")}, MAIN}, END_GOOD},
    {"a size without its end", {{.name = "evil", .body = "x", POKED(124, "000000000017")}, MAIN}, END_GOOD},
    {"a size in few digits",
     {{.name = "evil", .body = "x", POKED(124, "1\0\0\0\0\0\0\0\0\0\0\0")}, MAIN},
     END_GOOD},
    {"a directory with a size", {{.name = "lib/", .type = '5', .size_off = 1}, MAIN}, END_GOOD},
    {"a member larger than the archive", {{.name = "evil", .body = "x", .size_off = 8192}, MAIN}, END_GOOD},
    {"a member of 8 GiB in a small archive",
     {{.name = "evil", .body = "x", POKED(124, "77777777777")}, MAIN},
     END_GOOD},
    {"a member that ends within the end mark", {MAIN, {.name = "zz", .size_off = 1000}}, END_GOOD},
    {"a wrong checksum",
     {{.name = "evil", .body = "x", POKED(148, "012345"), .after = true}, MAIN},
     END_GOOD},
    {"no checksum",
     {{.name = "evil", .body = "x", POKED(148, "\0\0\0\0\0\0\0\0"), .after = true}, MAIN},
     END_GOOD},
    {"a checksum in another form",
     {{.name = "evil", .body = "x", POKED(154, "  "), .after = true}, MAIN},
     END_GOOD},
    {"the magic of GNU", {{.name = "evil", .body = "x", POKED(257, "ustar  \0")}, MAIN}, END_GOOD},
    {"no magic", {{.name = "evil", .body = "x", POKED(257, "\0\0\0\0\0\0\0\0")}, MAIN}, END_GOOD},
    {"another version", {{.name = "evil", .body = "x", POKED(263, "01")}, MAIN}, END_GOOD},
    {"the same file twice", {{.name = "evil", .body = "x"}, {.name = "evil", .body = "y"}, MAIN}, END_GOOD},
    {"the same directory twice", {LIB, LIB, MAIN}, END_GOOD},
    {"main.lua twice", {MAIN, MAIN}, END_GOOD},
    {"a file and a directory of one name", {{.name = "lib", .body = "x"}, LIB, MAIN}, END_GOOD},
    {"a member below a file",
     {{.name = "lib", .body = "x"}, {.name = "lib/evil", .body = "x"}, MAIN},
     END_GOOD},
    {"a member below main.lua", {MAIN, {.name = "main.lua/evil", .body = "x"}}, END_GOOD},
    {"a member without its directory", {{.name = "lib/evil", .body = "x"}, MAIN}, END_GOOD},
    {"members out of order", {MAIN, LIB}, END_GOOD},
    {"a directory after what is in it", {{.name = "lib/evil", .body = "x"}, LIB, MAIN}, END_GOOD},
    {"a line break in a name", {{.name = "ev\nil", .body = "x"}, MAIN}, END_GOOD},
    {"an escape in a name", {{.name = "ev\033[2Jil", .body = "x"}, MAIN}, END_GOOD},
    {"a delete in a name", {{.name = "ev\177il", .body = "x"}, MAIN}, END_GOOD},
    {"a tab in a name", {{.name = "ev\til", .body = "x"}, MAIN}, END_GOOD},
    {"a name of 256 bytes",
     {{.name = LONG "/" LONG "/" LONG "/" LONG "/b234567890123456", .body = "x"}, MAIN},
     END_GOOD},
    {"no main.lua", {LIB}, END_GOOD},
    {"main.lua in a directory", {LIB, {.name = "lib/main.lua", .body = "x"}}, END_GOOD},
    {"main.lua as a directory", {{.name = "main.lua/", .type = '5'}}, END_GOOD},
    {"main.lua in other letters", {{.name = "MAIN.LUA", .body = "x"}}, END_GOOD},
    {"nothing but an end mark", {{NULL}}, END_GOOD},
    {"nothing at all", {{NULL}}, END_NONE},
    {"no end mark", {MAIN}, END_NONE},
    {"half an end mark", {MAIN}, END_ONE},
    {"an end mark cut short", {MAIN}, END_CUT},
    {"an end mark and a half", {MAIN}, END_THREE},
    {"a byte in the end mark", {MAIN}, END_DIRTY},
    {"a byte behind the end", {MAIN}, END_BYTE},
    {"a second archive behind the first", {MAIN}, END_MEMBER},
};

/* The generation's directory is the only place that may have changed. */
static uint64_t elsewhere(const struct sim *sim)
{
    struct sim *copy = sim_clone(sim);
    uint64_t fingerprint;

    (void)!up_storage_remove_tree(sim_storage(copy), "/state/script/7.new", NULL);
    (void)!up_storage_remove_tree(sim_storage(copy), "/state/script/7", NULL);
    (void)!up_storage_remove_tree(sim_storage(copy), "/state/spool", NULL);
    fingerprint = sim_fingerprint(copy);
    sim_free(copy);
    return fingerprint;
}

static int make(struct sim *sim, const char *spool, uint64_t size, const char *dir, struct up_error *err)
{
    struct up_generation_maker *maker;
    int rc = up_generation_maker_open(&maker, sim_storage(sim), spool, size, dir, 7, err);

    if (rc < 0)
        return rc;
    do
        rc = up_generation_maker_step(maker, err);
    while (rc == UP_AGAIN);
    up_generation_maker_close(maker);
    return rc;
}

static int extract(struct sim *sim, const struct archive *a, struct up_error *err)
{
    sim_settle(sim);
    sim_put(sim, "/state/spool", a->data, a->size, 0600);
    return make(sim, "/state/spool", a->size, "/state/script", err);
}

/* What verify says of it, whatever the pieces that it comes in. */
static int verdict(const struct archive *a, size_t piece, struct up_error *err)
{
    struct up_script_archive check;
    int rc = 0;

    up_script_archive_begin(&check, UP_ARCHIVE_OF_SCRIPT, a->size);
    for (size_t at = 0; rc == 0 && at < a->size; at += piece)
        rc = up_script_archive_feed(&check, a->data + at, a->size - at < piece ? a->size - at : piece, err);
    return rc < 0 ? rc : up_script_archive_end(&check, err);
}

static int verdict_as(enum up_script_archive_kind kind, const struct archive *a,
                      struct up_script_archive *check, struct up_error *err)
{
    int rc;

    up_script_archive_begin(check, kind, a->size);
    rc = up_script_archive_feed(check, a->data, a->size, err);
    return rc < 0 ? rc : up_script_archive_end(check, err);
}

static void judge(const char *name, int rc, int code, bool clean, const struct up_error *err)
{
    cases++;
    if (rc == code && clean)
        return;
    through++;
    print_message("%s: code %d instead of %d%s: %s\n", name, rc, code,
                  clean ? "" : ", and something is left over", rc < 0 ? err->message : "");
}

static void refuse_archive(const char *name, const struct archive *a)
{
    static const struct piece main = MAIN;
    struct archive good = {.size = 0};
    struct sim *sim = sim_new();
    struct up_error err = {0};
    uint64_t before;
    bool clean;
    int rc;

    sim_put_text(sim, "/state/secret", "not to be touched");
    sim_put_dir(sim, "/state/script", 0755);
    before = elsewhere(sim);
    rc = extract(sim, a, &err);
    clean = elsewhere(sim) == before && !sim_exists(sim, "/state/script/7") &&
            !sim_exists(sim, "/state/script/7.new") && sim_open_files(sim) == 0;
    judge(name, rc, UP_UNTRUSTED, clean, &err);
    judge(name, verdict(a, a->size ? a->size : 1, &err), UP_UNTRUSTED, true, &err);
    judge(name, verdict(a, 7, &err), UP_UNTRUSTED, true, &err);
    put_piece(&good, &main);
    put_end(&good, END_GOOD);
    must(verdict(&good, 1, &err), &err);
    must(extract(sim, &good, &err), &err);
    assert_true(sim_exists(sim, "/state/script/7/main.lua") && !sim_exists(sim, "/state/script/7.new"));
    assert_true(elsewhere(sim) == before);
    sim_free(sim);
}

static void test_scripts(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof script_cases / sizeof script_cases[0]; i++) {
        const struct script_case *c = &script_cases[i];
        struct archive a = {.size = 0};

        for (int p = 0; p < 4 && c->piece[p].name; p++)
            put_piece(&a, &c->piece[p]);
        put_end(&a, c->end);
        refuse_archive(c->name, &a);
    }
}

#define FOLDER(path)                \
    {                               \
        .name = (path), .type = '5' \
    }
#define FILE_AT(path)               \
    {                               \
        .name = (path), .body = "x" \
    }

/* What a hotfix may have, and what it needs. */
static const struct hotfix_case {
    struct piece piece[5];
    bool files;        /* it has some */
    const char *words; /* why it is refused; NULL: it is not */
} hotfix_cases[] = {
    {{FOLDER("lua/"), FILE_AT("lua/a.lua")}, false, NULL},
    {{FOLDER("lua/"), FOLDER("lua/a/"), FILE_AT("lua/a/b.lua"), FILE_AT("test.lua")}, false, NULL},
    {{FOLDER("files/"), FILE_AT("files/update.ini")}, true, NULL},
    {{FOLDER("files/"), FILE_AT("files/app"), FILE_AT("files/update.ini"), FILE_AT("test.lua")}, true, NULL},
    {{FOLDER("files/"), FILE_AT("files/update.ini"), FOLDER("lua/"), FILE_AT("lua/a.lua")}, true, NULL},
    {{FOLDER("lua/"), FILE_AT("lua/mainly.lua"), FILE_AT("lua/system.lua")}, false, NULL},
    {{FOLDER("files/"), FILE_AT("files/update.ini"), FILE_AT("files/updates.ini")}, true, NULL},
    {{FOLDER("files/"), FILE_AT("files/app")}, false, "files/ has no update.ini"},
    {{FOLDER("files/"), FOLDER("lua/"), FILE_AT("lua/a.lua")}, false, "files/ has no update.ini"},
    {{FOLDER("files/"), FOLDER("files/sub/"), FILE_AT("files/update.ini")}, false, "must be flat"},
    {{FOLDER("files/"), FOLDER("files/update.ini/")}, false, "must be flat"},
    {{FOLDER("lua/")}, false, "has neither a module"},
    {{FOLDER("lua/"), FOLDER("lua/a/"), FILE_AT("test.lua")}, false, "has neither a module"},
    {{FILE_AT("test.lua")}, false, "has neither a module"},
    {{FOLDER("lua/"), FILE_AT("lua/a.lua"), FOLDER("test.lua/")}, false, "test.lua: only lua/"},
    {{FILE_AT("lua")}, false, "lua: only lua/"},
    {{FILE_AT("files")}, false, "files: only lua/"},
    {{FILE_AT("main.lua")}, false, "main.lua: only lua/"},
    {{FOLDER("other/")}, false, "other: only lua/"},
    {{FOLDER("lua/"), FILE_AT("lua/main.lua")}, false, "lua/main.lua: main, policy"},
    {{FOLDER("lua/"), FILE_AT("lua/policy.lua")}, false, "lua/policy.lua: main, policy"},
    {{FOLDER("lua/"), FILE_AT("lua/sys.lua")}, false, "lua/sys.lua: main, policy"},
    {{FOLDER("lua/"), FILE_AT("lua/update.lua")}, false, "lua/update.lua: main, policy"},
    {{FOLDER("lua/"), FOLDER("lua/update/"), FILE_AT("lua/update/a.lua")}, false, "lua/update: main, policy"},
    {{FOLDER("lua/"), FOLDER("lua/sys/"), FILE_AT("lua/sys/a.lua")}, false, "lua/sys: main, policy"},
    {{FOLDER("lua/"), FILE_AT("lua/b.lua"), FILE_AT("lua/a.lua")}, false, "lua/a.lua out of order"},
    {{FILE_AT("lua/a.lua")}, false, "below no directory"},
    {{FOLDER("lua/"), FOLDER("lua/a/"), FILE_AT("lua/a/x.lua"), FILE_AT("lua/b/x.lua")},
     false,
     "below no directory"},
};

static void test_hotfixes(void **state)
{
    static struct up_script_archive check;

    (void)state;
    for (size_t i = 0; i < sizeof hotfix_cases / sizeof *hotfix_cases; i++) {
        const struct hotfix_case *c = &hotfix_cases[i];
        struct archive a = {.size = 0};
        struct up_error err = {0};
        int rc;

        for (int p = 0; p < 5 && c->piece[p].name; p++)
            put_piece(&a, &c->piece[p]);
        put_end(&a, END_GOOD);
        rc = verdict_as(UP_ARCHIVE_OF_HOTFIX, &a, &check, &err);
        if (rc != (c->words ? UP_UNTRUSTED : 0) || (c->words && !strstr(err.message, c->words)) ||
            (!c->words && check.has_files != c->files))
            fail_msg("case %zu: code %d, files %d: %s", i, rc, check.has_files, err.message);
        if (!c->words && verdict(&a, a.size, &err) != UP_UNTRUSTED)
            fail_msg("case %zu is taken for a script", i);
    }
}

/* What nobody signed, and is for a handler: one file of one name. */
static void test_opaque(void **state)
{
    static const struct {
        struct piece piece[2];
        bool good;
    } opaque_cases[] = {{{FILE_AT(UP_OPAQUE_NAME)}, true},
                        {{FILE_AT("other.bin")}, false},
                        {{FOLDER(UP_OPAQUE_NAME "/")}, false},
                        {{FILE_AT("a"), FILE_AT(UP_OPAQUE_NAME)}, false},
                        {{FILE_AT(UP_OPAQUE_NAME), FILE_AT("z")}, false},
                        {{{.name = NULL}}, false}};
    static struct up_script_archive check;

    (void)state;
    for (size_t i = 0; i < sizeof opaque_cases / sizeof *opaque_cases; i++) {
        struct archive a = {.size = 0};
        struct up_error err;
        int rc;

        for (int p = 0; p < 2 && opaque_cases[i].piece[p].name; p++)
            put_piece(&a, &opaque_cases[i].piece[p]);
        put_end(&a, END_GOOD);
        rc = verdict_as(UP_ARCHIVE_OF_OPAQUE, &a, &check, &err);
        if (rc != (opaque_cases[i].good ? 0 : UP_UNTRUSTED))
            fail_msg("case %zu: code %d", i, rc);
    }
}

/* Cut at any place, and with a byte between a member and the next block. */
static void test_cut_scripts(void **state)
{
    static const struct piece lib = LIB, main = MAIN, body = {.name = "lib/a.lua", .body = "0123456789"};
    struct archive a = {.size = 0}, cut;

    (void)state;
    put_piece(&a, &lib);
    put_piece(&a, &body);
    put_piece(&a, &main);
    put_end(&a, END_GOOD);
    for (size_t size = 0; size < a.size; size += 171) {
        cut = a;
        cut.size = size;
        refuse_archive("cut short", &cut);
    }
    cut = a;
    cut.data[2 * UP_TAR_BLOCK + 10] = 'x';
    refuse_archive("a byte right behind a member", &cut);
    cut = a;
    cut.data[5 * UP_TAR_BLOCK - 1] = 'x';
    refuse_archive("a byte at the end of the padding", &cut);
}

static void make_good(struct archive *a)
{
    static const struct piece lib = LIB, main = MAIN, body = {.name = "lib/a.lua", .body = "0123456789"};

    a->size = 0;
    put_piece(a, &lib);
    put_piece(a, &body);
    put_piece(a, &main);
    put_end(a, END_GOOD);
}

/* Whatever fails while a good archive is extracted: that is no word about the
 * archive, there is no generation, and the next try makes it. */
static void test_script_faults(void **state)
{
    static const enum sim_op ops[] = {SIM_OPEN, SIM_PREAD,    SIM_PWRITE, SIM_SYNC,  SIM_MKDIR,
                                      SIM_STAT, SIM_SYNC_DIR, SIM_RENAME, SIM_UNLINK};
    static struct archive good;
    unsigned failures = 0;

    (void)state;
    make_good(&good);
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
        bool met = true;

        for (unsigned n = 1; met; n++) {
            struct sim *sim = sim_new();
            struct up_error err;
            int rc;

            sim_put_dir(sim, "/state/script", 0755);
            sim_put_text(sim, "/state/script/7.new/half", "of an earlier try");
            sim_reset_counters(sim);
            sim_fail(sim, ops[i], n, EDQUOT, false);
            rc = extract(sim, &good, &err);
            met = sim_calls(sim, ops[i]) >= n;
            if (met ? (rc != UP_WRITE && rc != UP_NOSPACE) || !strstr(err.message, strerror(EDQUOT))
                    : rc != 0)
                fail_msg("%s %u failed: code %d, %s", sim_op_name(ops[i]), n, rc, err.message);
            if (met && ops[i] == SIM_MKDIR) /* it is not found out later alone */
                assert_int_equal(rc, UP_NOSPACE);
            failures += met;
            assert_int_equal(sim_open_files(sim), 0);
            if (rc < 0 && ops[i] != SIM_SYNC_DIR)
                assert_false(sim_exists(sim, "/state/script/7"));
            sim_fail(sim, ops[i], 0, 0, false);
            must(extract(sim, &good, &err), &err);
            assert_true(sim_exists(sim, "/state/script/7/main.lua"));
            assert_false(sim_exists(sim, "/state/script/7.new"));
            sim_free(sim);
        }
    }
    assert_true(failures > 25);
}

/* How many files are written when the archive is extracted once more. */
static unsigned written(struct sim *sim, const struct archive *a)
{
    struct up_error err;
    unsigned count;

    sim_reset_counters(sim);
    must(make(sim, "/state/spool", a->size, "/state/script", &err), &err);
    assert_true(sim_exists(sim, "/state/script/7/lib/a.lua"));
    count = sim_calls(sim, SIM_PWRITE);
    sim_settle(sim);
    return count;
}

/* What was made before a cut stays, when it is what it should be. */
static void test_extraction_goes_on(void **state)
{
    static const char *const others[] = {"0123456789 and more", "012345678", ""};
    static struct archive good;
    struct sim *sim = sim_new();
    struct up_generation_maker *maker;
    struct up_error err;

    (void)state;
    make_good(&good);
    sim_put_dir(sim, "/state/script", 0755);
    sim_put(sim, "/state/spool", good.data, good.size, 0600);
    must(up_generation_maker_open(&maker, sim_storage(sim), "/state/spool", good.size, "/state/script", 7,
                                  &err),
         &err);
    while (!sim_exists(sim, "/state/script/7.new/main.lua"))
        assert_int_equal(up_generation_maker_step(maker, &err), UP_AGAIN);
    up_generation_maker_close(maker); /* main.lua is empty, lib/a.lua is whole */
    assert_int_equal(written(sim, &good), 1);
    assert_int_equal(written(sim, &good), 0);
    sim_put(sim, "/state/script/7/lib/a.lua", "012345678X", 10, 0644);
    assert_int_equal(written(sim, &good), 1);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        char *text;

        sim_put(sim, "/state/script/7/lib/a.lua", others[i], strlen(others[i]), 0644);
        assert_int_equal(written(sim, &good), 1);
        text = sim_get(sim, "/state/script/7/lib/a.lua", NULL);
        assert_string_equal(text, "0123456789");
        free(text);
    }
    (void)!up_storage_remove_tree(sim_storage(sim), "/state/script/7/lib/a.lua", &err);
    sim_settle(sim);
    sim_put(sim, "/state/script/7/lib/a.lua", "0123456789", 10, 0600);
    assert_int_equal(written(sim, &good), 1);
    (void)!up_storage_remove_tree(sim_storage(sim), "/state/script/7/lib", &err);
    sim_settle(sim);
    sim_put_text(sim, "/state/script/7/lib", "a file");
    assert_int_equal(written(sim, &good), 1);
    assert_int_equal(written(sim, &good), 0);
    sim_free(sim);
}

/* Where a path would be cut short nothing is made, linked or removed. */
static void test_long_directories(void **state)
{
    static struct archive good;
    struct up_error err;
    char dir[1600], path[1700];
    unsigned made = 0, refused = 0;
    int rc;

    (void)state;
    make_good(&good);
    for (size_t i = 0; i < sizeof dir; i++)
        dir[i] = i % 180 ? 'd' : '/';
    for (size_t len = 1470; len < 1560; len++) {
        struct sim *sim = sim_new();
        char *before, *after;

        dir[len] = '\0';
        sim_put_dir(sim, dir, 0755);
        sim_put(sim, "/spool", good.data, good.size, 0600);
        rc = make(sim, "/spool", good.size, dir, &err);
        snprintf(path, sizeof path, "%s/7/lib/a.lua", dir);
        assert_int_equal(sim_exists(sim, path), rc == 0);
        made += rc == 0;
        refused += rc == UP_USAGE || rc == UP_WRITE;
        assert_int_equal(made + refused, len - 1469);
        snprintf(path, sizeof path, "%s/current", dir);
        rc = up_generation_link(sim_storage(sim), dir, 7, &err);
        assert_int_equal(sim_exists(sim, path) || rc == UP_WRITE, 1);
        (void)!up_storage_remove_tree(sim_storage(sim), dir, NULL);
        sim_settle(sim);
        snprintf(path, sizeof path, "%s/0123456789012345678901234567890123456789", dir);
        sim_put_text(sim, path, "an old one");
        before = sim_dump(sim, "/");
        rc = up_generation_clean(sim_storage(sim), dir, NULL, 0, &err);
        after = sim_dump(sim, "/");
        assert_int_equal(sim_exists(sim, path), rc < 0);
        assert_int_equal(strcmp(before, after) == 0, rc < 0);
        assert_int_equal(sim_open_files(sim), 0);
        free(before);
        free(after);
        sim_free(sim);
        dir[len] = 'd';
    }
    assert_true(made > 5 && refused > 5);
}

/* A name that is longer than any of ours was put there by somebody else. */
static void test_foreign_names(void **state)
{
    static const char foreign[] =
        "/state/script/0123456789012345678901234567890123456789012345678901234567890123456789";
    struct sim *sim = sim_new();
    struct up_error err;
    uint32_t keep[] = {7};

    (void)state;
    sim_put_text(sim, foreign, "kept");
    sim_put_text(sim, "/state/script/7/main.lua", "kept");
    sim_put_text(sim, "/state/script/07/main.lua", "no number of ours");
    sim_put_text(sim, "/state/script/6/main.lua", "old");
    must(up_generation_clean(sim_storage(sim), "/state/script", keep, 1, &err), &err);
    assert_true(sim_exists(sim, foreign) && sim_exists(sim, "/state/script/7/main.lua"));
    assert_false(sim_exists(sim, "/state/script/07"));
    assert_false(sim_exists(sim, "/state/script/6"));
    sim_free(sim);
}

/* As deep and as long as names can be: extracted, and removed again. */
static void test_depth(void **state)
{
    char name[UP_TAR_NAME_MAX + 2] = "";
    struct archive *a = calloc(1, sizeof *a);
    struct sim *sim = sim_new();
    struct up_error err;

    (void)state;
    assert_non_null(a);
    for (int depth = 1; depth <= 60; depth++) {
        struct piece p = {.name = name, .type = '5'};

        strcat(name, "d/");
        put_piece(a, &p);
    }
    put_piece(a, &(struct piece)MAIN);
    put_end(a, END_GOOD);
    sim_put_dir(sim, "/state/script", 0755);
    must(verdict(a, 100, &err), &err);
    must(extract(sim, a, &err), &err);
    must(extract(sim, a, &err), &err);
    sim_free(sim);
    free(a);
}

/* Where in a package. */
enum place {
    FRONT,
    MANIFEST,
    SIGNATURE_HEADER,
    SIGNATURE,
    INDEX_HEADER,
    INDEX,
    INDEX2_HEADER,
    DATA_HEADER,
    DATA,
    DATA2_HEADER,
    BACK
};
enum change { HEADER, INSERT, POKE, CUT, APPEND, DROP };

struct package_case {
    const char *name;
    enum place place;
    enum change change;
    struct piece piece;
    int off;
    int code;
};

static const struct package_case package_cases[] = {
    {"the manifest up one level", FRONT, HEADER, {.name = "../manifest.json"}, 0, UP_UNTRUSTED},
    {"the manifest absolute", FRONT, HEADER, {.name = "/manifest.json"}, 0, UP_UNTRUSTED},
    {"the manifest in a directory", FRONT, HEADER, {.name = "a/manifest.json"}, 0, UP_UNTRUSTED},
    {"the manifest as a link",
     FRONT,
     HEADER,
     {.name = "manifest.json", .type = '2', .link = "/etc/passwd"},
     0,
     UP_UNTRUSTED},
    {"the manifest as a directory", FRONT, HEADER, {.name = "manifest.json/", .type = '5'}, 0, UP_UNTRUSTED},
    {"the manifest as a device", FRONT, HEADER, {.name = "manifest.json", .type = '4'}, 0, UP_UNTRUSTED},
    {"the manifest executable",
     FRONT,
     HEADER,
     {.name = "manifest.json", .mode = 0755, .size_off = 100},
     0,
     UP_UNTRUSTED},
    {"the manifest set user id",
     FRONT,
     HEADER,
     {.name = "manifest.json", .mode = 04644, .size_off = 100},
     0,
     UP_UNTRUSTED},
    {"the manifest empty", FRONT, HEADER, {.name = "manifest.json"}, 0, UP_UNTRUSTED},
    {"the manifest of 64 KiB and a byte",
     FRONT,
     HEADER,
     {.name = "manifest.json", .size_off = 65537},
     0,
     UP_UNTRUSTED},
    {"the manifest of 8 GiB",
     FRONT,
     HEADER,
     {.name = "manifest.json", POKED(124, "77777777777")},
     0,
     UP_UNTRUSTED},
    {"the manifest's size in base 256",
     FRONT,
     HEADER,
     {.name = "manifest.json", POKED(124, "\x80\0\0\0\0\0\0\0\0\0\1\1")},
     0,
     UP_UNTRUSTED},
    {"the manifest's checksum wrong", FRONT, POKE, {.name = "x", .poke = "7"}, 150, UP_UNTRUSTED},
    {"a shorter manifest", FRONT, HEADER, {.name = "manifest.json", .size_off = 100}, 0, UP_UNTRUSTED},
    {"a header of pax first",
     FRONT,
     INSERT,
     {.name = "x", .type = 'x', .body = "23 path=manifest.json\n"},
     0,
     UP_UNTRUSTED},
    {"a long name of GNU first",
     FRONT,
     INSERT,
     {.name = "././@LongLink", .type = 'L', .body = "manifest.json"},
     0,
     UP_UNTRUSTED},
    {"a member first", FRONT, INSERT, {.name = "evil", .body = "x"}, 0, UP_UNTRUSTED},
    {"a manifest first, unsigned", FRONT, INSERT, {.name = "manifest.json", .body = "{}"}, 0, UP_UNTRUSTED},
    {"a zero block first", FRONT, HEADER, {.name = "", POKED(0, ""), .after = true}, 0, UP_UNTRUSTED},
    {"the manifest changed", MANIFEST, POKE, {.name = "x", .poke = "X"}, 20, UP_UNTRUSTED},
    {"a byte behind the manifest", SIGNATURE_HEADER, POKE, {.name = "x", .poke = "X"}, -1, UP_UNTRUSTED},
    {"the signature missing", SIGNATURE_HEADER, DROP, {.name = "x"}, 1024, UP_UNTRUSTED},
    {"the signature up one level",
     SIGNATURE_HEADER,
     HEADER,
     {.name = "../manifest.minisig", .size_off = 300},
     0,
     UP_UNTRUSTED},
    {"the signature as a link",
     SIGNATURE_HEADER,
     HEADER,
     {.name = "manifest.minisig", .type = '1', .link = "x"},
     0,
     UP_UNTRUSTED},
    {"the signature of 1 KiB and a byte",
     SIGNATURE_HEADER,
     HEADER,
     {.name = "manifest.minisig", .size_off = 1025},
     0,
     UP_UNTRUSTED},
    {"the signature empty", SIGNATURE_HEADER, HEADER, {.name = "manifest.minisig"}, 0, UP_UNTRUSTED},
    {"a member before the signature",
     SIGNATURE_HEADER,
     INSERT,
     {.name = "evil", .body = "x"},
     0,
     UP_UNTRUSTED},
    {"a second manifest", SIGNATURE_HEADER, INSERT, {.name = "manifest.json", .body = "{}"}, 0, UP_UNTRUSTED},
    {"the signature changed", SIGNATURE, POKE, {.name = "x", .poke = "A"}, 70, UP_UNTRUSTED},
    {"a byte behind the signature", INDEX_HEADER, POKE, {.name = "x", .poke = "X"}, -1, UP_UNTRUSTED},
    {"an index up one level", INDEX_HEADER, HEADER, {.name = "../script.idx"}, 0, UP_UNTRUSTED},
    {"an index as a link",
     INDEX_HEADER,
     HEADER,
     {.name = "script.idx", .type = '2', .link = "/etc/passwd"},
     0,
     UP_UNTRUSTED},
    {"an index of another size",
     INDEX_HEADER,
     HEADER,
     {.name = "script.idx", .size_off = 16},
     0,
     UP_UNTRUSTED},
    {"a member before an index", INDEX_HEADER, INSERT, {.name = "evil", .body = "x"}, 0, UP_CORRUPT},
    {"an index changed", INDEX, POKE, {.name = "x", .poke = "X"}, 33, UP_UNTRUSTED},
    {"an index's sum changed", INDEX, POKE, {.name = "x", .poke = "X"}, 100, UP_UNTRUSTED},
    {"a byte behind an index", INDEX2_HEADER, POKE, {.name = "x", .poke = "X"}, -1, UP_UNTRUSTED},
    {"the second index named as the first",
     INDEX2_HEADER,
     HEADER,
     {.name = "script.idx", .size_off = 100},
     0,
     UP_UNTRUSTED},
    {"the second index missing", INDEX2_HEADER, DROP, {.name = "x"}, 1024, UP_CORRUPT},
    {"data up one level", DATA_HEADER, HEADER, {.name = "../script.dat"}, 0, UP_UNTRUSTED},
    {"data as a device", DATA_HEADER, HEADER, {.name = "script.dat", .type = '4'}, 0, UP_UNTRUSTED},
    {"data with another mode", DATA_HEADER, POKE, {.name = "x", .poke = "7"}, 106, UP_UNTRUSTED},
    {"data of another size", DATA_HEADER, POKE, {.name = "x", .poke = "7"}, 130, UP_UNTRUSTED},
    {"data changed", DATA, POKE, {.name = "x", .poke = "\x7f"}, 60, UP_CORRUPT},
    {"a byte behind data", DATA2_HEADER, POKE, {.name = "x", .poke = "X"}, -1, UP_UNTRUSTED},
    {"a member before the second data", DATA2_HEADER, INSERT, {.name = "evil", .body = "x"}, 0, UP_CORRUPT},
    {"the end mark missing", BACK, CUT, {.name = "x"}, -1024, UP_CORRUPT},
    {"half an end mark", BACK, CUT, {.name = "x"}, -512, UP_CORRUPT},
    {"a byte less", BACK, CUT, {.name = "x"}, -1, UP_CORRUPT},
    {"a byte in the end mark", BACK, POKE, {.name = "x", .poke = "X"}, -1, UP_UNTRUSTED},
    {"a byte at the end mark's start", BACK, POKE, {.name = "x", .poke = "X"}, -1024, UP_UNTRUSTED},
    {"a byte more", BACK, APPEND, {.name = "x"}, 1, UP_CORRUPT},
    {"a block of zeros more", BACK, APPEND, {.name = "x"}, 512, UP_CORRUPT},
    {"a member behind the end mark", BACK, INSERT, {.name = "evil", .body = "x"}, 0, UP_CORRUPT},
    {"cut within the manifest", MANIFEST, CUT, {.name = "x"}, 10, UP_CORRUPT},
    {"cut before the signature", SIGNATURE_HEADER, CUT, {.name = "x"}, 0, UP_CORRUPT},
    {"cut within an index", INDEX, CUT, {.name = "x"}, 10, UP_CORRUPT},
    {"cut within data", DATA, CUT, {.name = "x"}, 10, UP_CORRUPT},
};

static size_t place_of(enum place place, const struct up_package_layout *l, size_t size)
{
    size_t signature = UP_TAR_BLOCK + (size_t)up_tar_padded(l->manifest_size);

    switch (place) {
    case FRONT:
        return 0;
    case MANIFEST:
        return UP_TAR_BLOCK;
    case SIGNATURE_HEADER:
        return signature;
    case SIGNATURE:
        return signature + UP_TAR_BLOCK;
    case INDEX_HEADER:
        return (size_t)l->index_offset[0] - UP_TAR_BLOCK;
    case INDEX:
        return (size_t)l->index_offset[0];
    case INDEX2_HEADER:
        return (size_t)l->index_offset[1] - UP_TAR_BLOCK;
    case DATA_HEADER:
        return (size_t)l->data_offset[0] - UP_TAR_BLOCK;
    case DATA:
        return (size_t)l->data_offset[0];
    case DATA2_HEADER:
        return (size_t)l->data_offset[1] - UP_TAR_BLOCK;
    case BACK:
        break;
    }
    return size;
}

/* Insert what is in `more`, with what follows moved up. */
static void insert(struct archive *a, size_t at, const struct archive *more)
{
    assert_true(a->size + more->size <= sizeof a->data);
    memmove(a->data + at + more->size, a->data + at, a->size - at);
    memcpy(a->data + at, more->data, more->size);
    a->size += more->size;
}

static void change(struct archive *a, const struct package_case *c, size_t at)
{
    struct archive more = {.size = 0};

    switch (c->change) {
    case HEADER:
        if (*c->piece.name)
            make_header(a->data + at, &c->piece);
        else
            memset(a->data + at, 0, UP_TAR_BLOCK);
        break;
    case INSERT:
        put_piece(&more, &c->piece);
        insert(a, at, &more);
        break;
    case POKE:
        at += (size_t)c->off;
        a->data[at] = a->data[at] == (uint8_t)c->piece.poke[0] ? 'Y' : (uint8_t)c->piece.poke[0];
        break;
    case CUT:
        a->size = at + (size_t)c->off;
        break;
    case APPEND:
        put_zeros(a, (size_t)c->off);
        break;
    case DROP:
        memmove(a->data + at, a->data + at + c->off, a->size - at - (size_t)c->off);
        a->size -= (size_t)c->off;
        break;
    }
}

/* Whatever comes of the head, only the spool has it. */
static bool spool_alone(const struct sample *sample, const struct archive *a, bool known)
{
    struct sim *sim = sim_new();
    struct memory source;
    struct up_manifest m = {.sequence = 0};
    struct up_package_layout layout;
    struct up_error err;
    uint64_t before;
    bool same;
    int rc;

    sim_put_text(sim, "/secret", "not to be touched");
    before = sim_fingerprint(sim);
    sim_put_dir(sim, "/spool", 0755);
    memory_init(&source, a->data, a->size);
    if (!known)
        source.base.size = UINT64_MAX;
    rc = read_head(sample, sim_storage(sim), &source, "/spool", &m, &layout, &err);
    same = sim_open_files(sim) == 0 && (rc < 0 || m.sequence == 1);
    (void)!up_storage_remove_tree(sim_storage(sim), "/spool", NULL);
    same = same && sim_fingerprint(sim) == before;
    sim_free(sim);
    return same;
}

static void test_packages(void **state)
{
    struct scratch *s = *state;
    struct up_fixture f = {
        .script = true, .core = true, .core_blocks = 2, .script_files = 1, .encoding = UP_ZSTD};
    struct sample sample;
    struct memory source;
    struct up_manifest m;
    struct up_package_layout layout;
    struct up_error err;

    make_sample(&sample, s, &f);
    memory_init(&source, sample.data, sample.size);
    must(read_head(&sample, s->storage, &source, NULL, &m, &layout, &err), &err);
    must(verify_bytes(&sample, s, sample.data, sample.size, &err), &err);
    for (size_t i = 0; i < sizeof package_cases / sizeof package_cases[0]; i++) {
        const struct package_case *c = &package_cases[i];
        struct archive a = {.size = 0};
        int rc;

        put(&a, sample.data, sample.size);
        change(&a, c, place_of(c->place, &layout, sample.size));
        rc = verify_bytes(&sample, s, a.data, a.size, &err);
        judge(c->name, rc, c->code, spool_alone(&sample, &a, true) && spool_alone(&sample, &a, false), &err);
    }
    drop_sample(&sample);
}

/* A block that would become a megabyte: it fills its place, not a byte more. */
static void test_bombs(void **state)
{
    static const enum up_encoding encodings[] = {UP_ZSTD, UP_LZMA};
    static const struct {
        const char *name;
        size_t from, to; /* bytes it was made of, bytes it may become */
    } bombs[] = {
        {"of a megabyte", 1 << 20, 4096}, {"of a byte more", 4097, 4096}, {"of a byte less", 4095, 4096}};
    uint8_t *big = malloc(1 << 20), *stored = malloc(1 << 20), out[4096 + 64];
    struct up_codec *codec;
    struct up_error err;

    (void)state;
    assert_true(big && stored);
    memset(big, 'b', 1 << 20);
    must(up_codec_new(&codec, &err), &err);
    for (size_t e = 0; e < 2; e++)
        for (size_t i = 0; i < sizeof bombs / sizeof bombs[0]; i++) {
            enum up_encoding encoding = encodings[e];
            bool clean = true;
            size_t len;
            int rc;

            must(up_codec_encode(codec, &encoding, big, bombs[i].from, stored, &len, &err), &err);
            assert_int_equal(encoding, encodings[e]);
            memset(out, 0xa5, sizeof out);
            rc = up_codec_decode(codec, encoding, stored, len, out, bombs[i].to, &err);
            for (size_t k = bombs[i].to; k < sizeof out; k++)
                clean = clean && out[k] == 0xa5;
            judge(bombs[i].name, rc, UP_CORRUPT, clean, &err);
        }
    up_codec_free(codec);
    free(big);
    free(stored);
}

static void test_count(void **state)
{
    (void)state;
    print_message("archive: %u cases, %u through\n", cases, through);
    assert_int_equal(through, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scripts),
        cmocka_unit_test(test_hotfixes),
        cmocka_unit_test(test_opaque),
        cmocka_unit_test(test_cut_scripts),
        cmocka_unit_test(test_script_faults),
        cmocka_unit_test(test_extraction_goes_on),
        cmocka_unit_test(test_long_directories),
        cmocka_unit_test(test_foreign_names),
        cmocka_unit_test(test_depth),
        cmocka_unit_test_setup_teardown(test_packages, scratch_set_up, scratch_tear_down),
        cmocka_unit_test(test_bombs),
        cmocka_unit_test(test_count),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
