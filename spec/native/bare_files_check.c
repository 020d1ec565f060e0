/*
 * bare_files_check.c -- archives of files as vendors' tools make them: the shapes
 * that are taken, and hostile ones by name. Of those that are refused nothing is left.
 */
#include "scratch.h"

#include <unistd.h>

#include "archives.h"
#include "bare_files.h"
#include "tree_tar.h"

static const char ini[] = "MIT\t/mnt/app/Bin\t4\t2\r\n\xb8\xfc\t/mnt/app/etc\t1\t4\r\n";

static int open_pile(const struct scratch *s, struct pile *p, struct up_tree_tar **tree, struct up_error *err)
{
    struct up_files_blanks blanks = {.remove = false};
    char archive[512], dir[512];

    scratch_path(s, "UPDATE.tar.gz", archive);
    scratch_path(s, "box", dir);
    gzip(p);
    assert_int_equal(up_storage_write_file(s->storage, archive, p->data, p->len, 0644, err), 0);
    pile_free(p);
    *p = (struct pile){0};
    return up_bare_files_open(tree, s->storage, archive, dir, &blanks, err);
}

static bool is_left(const struct scratch *s)
{
    char dir[512], part[512];

    return access(scratch_path(s, "box", dir), F_OK) == 0 ||
           access(scratch_path(s, "box.part", part), F_OK) == 0;
}

static void put_dir(struct pile *p, const char *name)
{
    tar_member(p, &(struct member){.name = name, .type = '5', .mode = 0755}, NULL, 0);
}

/* As `tar czf UPDATE.tar.gz ./NAME` does it, and other ways. */
static void test_shapes(void **state)
{
    static const struct {
        const char *title, *dir, *before;
    } shapes[] = {
        {"./NAME", "./UPDATE_080507/", "./UPDATE_080507/"},
        {"NAME", "UPDATE_080507/", "UPDATE_080507/"},
        {"NAME, the folder itself is no entry", NULL, "UPDATE_080507/"},
        {"a name with a blank", "./my update/", "./my update/"},
    };
    struct scratch *s = *state;
    struct up_error err;

    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        static const char *const names[] = {"MIT", "\xb8\xfc", "update.ini"};
        struct up_tree_tar *tree;
        struct pile p = {0};
        char name[64], dir[512];

        if (shapes[i].dir)
            put_dir(&p, shapes[i].dir);
        for (int k = 0; k < 3; k++) {
            snprintf(name, sizeof name, "%s%s", shapes[i].before, names[k]);
            tar_file(&p, name, k == 2 ? ini : "content");
        }
        tar_end(&p);
        if (open_pile(s, &p, &tree, &err) < 0)
            fail_msg("%s: %s", shapes[i].title, err.message);
        assert_string_equal(up_tree_tar_name(tree, 0), "update.ini");
        assert_string_equal(up_tree_tar_name(tree, 1), "MIT");
        assert_string_equal(up_tree_tar_name(tree, 2), "\xb8\xfc");
        assert_null(up_tree_tar_name(tree, 3));
        up_tree_tar_close(tree);
        /* Opened anew, what is left of the last time is no hindrance. */
        must(up_storage_remove_tree(s->storage, scratch_path(s, "box.part", dir), &err), &err);
    }
}

static void good(struct pile *p)
{
    put_dir(p, "./U/");
    tar_file(p, "./U/update.ini", ini);
    tar_file(p, "./U/MIT", "program");
    tar_file(p, "./U/\xb8\xfc", "x");
}

static void whole_parent(struct pile *p) /* what a blank between "./" and NAME makes */
{
    put_dir(p, "./");
    put_dir(p, "./U/");
    tar_file(p, "./U/update.ini", ini);
    tar_file(p, "./other.txt", "x");
}

static void no_folder(struct pile *p)
{
    tar_file(p, "update.ini", ini);
    tar_file(p, "MIT", "x");
}

static void two_folders(struct pile *p)
{
    good(p);
    tar_file(p, "V/MIT", "x");
}

static void like_folder(struct pile *p)
{
    good(p);
    tar_file(p, "UU/MIT", "x");
}

static void empty_folder(struct pile *p)
{
    good(p);
    put_dir(p, "V");
}

static void deeper(struct pile *p)
{
    good(p);
    tar_file(p, "U/lib/x.so", "x");
}

static void folder_inside(struct pile *p)
{
    good(p);
    put_dir(p, "U/lib");
}

static void no_ini(struct pile *p)
{
    tar_file(p, "U/MIT", "x");
}

static void other_case(struct pile *p)
{
    tar_file(p, "U/Update.ini", ini);
    tar_file(p, "U/MIT", "x");
}

static void nothing(struct pile *p)
{
    put_dir(p, "U");
}

static void stranger(struct pile *p)
{
    good(p);
    tar_file(p, "U/more", "x");
}

static void missing(struct pile *p)
{
    tar_file(p, "U/update.ini", ini);
    tar_file(p, "U/MIT", "x");
}

static void bad_ini(struct pile *p)
{
    tar_file(p, "U/update.ini", "MIT\t/mnt/../etc\t4\t2\n");
    tar_file(p, "U/MIT", "x");
}

static void climbs(struct pile *p)
{
    good(p);
    tar_file(p, "U/../MIT", "x");
}

static void absolute(struct pile *p)
{
    good(p);
    tar_file(p, "/U/more", "x");
}

static void twice(struct pile *p)
{
    good(p);
    tar_file(p, "./U/MIT", "other");
}

static void symbolic(struct pile *p)
{
    tar_file(p, "U/update.ini", ini);
    tar_member(p, &(struct member){.name = "U/MIT", .type = '2', .mode = 0777, .link = "/etc/passwd"}, NULL,
               0);
}

static void hard_link(struct pile *p)
{
    good(p);
    tar_member(p, &(struct member){.name = "U/more", .type = '1', .mode = 0644, .link = "U/MIT"}, NULL, 0);
}

static void device(struct pile *p)
{
    good(p);
    tar_member(p, &(struct member){.name = "U/more", .type = '4', .mode = 0644}, NULL, 0);
}

static void set_user(struct pile *p)
{
    good(p);
    tar_member(p, &(struct member){.name = "U/more", .mode = 04755, .size = 1}, "x", 1);
}

static void many(struct pile *p)
{
    char name[32];

    good(p);
    for (int i = 0; i < 1100; i++) {
        snprintf(name, sizeof name, "U/%d", i);
        tar_file(p, name, "");
    }
}

static const struct {
    const char *name;
    void (*make)(struct pile *p);
    int code;
    const char *message;
} hostile[] = {
    {"the whole parent", whole_parent, UP_UNTRUSTED, "other.txt: it must hold one folder with files"},
    {"no folder", no_folder, UP_UNTRUSTED, "update.ini: it must hold one folder with files"},
    {"two folders", two_folders, UP_UNTRUSTED, "V/MIT: it must hold one folder, and has U already"},
    {"a folder that begins alike", like_folder, UP_UNTRUSTED, "and has U already"},
    {"an empty second folder", empty_folder, UP_UNTRUSTED, "and has U already"},
    {"a file two levels down", deeper, UP_NOSPACE, "U/lib/x.so"},
    {"a folder in the folder", folder_inside, UP_UNTRUSTED, "U/lib: it must hold one folder with files"},
    {"no update.ini", no_ini, UP_UNTRUSTED, "has no folder with update.ini"},
    {"update.ini in other letters", other_case, UP_UNTRUSTED, "has no folder with update.ini"},
    {"nothing in the folder", nothing, UP_UNTRUSTED, "has no folder with update.ini"},
    {"a file that no line names", stranger, UP_USAGE, "UPDATE.tar.gz/more: no line of update.ini"},
    {"a file missing", missing, UP_USAGE, "UPDATE.tar.gz/update.ini line 2: name: there is no file"},
    {"an update.ini that climbs", bad_ini, UP_USAGE, "UPDATE.tar.gz/update.ini line 1: directory"},
    {"a name that climbs", climbs, UP_UNTRUSTED, ".."},
    {"an absolute name", absolute, UP_UNTRUSTED, "absolute"},
    {"a file twice", twice, UP_UNTRUSTED, "MIT"},
    {"a link", symbolic, UP_UNTRUSTED, "link"},
    {"a hard link", hard_link, UP_UNTRUSTED, "link"},
    {"a device", device, UP_UNTRUSTED, "U/more"},
    {"a setuid program", set_user, UP_UNTRUSTED, "U/more"},
    {"more files than lines can name", many, UP_NOSPACE, "entries"},
};

static void test_hostile(void **state)
{
    unsigned through = 0, cases = sizeof hostile / sizeof *hostile;
    struct scratch *s = *state;

    for (size_t i = 0; i < cases; i++) {
        struct up_error err = {.message = ""};
        struct up_tree_tar *tree;
        struct pile p = {0};
        int rc;

        hostile[i].make(&p);
        tar_end(&p);
        rc = open_pile(s, &p, &tree, &err);
        if (rc != hostile[i].code || !strstr(err.message, hostile[i].message) || is_left(s)) {
            through++;
            print_message("%s: %d: %s\n", hostile[i].name, rc, err.message);
        }
        if (rc == 0)
            up_tree_tar_close(tree);
    }
    print_message("bare files: %u hostile archives, %u through\n", cases, through);
    assert_int_equal(through, 0);
}

static void test_no_archive(void **state)
{
    struct scratch *s = *state;
    struct up_files_blanks blanks = {.remove = false};
    char path[512], dir[512];
    struct up_tree_tar *tree;
    struct up_error err;

    scratch_path(s, "box", dir);
    scratch_write(s, "text", "no archive\n", 11);
    must_fail(up_bare_files_open(&tree, s->storage, scratch_path(s, "text", path), dir, &blanks, &err),
              UP_CORRUPT, "text", &err);
    must_fail(up_bare_files_open(&tree, s->storage, scratch_path(s, "absent", path), dir, &blanks, &err),
              UP_MISSING, "absent", &err);
    assert_false(is_left(s));
}

#define CHECK(name) cmocka_unit_test_setup_teardown(name, scratch_set_up, scratch_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {CHECK(test_shapes), CHECK(test_hostile), CHECK(test_no_archive)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
