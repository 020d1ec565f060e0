/*
 * boot_check.c -- the boot loader's variables on real files: a redundant U-Boot
 * environment in a temporary directory, read back by the stock fw_printenv.
 */
#include "scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>
#include <zlib.h>

#define ENV_SIZE 4096

struct board {
    struct up_storage *storage;
    struct scratch *scratch;
    char config[512];
};

static void write_at(const char *path, const void *data, size_t len, long offset)
{
    int fd = open(path, O_WRONLY | O_CREAT, 0600);

    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, data, len, offset), (long)len);
    close(fd);
}

/* A copy as `saveenv` leaves it: CRC, flag, then strings. */
static void save_copy(const struct board *b, const char *name, uint8_t flag)
{
    static const char defaults[] = "bootcmd=run moult\0bootdelay=2\0";
    uint8_t copy[ENV_SIZE] = {0};
    uint32_t crc;
    char path[512];

    copy[4] = flag;
    memcpy(copy + 5, defaults, sizeof defaults);
    crc = (uint32_t)crc32(0, copy + 5, sizeof copy - 5);
    memcpy(copy, &crc, sizeof crc);
    scratch_path(b->scratch, name, path);
    write_at(path, copy, sizeof copy, 0);
}

static void write_config(const struct board *b, unsigned copies)
{
    FILE *f = fopen(b->config, "w");

    assert_non_null(f);
    fprintf(f, "# device offset size\n");
    for (unsigned i = 0; i < copies; i++)
        fprintf(f, "%s/env%u 0x0 0x%x\n", b->scratch->dir, i, ENV_SIZE);
    fclose(f);
}

static int set_up(void **state)
{
    struct board *b = calloc(1, sizeof *b);

    if (scratch_set_up((void **)&b->scratch) < 0)
        return -1;
    b->storage = b->scratch->storage;
    scratch_path(b->scratch, "fw_env.config", b->config);
    write_config(b, 2);
    save_copy(b, "env0", 1);
    save_copy(b, "env1", 0);
    *state = b;
    return 0;
}

static int tear_down(void **state)
{
    struct board *b = *state;

    int rc = scratch_tear_down((void **)&b->scratch);

    free(b);
    return rc;
}

static void get(const struct board *b, const char *name, char value[UP_BOOT_VALUE_SIZE])
{
    struct up_boot_variable v = {.name = name};

    assert_int_equal(b->storage->ops->boot_get(b->storage, b->config, &v, 1), 0);
    strcpy(value, v.value);
}

static void is(const struct board *b, const char *name, const char *value)
{
    char found[UP_BOOT_VALUE_SIZE];

    get(b, name, found);
    assert_string_equal(found, value);
}

static int set(const struct board *b, const char *order, const char *left)
{
    struct up_boot_variable v[] = {{.name = "BOOT_ORDER"}, {.name = "BOOT_b_LEFT"}};

    strcpy(v[0].value, order);
    strcpy(v[1].value, left);
    return b->storage->ops->boot_set(b->storage, b->config, v, 2);
}

static void many_variables_are_one_write(void **state)
{
    struct board *b = *state;

    is(b, "BOOT_ORDER", "");
    assert_int_equal(set(b, "b a", "3"), 0);
    is(b, "BOOT_ORDER", "b a");
    is(b, "BOOT_b_LEFT", "3");
    is(b, "bootcmd", "run moult");
    assert_int_equal(set(b, "b a", ""), 0);
    is(b, "BOOT_b_LEFT", "");
}

static void the_newer_copy_torn_leaves_the_older(void **state)
{
    struct board *b = *state;
    char path[512];

    assert_int_equal(set(b, "a", ""), 0);    /* into env1 */
    assert_int_equal(set(b, "b a", "3"), 0); /* into env0 */
    scratch_path(b->scratch, "env0", path);
    write_at(path, "torn", 4, 5);
    is(b, "BOOT_ORDER", "a");
    is(b, "BOOT_b_LEFT", "");
    assert_int_equal(set(b, "b a", "2"), 0);
    is(b, "BOOT_b_LEFT", "2");
}

/* What U-Boot itself would find, by a program that is not ours. */
static void the_stock_program_reads_what_we_wrote(void **state)
{
    struct board *b = *state;
    char command[2400], line[256];
    FILE *pipe;

    if (access("/usr/bin/fw_printenv", X_OK) < 0)
        skip();
    assert_int_equal(set(b, "b a", "3"), 0);
    snprintf(command, sizeof command, "/usr/bin/fw_printenv -c '%s' BOOT_ORDER BOOT_b_LEFT bootcmd",
             b->config);
    pipe = popen(command, "r");
    assert_non_null(pipe);
    assert_string_equal(fgets(line, sizeof line, pipe), "BOOT_ORDER=b a\n");
    assert_string_equal(fgets(line, sizeof line, pipe), "BOOT_b_LEFT=3\n");
    assert_string_equal(fgets(line, sizeof line, pipe), "bootcmd=run moult\n");
    assert_int_equal(pclose(pipe), 0);
}

static void expect(int result, int error)
{
    int found = errno;

    assert_int_equal(result, -1);
    assert_int_equal(found, error);
}

static void nothing_is_written_without_a_valid_copy(void **state)
{
    struct board *b = *state;
    struct up_boot_variable v = {.name = "BOOT_ORDER"};
    char path[512];

    for (int i = 0; i < 2; i++) {
        scratch_path(b->scratch, i ? "env1" : "env0", path);
        write_at(path, "\0\0\0\0", 4, 0);
    }
    expect(b->storage->ops->boot_get(b->storage, b->config, &v, 1), ENODATA);
    expect(set(b, "a", ""), ENODATA);
    expect(b->storage->ops->boot_get(b->storage, b->config, &v, 1), ENODATA);
}

static void one_copy_is_read_but_never_written(void **state)
{
    struct board *b = *state;
    char path[512];
    uint8_t copy[ENV_SIZE] = {0}, after[ENV_SIZE];
    uint32_t crc;
    int fd;

    write_config(b, 1);
    strcpy((char *)copy + 4, "BOOT_ORDER=a");
    crc = (uint32_t)crc32(0, copy + 4, sizeof copy - 4);
    memcpy(copy, &crc, sizeof crc);
    scratch_path(b->scratch, "env0", path);
    write_at(path, copy, sizeof copy, 0);
    is(b, "BOOT_ORDER", "a");
    expect(set(b, "b", ""), EOPNOTSUPP);
    fd = open(path, O_RDONLY);
    assert_int_equal(read(fd, after, sizeof after), ENV_SIZE);
    close(fd);
    assert_memory_equal(after, copy, sizeof copy);
}

static void what_is_not_there_is_said(void **state)
{
    struct board *b = *state;
    struct up_boot_variable v = {.name = "BOOT_ORDER"};
    char path[512];

    scratch_path(b->scratch, "env1", path);
    unlink(path);
    assert_int_equal(set(b, "a", ""), -1);
    unlink(b->config);
    expect(b->storage->ops->boot_get(b->storage, b->config, &v, 1), ENOENT);
    expect(set(b, "a", ""), ENOENT);
}

static void a_value_that_is_too_long_is_not_cut(void **state)
{
    struct board *b = *state;
    struct up_boot_variable v = {.name = "bootargs"};
    char path[512], command[4096];

    if (access("/usr/bin/fw_setenv", X_OK) < 0)
        skip();
    scratch_path(b->scratch, "env0", path);
    snprintf(command, sizeof command, "/usr/bin/fw_setenv -c '%s' bootargs %0*d", b->config,
             UP_BOOT_VALUE_SIZE, 1);
    assert_int_equal(system(command), 0);
    expect(b->storage->ops->boot_get(b->storage, b->config, &v, 1), ERANGE);
    is(b, "bootdelay", "2");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(many_variables_are_one_write, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_newer_copy_torn_leaves_the_older, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_stock_program_reads_what_we_wrote, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nothing_is_written_without_a_valid_copy, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_copy_is_read_but_never_written, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_not_there_is_said, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_value_that_is_too_long_is_not_cut, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
