/*
 * update_ini_check.c -- every rule of an update.ini: what is taken, and what is
 * refused with its line and field.
 */
#include "scratch.h"

#include "update_ini.h"

/* That of the format's own description, blank after a slash included. */
static const char described[] = "MIT\t/mnt/yaffs/app/MIT/Bin\t4\t2\r\n"
                                "window_button_set_up.gif\t/mnt/yaffs/app/MIT/Resource/picture\t1\t4\r\n"
                                "db_set.db\t/mnt/yaffs/app/MIT/ Resource/etc\t4\t4\r\n"
                                "set_db.dat\t/mnt/yaffs/app/MIT/ Resource/etc\t2\t4\r\n";

static void test_described(void **state)
{
    struct up_update_ini ini;
    struct up_error err;

    (void)state;
    must(up_update_ini_parse(&ini, described, strlen(described), &err), &err);
    assert_int_equal(ini.count, 4);
    assert_int_equal(ini.entry[0].operation, UP_FILE_PUT);
    assert_int_equal(ini.entry[0].type, UP_FILE_EXECUTABLE);
    assert_string_equal(ini.entry[0].directory, "/mnt/yaffs/app/MIT/Bin");
    assert_string_equal(ini.entry[0].path, "/mnt/yaffs/app/MIT/Bin/MIT");
    assert_string_equal(ini.entry[0].name, "MIT");
    assert_false(ini.entry[0].stop || ini.entry[0].start);
    assert_string_equal(ini.entry[2].path, "/mnt/yaffs/app/MIT/ Resource/etc/db_set.db");
    assert_int_equal(ini.entry[3].operation, UP_FILE_DELETE);
    assert_int_equal(ini.entry[3].line, 4);
    assert_true(up_update_ini_has_file(&ini, "db_set.db"));
    assert_false(up_update_ini_has_file(&ini, "set_db.dat"));
    up_update_ini_free(&ini);
    assert_int_equal(ini.count, 0);
    up_update_ini_free(&ini); /* of nothing */
}

/* What each line comes to: "+" put, "-" delete, "d" mkdir, "." keep, then "s"
 * stop and "r" start, blank between lines. */
static void summary(const struct up_update_ini *ini, char *out)
{
    for (size_t i = 0; i < ini->count; i++) {
        *out++ = ".+-d"[ini->entry[i].operation];
        if (ini->entry[i].stop)
            *out++ = 's';
        if (ini->entry[i].start)
            *out++ = 'r';
        *out++ = ' ';
    }
    out[-1] = 0;
}

static const struct {
    const char *name, *text, *summary;
} taken[] = {
    {"one line without its end", "a\t/r\t1\t4", "+"},
    {"LF", "a\t/r\t1\t4\nb\t/r\t2\t4\n", "+ -"},
    {"CRLF and LF mixed", "a\t/r\t1\t4\r\nb\t/r\t2\t4\n", "+ -"},
    {"a byte order mark",
     "\xef\xbb\xbf"
     "a\t/r\t1\t4\n",
     "+"},
    {"blank lines", "\n\r\na\t/r\t1\t4\n\n\r\nb\t/r\t4\t8\n\n", "+ +"},
    {"the root of the file system", "a\t/\t1\t4\n", "+"},
    {"blanks in names", "a b\t/r/ c\t1\t4\n", "+"},
    {"bytes of GBK", "\xb8\xfc\xd0\xc2\t/r/\xb3\xcc\xd0\xf2\t1\t4\n", "+"},
    {"a hidden name", ".a\t/r/..b\t1\t4\n", "+"},
    {"stop and start by sum", "a\t/r\t28\t2\n", "+sr"},
    {"stop and start by lines", "a\t/r\t8\t2\na\t/r\t4\t2\na\t/r\t16\t2\n", ".s + .r"},
    {"stop and delete", "a\t/r\t10\t2\n", "-s"},
    {"a program restarted", "a\t/r\t24\t2\n", ".sr"},
    {"a directory added and filled", "d\t/r\t1\t1\ne\t/r/d\t1\t1\na\t/r/d\t1\t4\nb\t/r/d/e\t28\t2\n",
     "d d + +sr"},
    {"a directory deleted, its program stopped", "a\t/r/d\t8\t2\nd\t/r\t2\t1\n", ".s -"},
    {"names that begin alike", "d\t/r\t2\t1\nde\t/r\t1\t4\nda\t/r\t2\t4\n", "- + -"},
    {"directories that begin alike", "d\t/r\t2\t1\nx\t/r/de\t1\t4\n", "- +"},
    {"one file in two places", "a\t/r\t1\t4\na\t/s\t1\t2\n", "+ +"},
};

static void test_taken(void **state)
{
    char got[64];
    struct up_update_ini ini;
    struct up_error err;

    (void)state;
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++) {
        int rc = up_update_ini_parse(&ini, taken[i].text, strlen(taken[i].text), &err);

        if (rc < 0)
            fail_msg("%s: %s", taken[i].name, err.message);
        summary(&ini, got);
        assert_string_equal(got, taken[i].summary);
        up_update_ini_free(&ini);
    }
}

#define NAME_64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static const struct {
    const char *text, *message; /* the whole of it, behind "update.ini" */
} refused[] = {
    {"", ": has no entry"},
    {"\r\n\n", ": has no entry"},
    {"\xef\xbb\xbf", ": has no entry"},
    {"a\n", " line 1: 1 of four fields, with a TAB between them"},
    {"a /r 1 4\n", " line 1: 1 of four fields, with a TAB between them"},
    {"a\t/r\t1\n", " line 1: 3 of four fields, with a TAB between them"},
    {"\n\na\t/r\t1\t4\tx\n", " line 3: more than four fields"},
    {"a\t/r\t1\t4\t\n", " line 1: more than four fields"},
    {"a\t\t/r\t1\t4\n", " line 1: more than four fields"},
    {"a\x01\t/r\t1\t4\n", " line 1: name: holds a control character"},
    {"a\t/r\x7f\t1\t4\n", " line 1: directory: holds a control character"},
    {"a\t/r\t1\t4\r\r\n", " line 1: type: holds a control character"},
    {"a\t/r\r\t1\t4\r\n", " line 1: directory: holds a control character"},
    {"\t/r\t1\t4\n", " line 1: name: is empty"},
    {NAME_64 "0\t/r\t1\t4\n", " line 1: name: 65 bytes, at most 64"},
    {"b/a\t/r\t1\t4\n", " line 1: name: must not be a path"},
    {"/\t/r\t1\t4\n", " line 1: name: must not be a path"},
    {".\t/r\t1\t1\n", " line 1: name: \".\" and \"..\" are not allowed"},
    {"..\t/r\t2\t1\n", " line 1: name: \".\" and \"..\" are not allowed"},
    {"update.ini\t/r\t1\t4\n", " line 1: name: it describes the package and cannot be installed"},
    {".moult-1.new\t/r\t1\t4\n", " line 1: name: names that begin with .moult- are Moult's own"},
    {"a\t\t1\t4\n", " line 1: directory: must be absolute"},
    {"a\tr\t1\t4\n", " line 1: directory: must be absolute"},
    {"a\t./r\t1\t4\n", " line 1: directory: must be absolute"},
    {"a\t /r\t1\t4\n", " line 1: directory: must be absolute"},
    {"a\t/r/\t1\t4\n", " line 1: directory: has an empty part"},
    {"a\t//\t1\t4\n", " line 1: directory: has an empty part"},
    {"a\t//r\t1\t4\n", " line 1: directory: has an empty part"},
    {"a\t/r//s\t1\t4\n", " line 1: directory: has an empty part"},
    {"a\t/r/../etc\t1\t4\n", " line 1: directory: \".\" and \"..\" are not allowed"},
    {"a\t/..\t1\t4\n", " line 1: directory: \".\" and \"..\" are not allowed"},
    {"a\t/r/.\t1\t4\n", " line 1: directory: \".\" and \"..\" are not allowed"},
    {"a\t/r/.moult-x/s\t1\t4\n", " line 1: directory: names that begin with .moult- are Moult's own"},
    {"a\t/r\t\t4\n", " line 1: operation: must be 1, 2, 4, 8 or 16, or a sum of them"},
    {"a\t/r\t0\t4\n", " line 1: operation: must be 1, 2, 4, 8 or 16, or a sum of them"},
    {"a\t/r\t32\t4\n", " line 1: operation: must be 1, 2, 4, 8 or 16, or a sum of them"},
    {"a\t/r\t257\t4\n", " line 1: operation: must be 1, 2, 4, 8 or 16, or a sum of them"},
    {"a\t/r\t01\t4\n", " line 1: operation: must be 1, 2, 4, 8 or 16, or a sum of them"},
    {"a\t/r\t+1\t4\n", " line 1: operation: must be 1, 2, 4, 8 or 16, or a sum of them"},
    {"a\t/r\t-1\t4\n", " line 1: operation: must be 1, 2, 4, 8 or 16, or a sum of them"},
    {"a\t/r\t1 \t4\n", " line 1: operation: must be 1, 2, 4, 8 or 16, or a sum of them"},
    {"a\t/r\t1:\t2\n",
     " line 1: operation: must be 1, 2, 4, 8 or 16, or a sum of them"}, /* no digit, and would be 20 */
    {"a\t/r\t1/\t2\n", " line 1: operation: must be 1, 2, 4, 8 or 16, or a sum of them"},
    {"a\t/r\t:\t2\n", " line 1: operation: must be 1, 2, 4, 8 or 16, or a sum of them"},
    {"a\t/r\t0x1\t4\n", " line 1: operation: must be 1, 2, 4, 8 or 16, or a sum of them"},
    {"a\t/r\t3\t4\n", " line 1: operation: at most one of 1 (add), 2 (delete) and 4 (upgrade)"},
    {"a\t/r\t5\t4\n", " line 1: operation: at most one of 1 (add), 2 (delete) and 4 (upgrade)"},
    {"a\t/r\t31\t2\n", " line 1: operation: at most one of 1 (add), 2 (delete) and 4 (upgrade)"},
    {"a\t/r\t4\t1\n", " line 1: operation: of a directory must be 1 (add) or 2 (delete)"},
    {"a\t/r\t8\t1\n", " line 1: operation: of a directory must be 1 (add) or 2 (delete)"},
    {"a\t/r\t9\t1\n", " line 1: operation: of a directory must be 1 (add) or 2 (delete)"},
    {"a\t/r\t8\t4\n", " line 1: operation: 8 (stop) and 16 (start) are for executables only"},
    {"a\t/r\t20\t8\n", " line 1: operation: 8 (stop) and 16 (start) are for executables only"},
    {"a\t/r\t18\t2\n", " line 1: operation: starts a file that it deletes"},
    {"a b\t/r\t8\t2\n",
     " line 1: name: of a program that is stopped or started must consist of letters, digits and "
     "_.@+-, and must not begin with -"},
    {"-a\t/r\t20\t2\n",
     " line 1: name: of a program that is stopped or started must consist of letters, digits and "
     "_.@+-, and must not begin with -"},
    {"a\t/r\t1\t\n", " line 1: type: must be 1 (directory), 2 (executable), 4 (configuration) or 8 (driver)"},
    {"a\t/r\t1\t3\n",
     " line 1: type: must be 1 (directory), 2 (executable), 4 (configuration) or 8 (driver)"},
    {"a\t/r\t1\t16\n",
     " line 1: type: must be 1 (directory), 2 (executable), 4 (configuration) or 8 (driver)"},
    {"a\t/r\t1\t4x\n",
     " line 1: type: must be 1 (directory), 2 (executable), 4 (configuration) or 8 (driver)"},
    /* Two lines. */
    {"a\t/r\t1\t4\na\t/r\t4\t4\n", " line 2: name: changes the same target as line 1"},
    {"a\t/r\t2\t4\na\t/r\t1\t4\n", " line 2: name: changes the same target as line 1"},
    {"a\t/\t2\t4\n\na\t/\t1\t4\n", " line 3: name: changes the same target as line 1"},
    {"a\t/r\t1\t4\na\t/r\t8\t2\n", " line 2: name: gives another type than line 1"},
    {"a\t/r\t2\t1\na\t/r\t1\t4\n", " line 2: name: gives another type than line 1"},
    {"a\t/r\t8\t2\na\t/r\t12\t2\n", " line 2: name: stops or starts the same program as line 1"},
    {"a\t/r\t16\t2\na\t/r\t20\t2\n", " line 2: name: stops or starts the same program as line 1"},
    {"a\t/r\t2\t2\na\t/r\t16\t2\n", " line 2: name: starts a file that is deleted; see line 1"},
    {"a\t/r\t16\t2\na\t/r\t2\t2\n", " line 2: name: starts a file that is deleted; see line 1"},
    {"a\t/r\t1\t4\nb\t/r/a\t1\t4\n",
     " line 2: name: lies below, or above, a target that is no directory: line 1"},
    {"b\t/r/a\t8\t2\na\t/r\t2\t4\n",
     " line 2: name: lies below, or above, a target that is no directory: line 1"},
    {"d\t/r\t2\t1\na\t/r/d\t1\t4\n",
     " line 2: name: lies below, or above, a directory that is deleted: line 1"},
    {"a\t/r/d/e\t2\t4\nd\t/r\t2\t1\n",
     " line 2: name: lies below, or above, a directory that is deleted: line 1"},
    {"a\t/r/d\t16\t2\nd\t/r\t2\t1\n",
     " line 2: name: lies below, or above, a directory that is deleted: line 1"},
    {"d\t/r\t1\t1\na\t/r/d\t2\t4\n", " line 2: name: deletes below a directory that is added: line 1"},
    {"a\t/r/d\t1\t4\nd\t/r\t1\t1\n",
     " line 2: name: adds a directory too late; what is to be in it comes first: line 1"},
};

static void test_refused(void **state)
{
    struct up_update_ini ini;
    struct up_error err;

    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        err.message[0] = 0;
        if (up_update_ini_parse(&ini, refused[i].text, strlen(refused[i].text), &err) != UP_UNTRUSTED ||
            strcmp(err.message + strlen(UP_UPDATE_INI), refused[i].message) != 0)
            fail_msg("%zu: %s: \"%s\"", i, refused[i].message, err.message);
        up_update_ini_free(&ini);
    }
    print_message("update.ini: %zu wrong texts, 0 through\n", sizeof refused / sizeof *refused);
}

static int parse_bytes(const char *text, size_t len, struct up_error *err)
{
    struct up_update_ini ini;
    int rc = up_update_ini_parse(&ini, text, len, err);

    up_update_ini_free(&ini);
    return rc;
}

static void test_zero_byte(void **state)
{
    struct up_error err;

    (void)state;
    assert_int_equal(parse_bytes("a\0b\t/r\t1\t4\n", 11, &err), UP_UNTRUSTED);
    assert_string_equal(err.message, "update.ini line 1: name: holds a control character");
}

/* A path of `size` bytes: a directory of many parts, and a name of one byte. */
static int parse_path(size_t size, struct up_error *err)
{
    char text[1024];
    size_t len = 0;

    text[len++] = 'a';
    text[len++] = '\t';
    for (size_t i = 0; i < size - 2; i++)
        text[len++] = i % 8 == 0 ? '/' : 'x';
    return parse_bytes(text, len + (size_t)sprintf(text + len, "\t1\t4\n"), err);
}

static void test_bounds(void **state)
{
    static char many[UP_UPDATE_INI_MAX + 2];
    struct up_error err;
    size_t len = 0;

    (void)state;
    must(parse_bytes(NAME_64 "\t/r\t1\t4\n", 72, &err), &err);
    must(parse_path(UP_UPDATE_INI_PATH_MAX, &err), &err);
    assert_int_equal(parse_path(UP_UPDATE_INI_PATH_MAX + 1, &err), UP_UNTRUSTED);
    assert_string_equal(err.message,
                        "update.ini line 1: directory: longer than 512 bytes together with the name");
    for (int i = 0; i < UP_UPDATE_INI_LINES_MAX; i++)
        len += (size_t)sprintf(many + len, "%d\t/r\t1\t4\n", i);
    must(parse_bytes(many, len, &err), &err);
    len += (size_t)sprintf(many + len, "x\t/r\t1\t4\n");
    assert_int_equal(parse_bytes(many, len, &err), UP_UNTRUSTED);
    assert_string_equal(err.message, "update.ini line 1025: more than 1024 entries");
    memset(many, '\n', sizeof many);
    memcpy(many, "x\t/r\t1\t4\n", 9);
    must(parse_bytes(many, UP_UPDATE_INI_MAX, &err), &err);
    assert_int_equal(parse_bytes(many, UP_UPDATE_INI_MAX + 1, &err), UP_UNTRUSTED);
    assert_string_equal(err.message, "update.ini: larger than 262144 bytes");
}

static void test_blanks(void **state)
{
    static const struct {
        const char *text, *trimmed;
        unsigned lines;
    } cases[] = {
        {"a\t/r/ s\t1\t4\n", "a\t/r/s\t1\t4\n", 1},
        {"a\t/ r/  s/ \t1\t4\nb\t/ r\t1\t4", "a\t/r/s/\t1\t4\nb\t/r\t1\t4", 2},
        {"/ a\t/r \t1\t4\n", "/ a\t/r \t1\t4\n", 0}, /* neither in the name nor before a slash */
        {"a\t/r /s\t1/ \t4/ \n", "a\t/r /s\t1/ \t4/ \n", 0},
        {" \n\t \n", " \n\t \n", 0},
        {"", "", 0},
    };
    char text[64];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t len = strlen(strcpy(text, cases[i].text));

        assert_int_equal(up_update_ini_blanks(text, &len, false), cases[i].lines);
        assert_int_equal(len, strlen(cases[i].text));
        assert_string_equal(text, cases[i].text);
        assert_int_equal(up_update_ini_blanks(text, &len, true), cases[i].lines);
        assert_int_equal(len, strlen(cases[i].trimmed));
        assert_memory_equal(text, cases[i].trimmed, len);
    }
}

/* What is cut short or has a wrong byte is read or refused, and no more. */
static void test_cut(void **state)
{
    size_t len = strlen(described);
    char text[sizeof described];
    struct up_error err;

    (void)state;
    for (size_t i = 0; i < len; i++) {
        char *exact = malloc(i ? i : 1); /* so that a sanitizer sees a byte too many */

        memcpy(exact, described, i);
        (void)!parse_bytes(exact, i, &err);
        free(exact);
        for (int bit = 0; bit < 8; bit++) {
            memcpy(text, described, sizeof text);
            text[i] = (char)(text[i] ^ (1 << bit));
            (void)!parse_bytes(text, len, &err);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_described), cmocka_unit_test(test_taken),  cmocka_unit_test(test_refused),
        cmocka_unit_test(test_zero_byte), cmocka_unit_test(test_bounds), cmocka_unit_test(test_blanks),
        cmocka_unit_test(test_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
