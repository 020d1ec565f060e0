/* Making packages: the same bytes each time, what is refused, what stays behind. */
#include "sample.h"

#include "files_folder.h"
#include "pack.h"
#include "sim.h"
#include "tar.h"
#include "tree_tar.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct up_fixture both = {.script = true, .core = true, .sequence = 7, .encoding = UP_ZSTD};

static int run(const struct scratch *s, const char *command)
{
    char line[1024];

    snprintf(line, sizeof line, "cd %s && { %s; } >out.txt 2>&1 </dev/null", s->dir, command);
    return WEXITSTATUS(system(line));
}

static void same_bytes(const struct sample *a, const char *data, size_t size)
{
    assert_int_equal(a->size, size);
    assert_memory_equal(a->data, data, size);
}

/* Another storage, another folder, other times and modes: the same bytes. */
static void test_deterministic(void **state)
{
    static const enum up_encoding encodings[] = {UP_RAW, UP_ZSTD, UP_LZMA};
    struct scratch *s = *state;

    for (size_t i = 0; i < 3; i++) {
        struct up_fixture f = both;
        struct sim *sim = sim_new();
        struct sample one, two;
        struct up_error err;
        size_t size;
        char *data;
        mode_t mask;

        f.encoding = encodings[i];
        make_sample(&one, s, &f);
        mask = umask(077);
        make_sample(&two, s, &f);
        umask(mask);
        same_bytes(&one, two.data, two.size);
        sim_put_dir(sim, "/work", 0700);
        must(up_fixture_pack(sim_storage(sim), "/sample.upd", "/work", &f, &err), &err);
        data = sim_get(sim, "/sample.upd", &size);
        same_bytes(&one, data, size);
        assert_int_equal(sim_open_files(sim), 0);
        assert_false(sim_exists(sim, "/sample.upd.new"));
        assert_false(sim_exists(sim, "/sample.upd.data"));
        assert_false(sim_exists(sim, "/work/fixture.tmp"));
        must(verify_bytes(&one, s, data, size, &err), &err);
        free(data);
        sim_free(sim);
        drop_sample(&one);
        drop_sample(&two);
    }
}

static void test_stock_tools(void **state)
{
    struct scratch *s = *state;
    struct sample sample;
    char *list;

    make_sample(&sample, s, &both);
    assert_int_equal(run(s, "mkdir x && tar -tf sample.upd >list && tar -xf sample.upd -C x"), 0);
    list = scratch_read(s, "list", NULL);
    assert_string_equal(list,
                        "manifest.json\nmanifest.minisig\nscript.idx\ncore.idx\nscript.dat\ncore.dat\n");
    free(list);
    if (run(s, "command -v minisign") == 0)
        assert_int_equal(run(s, "minisign -Vm x/manifest.json -x x/manifest.minisig -p fixture.pub"), 0);
    else
        print_message("stock minisign is not installed: interoperation not checked\n");
    drop_sample(&sample);
}

/* The script part is a tar by itself, and what went in comes out of it. */
static void test_script_content(void **state)
{
    struct scratch *s = *state;
    struct up_tree_tar *tree;
    struct up_error err;
    char path[512], *data, *list;
    size_t size;

    assert_int_equal(run(s,
                         "mkdir -p app/lib/deep app/empty && echo main >app/main.lua && echo x >app/lib-a &&"
                         " head -c 70000 /dev/zero | tr '\\0' z >app/lib/deep/z && : >app/nothing &&"
                         " chmod 700 app/lib-a && chmod 606 app/main.lua"),
                     0);
    must(up_tree_tar_open(&tree, s->storage, scratch_path(s, "app", path), &err), &err);
    assert_true(up_tree_tar_has(tree, "main.lua"));
    assert_true(up_tree_tar_has(tree, "lib/deep/z"));
    assert_false(up_tree_tar_has(tree, "lib"));
    size = (size_t)up_tree_tar_size(tree);
    data = malloc(size + 100);
    for (size_t at = 0, n = 1; at < size; at += n, n = n * 2 + 3 < size - at ? n * 2 + 3 : 1)
        must(up_tree_tar_read(tree, data + at, n < size - at ? n : size - at, &err), &err);
    memset(data + size, 1, 100);
    must(up_tree_tar_read(tree, data + size, 100, &err), &err); /* zeros after the end */
    for (int i = 0; i < 100; i++)
        assert_int_equal(data[size + (size_t)i], 0);
    up_tree_tar_close(tree);
    scratch_write(s, "app.tar", data, size);
    free(data);
    assert_int_equal(run(s, "tar -tvf app.tar >list && mkdir x && tar -xf app.tar -C x && diff -r app x"), 0);
    assert_int_equal(run(s, "cut -c1-10 list | tr '\\n' ' ' >modes; tar -tf app.tar >names"), 0);
    list = scratch_read(s, "modes", NULL);
    assert_string_equal(list,
                        "drwxr-xr-x drwxr-xr-x -rwxr-xr-x drwxr-xr-x -rw-r--r-- -rw-r--r-- -rw-r--r-- ");
    free(list);
    list = scratch_read(s, "names", NULL);
    assert_string_equal(list, "empty/\nlib/\nlib-a\nlib/deep/\nlib/deep/z\nmain.lua\nnothing\n");
    free(list);
}

/* Make the parts, then pack them as the case asks. */
static int try_pack(const struct scratch *s, const struct up_pack_part *script,
                    const struct up_pack_part *files, const struct up_pack_part *core, struct up_error *err)
{
    struct up_manifest m = {.sequence = 1, .core_version = core ? 1 : 0};
    struct up_pack_options options = {.manifest = &m, .script = script, .files = files, .core = core};
    char path[512], out[512];
    struct up_secret *key;
    struct up_pack *pack;
    uint64_t done, total;
    int rc;

    strcpy(m.project, "METER");
    memset(m.product_key, 'a', 64);
    strcpy(m.release, "1.0");
    strcpy(m.script_version, script ? "1.0" : "");
    strcpy(m.files_version, files ? "1" : "");
    strcpy(m.core_name, core ? "core" : "");
    must(up_fixture_keys(s->storage, s->dir, false, err), err);
    must(up_signing_key_load(&key, s->storage, scratch_path(s, "fixture.key", path), err), err);
    options.key = key;
    rc = up_pack_open(&pack, s->storage, &options, scratch_path(s, "out.upd", out), err);
    if (rc == 0) {
        do {
            rc = up_pack_step(pack, err);
        } while (rc == UP_AGAIN);
        up_pack_progress(pack, &done, &total);
        if (rc == 0)
            assert_true(done == total && up_pack_size(pack) > 0);
        up_pack_close(pack);
    }
    up_signing_key_free(key);
    assert_int_equal(access(scratch_path(s, "out.upd.new", path), F_OK), -1);
    assert_int_equal(access(scratch_path(s, "out.upd.data", path), F_OK), -1);
    return rc;
}

static void test_refused_trees(void **state)
{
    static const struct {
        const char *make, *message;
        int code;
    } cases[] = {
        {"ln -s main.lua app/link", "symbolic link", UP_USAGE},
        {"ln -s /etc app/lib", "symbolic link", UP_USAGE},
        {"mkfifo app/pipe", "pipe", UP_USAGE},
        {"rm app/main.lua", "no main.lua", UP_USAGE},
        {"rm app/main.lua; mkdir app/main.lua", "no main.lua", UP_USAGE},
        {"rm -r app", "app", UP_MISSING},
        {"rm -r app; touch app", "app", UP_USAGE},
        {"touch \"$(printf 'app/a\\nb')\"", "not allowed", UP_USAGE},
        {"touch app/$(printf '%0120d' 0)", "too long", UP_USAGE},
    };
    struct scratch *s = *state;
    char app[512];
    struct up_pack_part script = {.path = app, .encoding = UP_ZSTD};
    struct up_error err;

    scratch_path(s, "app", app);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(run(s, "rm -rf app; mkdir app; echo 'return 1' >app/main.lua"), 0);
        must(try_pack(s, &script, NULL, NULL, &err), &err);
        assert_int_equal(run(s, cases[i].make), 0);
        must_fail(try_pack(s, &script, NULL, NULL, &err), cases[i].code, cases[i].message, &err);
    }
}

static void test_refused_parts(void **state)
{
    struct scratch *s = *state;
    char image[512], path[512], *before, *after;
    struct up_pack_part core = {.path = image, .encoding = UP_ZSTD};
    struct up_error err;
    size_t before_len, after_len;
    int fd;

    scratch_path(s, "image", image);
    must_fail(try_pack(s, NULL, NULL, &core, &err), UP_MISSING, "image", &err);
    must_fail(try_pack(s, NULL, NULL, NULL, &err), UP_USAGE, "parts", &err);
    scratch_write(s, "image", "", 0);
    must_fail(try_pack(s, NULL, NULL, &core, &err), UP_USAGE, "0 bytes", &err);
    scratch_write(s, "image", "content", 7);
    must(try_pack(s, NULL, NULL, &core, &err), &err);
    before = scratch_read(s, "out.upd", &before_len);
    core.encoding = UP_DELTA;
    must_fail(try_pack(s, NULL, NULL, &core, &err), UP_USAGE, "encoding", &err);
    core.encoding = UP_RAW;
    core.block_size = 2048;
    must_fail(try_pack(s, NULL, NULL, &core, &err), UP_USAGE, "block size", &err);
    core.block_size = 12288;
    must_fail(try_pack(s, NULL, NULL, &core, &err), UP_USAGE, "block size", &err);
    core.block_size = 4096;
    fd = open(scratch_path(s, "image", path), O_WRONLY);
    assert_int_equal(ftruncate(fd, (off_t)1 << 33), 0);
    must_fail(try_pack(s, NULL, NULL, &core, &err), UP_USAGE, "less than 8 GiB", &err);
    assert_int_equal(ftruncate(fd, ((off_t)1 << 33) - 1), 0);
    must_fail(try_pack(s, NULL, NULL, &core, &err), UP_USAGE, "too many blocks", &err);
    close(fd);
    /* Nothing of this touched the package that was there. */
    after = scratch_read(s, "out.upd", &after_len);
    assert_int_equal(before_len, after_len);
    assert_memory_equal(before, after, after_len);
    free(before);
    free(after);
}

/* The folder of a part files is made whole, then the case changes it. */
static void test_refused_folders(void **state)
{
    static const struct {
        const char *make, *message;
        int code;
    } cases[] = {
        {"rm files/update.ini", "files: has no update.ini", UP_USAGE},
        {"rm -r files", "files", UP_MISSING},
        {"rm -r files; echo >files", "files: archive: ", UP_CORRUPT},
        {"rm files/update.ini; mkdir files/update.ini", "files/update.ini: a directory", UP_USAGE},
        {"mkdir files/sub", "files/sub: a directory; files lie side by side", UP_USAGE},
        {"ln -s app files/link", "symbolic link", UP_USAGE},
        {"rm files/app", "files/update.ini line 1: name: there is no file app in the folder", UP_USAGE},
        {"touch files/more", "files/more: no line of update.ini adds or upgrades it", UP_USAGE},
        {"touch files/old", "files/old: no line of update.ini adds or upgrades it", UP_USAGE},
        {"printf 'app\\t/mnt\\t4\\n' >>files/update.ini", "files/update.ini line 3: 3 of four fields",
         UP_USAGE},
        {"printf 'app\\t/mnt\\t4\\t5\\n' >>files/update.ini", "files/update.ini line 3: type: must be",
         UP_USAGE},
        {": >files/update.ini", "files/update.ini: has no entry", UP_USAGE},
        {"head -c 262145 /dev/zero >files/update.ini", "files/update.ini: larger than", UP_USAGE},
    };
    struct scratch *s = *state;
    char path[512];
    struct up_pack_part files = {.path = path, .encoding = UP_ZSTD};
    struct up_error err;

    scratch_path(s, "files", path);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(
            run(s, "rm -rf files; mkdir files; echo 1 >files/app; "
                   "printf 'app\\t/mnt/app\\t4\\t2\\r\\nold\\t/mnt/app\\t2\\t4\\n' >files/update.ini"),
            0);
        must(try_pack(s, NULL, &files, NULL, &err), &err);
        assert_int_equal(run(s, cases[i].make), 0);
        must_fail(try_pack(s, NULL, &files, NULL, &err), cases[i].code, cases[i].message, &err);
    }
}

static const char files_ini[] = "app\t/mnt/app\t28\t2\r\nb\t/mnt/app\t1\t4\r\nc\t/mnt\t2\t1\r\n";

/* With a script and without; the same bytes whatever the modes were, and what a device takes. */
static void test_files(void **state)
{
    static const struct up_fixture alone = {.files = files_ini}, with = {.script = true, .files = files_ini};
    struct scratch *s = *state;
    struct sample one, two, together;
    struct up_error err;
    char *list;
    mode_t mask;

    make_sample(&one, s, &alone);
    assert_int_equal(run(s, "tar -xOf sample.upd manifest.json | grep -c '\"needs\":\\[\"files\"\\]'"), 0);
    must(verify_bytes(&one, s, one.data, one.size, &err), &err);
    mask = umask(077);
    make_sample(&two, s, &alone);
    umask(mask);
    same_bytes(&one, two.data, two.size);
    make_sample(&together, s, &with);
    must(verify_bytes(&together, s, together.data, together.size, &err), &err);
    assert_int_equal(run(s, "tar -tf sample.upd >list"), 0);
    list = scratch_read(s, "list", NULL);
    assert_string_equal(list,
                        "manifest.json\nmanifest.minisig\nscript.idx\nfiles.idx\nscript.dat\nfiles.dat\n");
    free(list);
    /* Content as stored, in one block: a tar as any other. */
    assert_int_equal(run(s, "tar -xOf sample.upd files.dat | tar -tf - >list"), 0);
    list = scratch_read(s, "list", NULL);
    assert_string_equal(list, "update.ini\napp\nb\n");
    free(list);
    /* And not with another byte anywhere. */
    for (size_t i = 0; i < one.size; i++) {
        one.data[i] ^= 1;
        assert_true(verify_bytes(&one, s, one.data, one.size, &err) < 0);
        one.data[i] ^= 1;
    }
    drop_sample(&one);
    drop_sample(&two);
    drop_sample(&together);
}

/* What is packed is the text that was checked. */
static void test_changing_ini(void **state)
{
    struct up_files_blanks blanks = {.remove = false};
    struct scratch *s = *state;
    char path[512], content[2048];
    struct up_tree_tar *tree;
    struct up_error err;

    assert_int_equal(run(s, "mkdir files; printf 'old\\t/mnt/app\\t2\\t4\\n' >files/update.ini"), 0);
    scratch_path(s, "files", path);
    must(up_files_folder_open(&tree, s->storage, path, "files", &blanks, &err), &err);
    assert_int_equal(run(s, "printf 'old\\t/mnt/../x\\t2\\t4\\n' >files/update.ini"), 0);
    must(up_tree_tar_read(tree, content, sizeof content, &err), &err);
    assert_memory_equal(content + UP_TAR_BLOCK, "old\t/mnt/app\t2\t4\n", 17);
    up_tree_tar_close(tree);
}

static void test_files_and_core(void **state)
{
    struct up_fixture f = both;
    struct scratch *s = *state;
    char path[512];
    struct up_error err;

    f.files = files_ini;
    must(up_fixture_pack(s->storage, scratch_path(s, "x.upd", path), s->dir, &f, &err), &err);
}

/* An image named by a link has the size of the file behind it. */
static void test_image_links(void **state)
{
    struct scratch *s = *state;
    struct up_source *source;
    struct up_error err;
    char path[512], name[16];

    for (unsigned size = 1; size < 70000; size = size * 3 / 2 + 1) {
        char *content = calloc(1, size);

        scratch_write(s, "image", content, size);
        free(content);
        snprintf(name, sizeof name, "link%u", size);
        assert_int_equal(symlink("image", scratch_path(s, name, path)), 0);
        must(up_source_file(&source, s->storage, path, &err), &err);
        assert_int_equal(source->size, size);
        source->ops->close(source);
    }
    scratch_write(s, "image", "", 0);
    must(up_source_file(&source, s->storage, path, &err), &err);
    assert_int_equal(source->size, 0);
    source->ops->close(source);
    must_fail(up_source_file(&source, s->storage, scratch_path(s, "", path), &err), UP_MISSING, "directory",
              &err);
    must_fail(up_source_file(&source, s->storage, scratch_path(s, "absent", path), &err), UP_MISSING,
              "absent", &err);
}

/* A file that changes under the packer is noticed. */
static void test_changing_tree(void **state)
{
    struct scratch *s = *state;
    struct up_tree_tar *tree;
    struct up_error err;
    char path[512], buffer[4096];

    for (int grow = 0; grow < 2; grow++) {
        scratch_write(s, "app-main", "0123456789", 10);
        assert_int_equal(run(s, "rm -rf app; mkdir app; mv app-main app/main.lua"), 0);
        must(up_tree_tar_open(&tree, s->storage, scratch_path(s, "app", path), &err), &err);
        assert_int_equal(run(s, grow ? "echo more >>app/main.lua" : "echo >app/main.lua"), 0);
        must_fail(up_tree_tar_read(tree, buffer, sizeof buffer, &err), UP_USAGE, "changed", &err);
        up_tree_tar_close(tree);
    }
}

/* Whatever storage call fails: an error, nothing left over, the old package untouched. */
static void test_faults(void **state)
{
    static const enum sim_op ops[] = {SIM_OPEN,   SIM_PREAD, SIM_PWRITE, SIM_SYNC,    SIM_SYNC_DIR,
                                      SIM_RENAME, SIM_STAT,  SIM_LIST,   SIM_TRUNCATE};
    struct up_error err;
    unsigned failures = 0;

    (void)state;
    for (size_t o = 0; o < sizeof ops / sizeof ops[0]; o++)
        for (unsigned n = 1;; n++) {
            struct sim *sim = sim_new();
            unsigned calls;
            char *out;
            int rc;

            sim_put_dir(sim, "/work", 0755);
            sim_put_text(sim, "/sample.upd", "old");
            sim_reset_counters(sim);
            sim_fail(sim, ops[o], n, ENOSPC, false);
            rc = up_fixture_pack(sim_storage(sim), "/sample.upd", "/work", &both, &err);
            calls = sim_calls(sim, ops[o]);
            sim_fail(sim, ops[o], 0, 0, false);
            out = sim_get(sim, "/sample.upd", NULL);
            if (rc < 0 && rc != UP_NOSPACE && rc != UP_WRITE && rc != UP_USAGE)
                fail_msg("op %d, call %u: code %d, %s", (int)ops[o], n, rc, err.message);
            if (rc < 0 && ops[o] != SIM_SYNC_DIR && ops[o] != SIM_STAT && ops[o] != SIM_LIST)
                assert_string_equal(out, "old");
            failures += rc < 0;
            assert_int_equal(sim_open_files(sim), 0);
            assert_false(sim_exists(sim, "/sample.upd.new"));
            assert_false(sim_exists(sim, "/sample.upd.data"));
            free(out);
            sim_free(sim);
            if (calls < n)
                break;
        }
    assert_true(failures > 30);
}

#define CHECK(name) cmocka_unit_test_setup_teardown(name, scratch_set_up, scratch_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CHECK(test_deterministic), CHECK(test_stock_tools),    CHECK(test_script_content),
        CHECK(test_refused_trees), CHECK(test_refused_parts),  CHECK(test_refused_folders),
        CHECK(test_files),         CHECK(test_files_and_core), CHECK(test_changing_ini),
        CHECK(test_image_links),   CHECK(test_changing_tree),  CHECK(test_faults),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
