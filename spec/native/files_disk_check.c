/*
 * files_disk_check.c -- updates of files on file systems of the kernel: an overlay, and
 * tmpfs, ext4 and btrfs that are full, have no inodes left, or become read-only. What is not
 * possible is refused with the old tree in place; what was begun goes back without room.
 *
 * In a mount namespace of its own; skipped where there can be none.
 */
#include "files.h"
#include "storage.h"

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cmocka.h>

#define SKIPPED 77
#define BLOCK 4096
#define LARGE (20 * BLOCK)
#define TEXT 8192

static char base[] = "/tmp/files_disk.XXXXXX";
static char root[64], state_dir[64];

static bool shell(const char *format, ...)
{
    char command[1024];
    va_list args;

    va_start(args, format);
    vsnprintf(command, sizeof command, format, args);
    va_end(args);
    return system(command) == 0;
}

/* Names, kinds, modes, owners, sizes, where links lead, and content. */
static void look(char text[TEXT], bool all)
{
    char command[512];
    FILE *pipe;
    size_t n;

    snprintf(
        command, sizeof command,
        "cd %s && find . %s -name lost+found -prune -o -name ballast -prune -o -printf '%%P %%y %%m %%U %%G "
        "%%l\\n' | "
        "sort; find . -type f -size +0 ! -path './ballast*' ! -path '*/.moult-*' -exec cksum {} + | sort -k3",
        root, all ? "" : "-name '.moult-*' -prune -o");
    pipe = popen(command, "r");
    n = fread(text, 1, TEXT - 1, pipe);
    text[n] = '\0';
    assert_int_equal(pclose(pipe), 0);
}

static long long content(void *user, uint32_t number, void *buf, size_t len, uint64_t offset,
                         struct up_error *err)
{
    (void)user, (void)offset, (void)err;
    memset(buf, 'a' + (int)number, len);
    return (long long)len;
}

static const struct up_files_source source = {NULL, content, NULL};

static struct up_files_op ops[] = {
    {.kind = UP_FILES_PUT, .dir = "", .name = "conf", .content = 0, .size = 100, .mode = 0644},
    {.kind = UP_FILES_PUT, .dir = "", .name = "large", .content = 1, .size = LARGE, .mode = 0644},
    {.kind = UP_FILES_DELETE, .dir = "", .name = "data"},
    {.kind = UP_FILES_MAKE_DIR, .dir = "", .name = "new", .mode = 0755},
    {.kind = UP_FILES_INSIDE, .parent = 3, .dir = "", .name = "x", .content = 2, .size = 10, .mode = 0755},
};
#define OPS (sizeof ops / sizeof ops[0])

static struct up_files_plan plan(void)
{
    struct up_files_plan p = {
        .id = {9}, .root_count = 1, .root = {{.path = root, .here = {1}}}, .op_count = OPS, .op = ops};
    static char bytes[LARGE];

    for (size_t i = 0; i < OPS; i++) {
        memset(bytes, 'a' + (int)ops[i].content, sizeof bytes);
        if (ops[i].size > 0)
            up_sha256(bytes, ops[i].size, ops[i].digest);
    }
    return p;
}

static void put_tree(const char *where)
{
    assert_true(
        shell("mkdir -p %s/data/sub && cd %s && echo old >conf && chmod 640 conf && chown 5:6 conf && "
              "echo a >data/a && echo b >data/sub/b && ln -s b data/sub/link && chmod 710 data/sub && "
              "chown 7:8 data/sub && chown -h 9:9 data/sub/link",
              where, where));
}

static bool tree_is_new(void)
{
    return shell(
        "cd %s && test ! -e data && test $(stat -c %%s large) = %d && test $(stat -c %%a-%%u-%%g conf) = "
        "640-5-6 && test -x new/x",
        root, LARGE);
}

/* Up to where it fails, or to the new tree: 0 or the code. */
static int update(struct up_files *f, struct up_error *err)
{
    const struct up_files_plan p = plan();
    int rc = up_files_begin(f, &p, err);

    if (rc == 0)
        rc = up_files_fill(f, &source, err);
    return rc == 0 ? up_files_switch(f, err) : rc;
}

static void assert_back(struct up_files *f, const char *before)
{
    struct up_error err;
    char now[TEXT];

    if (up_files_undo(f, &err) < 0 || up_files_sweep(f, false, &err) < 0)
        fail_msg("%s", err.message);
    look(now, true);
    assert_string_equal(now, before);
}

static void start(struct up_files *f)
{
    struct up_error err;

    assert_true(shell("rm -rf %s && mkdir -p %s", state_dir, state_dir));
    assert_int_equal(up_files_open(f, up_storage_system(), state_dir, &err), 0);
}

static void an_overlay_goes_back_and_forward(void **state)
{
    char before[TEXT];
    struct up_files f;
    struct up_error err;

    (void)state;
    put_tree(root);
    assert_true(
        shell("mkdir %s/up && mount -t tmpfs none %s/up && mkdir %s/up/u %s/up/w", base, base, base, base));
    if (!shell("mount -t overlay none -o lowerdir=%s,upperdir=%s/up/u,workdir=%s/up/w %s 2>/dev/null", root,
               base, base, root))
        skip();
    look(before, true);
    start(&f);
    if (update(&f, &err) < 0)
        fail_msg("%s", err.message);
    assert_true(tree_is_new());
    assert_back(&f, before);
    assert_int_equal(update(&f, &err), 0);
    assert_int_equal(up_files_sweep(&f, true, &err), 0);
    assert_true(tree_is_new() && shell("test -z \"$(find %s -name '.moult-*')\"", root));
    up_files_close(&f);
}

/* `options` of a tmpfs, or NULL: ext4 on a loop device, made with so many inodes. */
static void mount_disk(const char *options, unsigned inodes)
{
    bool fine =
        options
            ? shell("mount -t tmpfs -o %s none %s", options, root)
            : shell("truncate -s 4M %s/image && mkfs.ext4 -q -m 0 -N %u -O ^has_journal %s/image && mount "
                    "-o loop %s/image %s 2>/dev/null",
                    base, inodes, base, base, root);

    if (!fine)
        skip();
    put_tree(root);
}

/* Leave so many blocks. */
static void leave_blocks(unsigned count)
{
    assert_true(shell("cd %s && rm -f ballast && head -c 8M /dev/zero >ballast 2>/dev/null; "
                      "s=$(($(stat -c %%s ballast) - %u)); [ $s -lt 0 ] && s=0; truncate -s $s ballast",
                      root, count * BLOCK));
}

static void try_with_less(const char *before, void (*leave)(unsigned), unsigned most)
{
    unsigned fine = 0, refused = 0;
    struct up_files f;
    struct up_error err;

    start(&f);
    for (unsigned n = 0; n <= most; n++) {
        int rc;

        leave(n);
        rc = update(&f, &err);
        if (rc == 0 && !tree_is_new())
            fail_msg("with %u left the tree is not new", n);
        if (rc < 0 && (rc != UP_NOSPACE || f.stage.step > UP_FILES_STAGED))
            fail_msg("with %u left, %s: %s", n, up_files_stage_step_name(f.stage.step), err.message);
        fine += rc == 0;
        refused += rc < 0;
        if (rc == 0)
            leave(0); /* what goes back needs no room */
        assert_back(&f, before);
    }
    assert_true(fine > 0 && refused > 0);
    up_files_close(&f);
}

static void full(const char *options)
{
    char before[TEXT];

    mount_disk(options, 64);
    look(before, true);
    try_with_less(before, leave_blocks, 40);
}

static void a_full_tmpfs_is_refused(void **state)
{
    (void)state;
    full("size=1M");
}

static void a_full_ext4_is_refused(void **state)
{
    (void)state;
    full(NULL);
}

static void leave_inodes(unsigned count)
{
    assert_true(shell("cd %s && rm -rf lost+found/x && mkdir -p lost+found/x && cd lost+found/x && "
                      "{ touch $(seq 99) 2>/dev/null; ls | head -%u | xargs -r rm; }",
                      root, count));
}

static void without_inodes(const char *options)
{
    char before[TEXT];

    mount_disk(options, 64);
    look(before, true);
    try_with_less(before, leave_inodes, 14);
}

static void a_tmpfs_without_inodes_is_refused(void **state)
{
    (void)state;
    without_inodes("size=1M,nr_inodes=64");
}

static void an_ext4_without_inodes_is_refused(void **state)
{
    (void)state;
    without_inodes(NULL);
}

static void remount(const char *how)
{
    assert_true(shell("mount -o remount,%s %s", how, root));
}

static void what_is_read_only_stays_as_it_is(void **state)
{
    const struct up_files_plan p = plan();
    char before[TEXT], now[TEXT];
    struct up_files f;
    struct up_error err;

    (void)state;
    mount_disk(NULL, 64);
    look(before, true);
    start(&f);
    remount("ro");
    assert_int_equal(update(&f, &err), UP_WRITE);
    assert_non_null(strstr(err.message, "Read-only file system"));
    remount("rw");
    assert_int_equal(up_files_begin(&f, &p, &err), 0);
    remount("ro");
    assert_int_equal(up_files_fill(&f, &source, &err), UP_WRITE);
    remount("rw");
    assert_int_equal(up_files_fill(&f, &source, &err), 0);
    remount("ro");
    assert_int_equal(up_files_switch(&f, &err), UP_WRITE);
    assert_int_equal(f.stage.step, UP_FILES_STAGED);
    look(now, false);
    assert_string_equal(now, before);
    remount("rw");
    assert_back(&f, before);
    up_files_close(&f);
}

/* All of it, data and what describes it: what is added is synced, until nothing can be added. */
static void fill_btrfs(void)
{
    assert_true(shell(
        "mkdir -p %s/ballast && cd %s/ballast && { head -c 300M /dev/zero >>fill; sync fill; for n in 64K "
        "1K; do for i in $(seq 40); do head -c $n /dev/zero >>fill; sync fill; done; done; } 2>/dev/null; "
        "true",
        root, root));
}

static void a_full_btrfs_goes_back(void **state)
{
    char before[TEXT];
    struct up_files f;
    struct up_error err;
    unsigned fine = 0;

    (void)state;
    if (!shell("truncate -s 128M %s/image && mkfs.btrfs -q -M %s/image >/dev/null 2>&1 && mount -o loop "
               "%s/image %s "
               "2>/dev/null",
               base, base, base, root))
        skip();
    put_tree(root);
    look(before, true);
    start(&f);
    for (unsigned left = 0; left <= 4; left++) {
        assert_true(
            shell("mkdir %s/ballast && head -c %u /dev/zero >%s/ballast/spare && sync %s/ballast/spare", root,
                  left * 1000 * BLOCK, root, root));
        fill_btrfs();
        assert_true(shell("rm %s/ballast/spare && sync %s", root, root));
        if (update(&f, &err) == 0) {
            fine++;
            fill_btrfs();
        } else if (err.code != UP_NOSPACE) {
            fail_msg("%s", err.message);
        }
        assert_back(&f, before);
        assert_true(shell("rm -rf %s/ballast && sync %s", root, root));
    }
    assert_true(fine > 0);
    up_files_close(&f);
}

static int set_up(void **state)
{
    (void)state;
    return shell("mkdir %s %s", root, state_dir) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    shell("umount %s 2>/dev/null; umount %s/up 2>/dev/null; rm -rf %s/*", root, base, base);
    return 0;
}

#define ON_DISK(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_DISK(an_overlay_goes_back_and_forward),
        ON_DISK(a_full_tmpfs_is_refused),
        ON_DISK(a_full_ext4_is_refused),
        ON_DISK(a_tmpfs_without_inodes_is_refused),
        ON_DISK(an_ext4_without_inodes_is_refused),
        ON_DISK(what_is_read_only_stays_as_it_is),
        ON_DISK(a_full_btrfs_goes_back),
    };
    int failed;

    if (geteuid() != 0 || unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return SKIPPED;
    if (!mkdtemp(base))
        return 1;
    snprintf(root, sizeof root, "%s/root", base);
    snprintf(state_dir, sizeof state_dir, "%s/state", base);
    failed = cmocka_run_group_tests_name("files_disk", tests, NULL, NULL);
    rmdir(base);
    return failed;
}
