/*
 * boot_check.c -- the boot loader's variables on real files: a redundant U-Boot
 * environment in a temporary directory, read back by the stock fw_printenv; and
 * the driver over it.
 */
#include "scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>
#include <zlib.h>

#include "boot.h"
#include "config.h"
#include "record.h"
#include "sim.h"

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

/* A file of settings that names nothing, or what is no environment; and a name
 * that the library takes for none. */
static void settings_that_name_nothing_are_refused(void **state)
{
    static const char *const texts[] = {"", "# only a comment\n", "/no/such/file 0x0 0x1000\n"};
    struct board *b = *state;
    struct up_boot_variable v = {.name = "BOOT_ORDER"};

    assert_int_equal(set(b, "a", "1"), 0);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        FILE *f = fopen(b->config, "w");

        fputs(texts[i], f);
        fclose(f);
        errno = 0;
        assert_int_equal(set(b, "b", ""), -1);
        assert_int_not_equal(errno, 0);
        errno = 0;
        assert_int_equal(b->storage->ops->boot_get(b->storage, b->config, &v, 1), -1);
        assert_int_not_equal(errno, 0);
    }
    write_config(b, 2);
    is(b, "BOOT_ORDER", "a");
}

/* The first that cannot be read or set ends it: nothing is stored in part. */
static void one_bad_variable_changes_nothing(void **state)
{
    struct board *b = *state;
    struct up_boot_variable v[] = {{.name = "BOOT_ORDER", .value = "b"},
                                   {.name = "a=b", .value = "c"},
                                   {.name = "BOOT_b_LEFT", .value = "3"}};

    assert_int_equal(set(b, "a", "1"), 0);
    assert_int_equal(b->storage->ops->boot_set(b->storage, b->config, v, 3), -1);
    is(b, "BOOT_ORDER", "a");
    is(b, "BOOT_b_LEFT", "1");
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

/*
 * The driver, in the simulator.
 */

static void assert_counts_starts_of_the_kernel(struct sim *sim, struct up_boot *boot)
{
    const struct up_boot_state none = {.count = 1};
    char id[37], kernel[37];

    assert_int_equal(sim_storage(sim)->ops->boot_id(sim_storage(sim), kernel), 0);
    up_boot_id(boot, &none, id);
    assert_string_equal(id, kernel);
    sim_reset_counters(sim);
    sim_fail(sim, SIM_BOOT_ID, 1, EIO, false);
    up_boot_id(boot, &none, id);
    assert_string_equal(id, "");
}

static struct up_boot *open_uboot(struct sim *sim, struct up_config *config)
{
    struct up_error err;
    struct up_boot *boot;

    up_config_init(config);
    config->state = strdup("/state");
    config->boot = UP_BOOT_UBOOT;
    config->fw_env = strdup("/etc/fw_env.config");
    config->cmdline = strdup("/proc/cmdline");
    must(up_boot_open(&boot, sim_storage(sim), up_config_boot(config), &err), &err);
    return boot;
}

static void put_variables(struct sim *sim, const char *order, const char *a, const char *b)
{
    sim_put_variable(sim, "BOOT_ORDER", order);
    sim_put_variable(sim, "BOOT_a_LEFT", a);
    sim_put_variable(sim, "BOOT_b_LEFT", b);
}

static void show(const struct up_boot_state *s, char out[64])
{
    int n = snprintf(out, 64, "%d:", s->running);

    for (int i = 0; i < s->count; i++)
        n += snprintf(out + n, 64 - (size_t)n, " %c%s%d", 'a' + s->order[i], s->good[s->order[i]] ? "+" : "-",
                      s->tries[s->order[i]]);
}

static void variables_are_understood_as_the_boot_script_does(void **state)
{
    static const struct {
        const char *order, *a, *b, *shown;
    } cases[] = {
        {"a", "", "0", "0: a+0"},      {"b a", "", "3", "0: b-3 a+0"},    {"b a", "", "0", "0: b-0 a+0"},
        {"b a", "", "", "0: b+0 a+0"}, {"", "", "", "0: a+0 b+0"},        {"", "", "2", "0: a+0 b-2"},
        {"A B", "", "", "0: a+0 b+0"}, {"rescue  b ", "", "1", "0: b-1"}, {"a a b", "", "", "0: a+0 b+0"},
        {"ab", "0", "", "0: a-0 b+0"}, {"b", "", "x", "0: b-0"},          {"b", "", "12", "0: b-0"},
    };
    struct sim *sim = sim_new();
    struct up_config config;
    struct up_boot *boot = open_uboot(sim, &config);

    (void)state;
    sim_put_text(sim, "/proc/cmdline", "moult.slot=a\n");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct up_boot_state s;
        struct up_error err;
        char shown[64];

        put_variables(sim, cases[i].order, cases[i].a, cases[i].b);
        must(up_boot_select(boot, &s, &err), &err);
        show(&s, shown);
        assert_string_equal(shown, cases[i].shown);
    }
    assert_int_equal(sim_ops(sim), 0); /* the loader chose: nothing is written */
    up_boot_close(boot);
    up_config_free(&config);
    sim_free(sim);
}

static void what_is_written_is_one_write_and_reads_back(void **state)
{
    static const struct {
        struct up_boot_state state;
        const char *order, *a, *b;
    } cases[] = {
        {{.order = {0}, .count = 1, .good = {true}}, "a", "", "0"},
        {{.order = {1, 0}, .count = 2, .good = {true}, .tries = {0, 3}}, "b a", "", "3"},
        {{.order = {1, 0}, .count = 2, .good = {true, true}}, "b a", "", ""},
        {{.order = {1}, .count = 1, .good = {false, true}}, "b", "0", ""},
    };
    struct sim *sim = sim_new();
    struct up_config config;
    struct up_boot *boot = open_uboot(sim, &config);

    (void)state;
    sim_put_text(sim, "/proc/cmdline", "console=ttyS0 moult.slot=b");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct up_boot_state s;
        struct up_error err;
        char value[3][UP_BOOT_VALUE_SIZE], want[64], got[64];

        must(up_boot_write(boot, &cases[i].state, &err), &err);
        assert_int_equal(sim_ops(sim), i + 1);
        sim_variable(sim, "BOOT_ORDER", value[0]);
        sim_variable(sim, "BOOT_a_LEFT", value[1]);
        sim_variable(sim, "BOOT_b_LEFT", value[2]);
        assert_string_equal(value[0], cases[i].order);
        assert_string_equal(value[1], cases[i].a);
        assert_string_equal(value[2], cases[i].b);
        must(up_boot_read(boot, &s, &err), &err);
        assert_int_equal(s.running, 1);
        s.running = 0;
        show(&s, got);
        show(&cases[i].state, want);
        assert_string_equal(got, want);
    }
    up_boot_close(boot);
    up_config_free(&config);
    sim_free(sim);
}

static void the_slot_is_a_word_of_the_command_line(void **state)
{
    static const struct {
        const char *text;
        int slot;
    } cases[] = {
        {"moult.slot=a", 0},
        {"moult.slot=b\n", 1},
        {"quiet moult.slot=b root=/dev/x", 1},
        {"moult.slot=a moult.slot=b", 1},
        {"", -1},
        {"quiet", -1},
        {"xmoult.slot=a", -1},
        {"moult.slot=", -1},
        {"moult.slot=c", -1},
        {"moult.slot=ab", -1},
        {"moult.slot=a moult.slot=", -1},
    };
    struct sim *sim = sim_new();
    struct up_config config;
    struct up_boot *boot = open_uboot(sim, &config);

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct up_boot_state s;
        struct up_error err;
        int slot;

        sim_put_text(sim, "/proc/cmdline", cases[i].text);
        must(up_boot_started(boot, &slot, &err), &err);
        assert_int_equal(slot, cases[i].slot);
        if (slot < 0)
            must_fail(up_boot_read(boot, &s, &err), UP_USAGE, "moult.slot=", &err);
        else
            must(up_boot_read(boot, &s, &err), &err);
    }
    up_boot_close(boot);
    up_config_free(&config);
    sim_free(sim);
}

static void failures_say_what_to_do(void **state)
{
    static const struct {
        int error, code;
        const char *part;
    } cases[] = {
        {ENODATA, UP_STATELOST, "saveenv"},
        {EOPNOTSUPP, UP_USAGE, "redundant"},
        {ENOENT, UP_USAGE, "/etc/fw_env.config"},
        {EIO, UP_WRITE, "/etc/fw_env.config"},
    };
    struct sim *sim = sim_new();
    struct up_config config;
    struct up_boot *boot = open_uboot(sim, &config);

    (void)state;
    sim_put_text(sim, "/proc/cmdline", "moult.slot=b");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct up_boot_state s = {.order = {0}, .count = 1, .good = {true}};
        struct up_error err;

        sim_reset_counters(sim);
        sim_fail(sim, SIM_BOOT_SET, 1, cases[i].error, false);
        must_fail(up_boot_write(boot, &s, &err), cases[i].code, cases[i].part, &err);
        sim_fail(sim, SIM_BOOT_GET, 1, cases[i].error, false);
        must_fail(up_boot_read(boot, &s, &err), cases[i].code, cases[i].part, &err);
        assert_int_equal(s.running, 1); /* that much is known */
        sim_reset_counters(sim);
        sim_fail(sim, SIM_OPEN, 1, cases[i].error, false);
        assert_true(up_boot_read(boot, &s, &err) < 0);
        assert_non_null(strstr(err.message, "/proc/cmdline: "));
        assert_int_equal(s.running, UP_SLOTS);
    }
    assert_counts_starts_of_the_kernel(sim, boot);
    up_boot_close(boot);
    up_config_free(&config);
    sim_free(sim);
}

/* Without slots there is nothing to choose, and each start of the kernel counts. */
static void a_device_without_slots_has_one_pair(void **state)
{
    struct sim *sim = sim_new();
    struct up_storage *storage = sim_storage(sim);
    struct up_config config;
    struct up_boot_state s, other = {.count = 2, .order = {1, 0}};
    struct up_boot *boot;
    struct up_error err;
    int slot = 5;

    (void)state;
    up_config_init(&config);
    config.state = strdup("/state");
    must(up_boot_open(&boot, storage, up_config_boot(&config), &err), &err);
    must(up_boot_started(boot, &slot, &err), &err);
    assert_int_equal(slot, -1);
    must(up_boot_create(boot, &other, &err), &err);
    must(up_boot_write(boot, &other, &err), &err);
    assert_int_equal(sim_ops(sim), 0);
    must(up_boot_select(boot, &s, &err), &err);
    assert_true(s.count == 1 && s.running == 0 && s.good[0] && !s.good[1]);
    must(up_boot_read(boot, &s, &err), &err);
    assert_int_equal(s.count, 1);
    assert_counts_starts_of_the_kernel(sim, boot);
    up_boot_close(boot);
    up_config_free(&config);
    sim_free(sim);
}

/*
 * The driver `file`: its record, and the boot loader that it plays.
 */

#define FILE_BYTES 24

static struct up_boot *open_file(struct sim *sim, struct up_config *config)
{
    struct up_boot_state first = {.order = {0}, .count = 1, .good = {true}};
    struct up_boot *boot;
    struct up_error err;

    up_config_init(config);
    config->state = strdup("/state");
    config->boot = UP_BOOT_FILE;
    assert_int_equal(sim_storage(sim)->ops->mkdir(sim_storage(sim), "/state", 0711), 0);
    must(up_boot_open(&boot, sim_storage(sim), up_config_boot(config), &err), &err);
    must(up_boot_create(boot, &first, &err), &err);
    return boot;
}

static void close_file(struct sim *sim, struct up_config *config, struct up_boot *boot)
{
    up_boot_close(boot);
    up_config_free(config);
    sim_free(sim);
}

static void show_all(const struct up_boot_state *s, char out[128])
{
    snprintf(out, 128, "%d %d of %d, tries %d %d, good %d %d, runs %d, boots %llu", s->order[0], s->order[1],
             s->count, s->tries[0], s->tries[1], s->good[0], s->good[1], s->running,
             (unsigned long long)s->boots);
}

static void each_variable_of_a_file_comes_back(void **state)
{
    static const struct up_boot_state cases[] = {
        {.order = {0}, .count = 1, .good = {true}},
        {.order = {1, 0}, .count = 2, .good = {true}, .tries = {0, 3}, .boots = 1},
        {.order = {1, 0}, .count = 2, .good = {false, true}, .tries = {3, 0}, .running = 1, .boots = 7},
        {.order = {0, 1}, .count = 2, .tries = {1, 3}, .boots = 0x0102030405060708},
        {.order = {1, 1}, .count = 1, .good = {true, true}, .tries = {255, 254}, .running = 1},
    };
    struct sim *sim = sim_new();
    struct up_config config;
    struct up_boot *boot = open_file(sim, &config);

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct up_boot_state s;
        struct up_error err;
        char want[128], got[128];

        must(up_boot_write(boot, &cases[i], &err), &err);
        must(up_boot_read(boot, &s, &err), &err);
        show_all(&cases[i], want);
        show_all(&s, got);
        assert_string_equal(got, want);
    }
    close_file(sim, &config, boot);
}

/* Whole by its sum, and yet no state of a boot loader. */
static void a_file_that_says_nonsense_is_lost(void **state)
{
    static const uint8_t good[FILE_BYTES] = {2, 1, 0, 3, 0, 1, 0, 1, 9};
    static const struct {
        size_t at, len;
        uint8_t byte;
        bool read;
    } cases[] = {
        {0, FILE_BYTES, 2, true},
        {0, FILE_BYTES, 1, true},
        {0, FILE_BYTES, 0, false},
        {0, FILE_BYTES, 3, false},
        {1, FILE_BYTES, 2, false},
        {2, FILE_BYTES, 2, false},
        {5, FILE_BYTES, 2, false},
        {6, FILE_BYTES, 2, false},
        {7, FILE_BYTES, 2, false},
        {7, FILE_BYTES, 255, false},
        {0, FILE_BYTES - 1, 2, false},
        {3, FILE_BYTES, 255, true},
        {0, 0, 2, false},
    };
    struct sim *sim = sim_new();
    struct up_config config;
    struct up_boot *boot = open_file(sim, &config);
    struct up_record r = {
        .storage = sim_storage(sim), .path = "/state/boot", .magic = "MOULTBT1", .capacity = 512};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t bytes[FILE_BYTES] = {0};
        struct up_boot_state s;
        struct up_error err;

        memcpy(bytes, good, sizeof good);
        bytes[cases[i].at] = cases[i].byte;
        must(up_record_write(&r, bytes, cases[i].len, &err), &err);
        if (cases[i].read) {
            must(up_boot_read(boot, &s, &err), &err);
            continue;
        }
        /* One half is enough, and that one is none. */
        must(up_boot_read(boot, &s, &err), &err);
        must(up_record_write(&r, bytes, cases[i].len, &err), &err);
        must_fail(up_boot_read(boot, &s, &err), UP_STATELOST, "both records are unreadable", &err);
        assert_int_equal(s.running, UP_SLOTS);
        assert_int_equal(s.count, 0);
        must(up_record_write(&r, good, sizeof good, &err), &err);
    }
    close_file(sim, &config, boot);
}

/* What runs when nothing can be written is what was good, not what is tried. */
static void without_a_write_the_last_good_slot_runs(void **state)
{
    struct sim *sim = sim_new();
    struct up_config config;
    struct up_boot *boot = open_file(sim, &config);
    struct up_boot_state s = {.order = {1, 0}, .count = 2, .good = {true}, .tries = {0, 3}, .running = 1};

    (void)state;
    up_boot_unwritable(boot, &s);
    assert_int_equal(s.running, 0);
    close_file(sim, &config, boot);
}

static void the_played_loader_takes_the_first_that_may_start(void **state)
{
    static const struct {
        struct up_boot_state before;
        const char *after;
    } cases[] = {
        {{.order = {0}, .count = 1, .good = {true}, .boots = 4},
         "0 0 of 1, tries 0 0, good 1 0, runs 0, boots 5"},
        {{.order = {1, 0}, .count = 2, .good = {true}, .tries = {0, 3}},
         "1 0 of 2, tries 0 2, good 1 0, runs 1, boots 1"},
        {{.order = {1, 0}, .count = 2, .good = {true}, .tries = {0, 1}},
         "1 0 of 2, tries 0 0, good 1 0, runs 1, boots 1"},
        {{.order = {1, 0}, .count = 2, .good = {true}, .running = 1},
         "1 0 of 2, tries 0 0, good 1 0, runs 0, boots 1"},
        {{.order = {1, 0}, .count = 2, .good = {true, true}, .tries = {2, 2}},
         "1 0 of 2, tries 2 2, good 1 1, runs 1, boots 1"},
        /* Nothing may start: what ran last is the best guess. */
        {{.order = {0, 1}, .count = 2, .running = 1}, "0 1 of 2, tries 0 0, good 0 0, runs 1, boots 1"},
    };
    struct sim *sim = sim_new();
    struct up_config config;
    struct up_boot *boot = open_file(sim, &config);

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct up_boot_state s, kept;
        struct up_error err;
        char got[128], id[37];

        must(up_boot_write(boot, &cases[i].before, &err), &err);
        must(up_boot_select(boot, &s, &err), &err);
        show_all(&s, got);
        assert_string_equal(got, cases[i].after);
        must(up_boot_read(boot, &kept, &err), &err);
        show_all(&kept, got);
        assert_string_equal(got, cases[i].after);
        up_boot_id(boot, &s, id);
        assert_int_equal(atoi(id + 5), (int)s.boots);
    }
    close_file(sim, &config, boot);
}

/* What cannot be noted has not been counted: the last good slot runs. */
static void a_choice_that_cannot_be_noted_is_the_good_slot(void **state)
{
    static const struct up_boot_state before = {
        .order = {1, 0}, .count = 2, .good = {true}, .tries = {0, 3}, .running = 1, .boots = 4};
    struct sim *sim = sim_new();
    struct up_config config;
    struct up_boot *boot = open_file(sim, &config);
    struct up_boot_state s;
    struct up_error err;
    char got[128];

    (void)state;
    must(up_boot_write(boot, &before, &err), &err);
    sim_fail(sim, SIM_PWRITE, sim_calls(sim, SIM_PWRITE) + 1, EIO, true);
    must_fail(up_boot_select(boot, &s, &err), UP_WRITE, "/state/boot", &err);
    show_all(&s, got);
    assert_string_equal(got, "1 0 of 2, tries 0 3, good 1 0, runs 0, boots 4");
    must(up_boot_read(boot, &s, &err), &err); /* until it can be written */
    assert_int_equal(s.running, 0);
    sim_fail(sim, SIM_PWRITE, 0, 0, false);
    must(up_boot_write(boot, &before, &err), &err);
    must(up_boot_read(boot, &s, &err), &err);
    assert_int_equal(s.running, 1);
    close_file(sim, &config, boot);
}

static void a_broken_file_is_made_again(void **state)
{
    struct sim *sim = sim_new();
    struct up_config config;
    struct up_boot *boot = open_file(sim, &config);
    struct up_record_view view[2];
    struct up_error err;

    (void)state;
    sim_settle(sim);
    sim_put_text(sim, "/state/boot.1", "nothing of ours");
    must(up_boot_inspect(boot, view, &err), &err);
    assert_string_equal(view[1].state, "broken");
    must(up_boot_tend(boot, &err), &err);
    must(up_boot_inspect(boot, view, &err), &err);
    assert_string_equal(view[1].state, "whole");
    close_file(sim, &config, boot);
}

/* The record has the longest path. */
static void a_state_whose_path_is_too_long_is_refused(void **state)
{
    static const size_t most = UP_PATH_SIZE - sizeof "/boot";
    struct sim *sim = sim_new();
    struct up_config config;
    struct up_boot *boot;
    struct up_error err;
    char path[UP_PATH_SIZE + 100];

    (void)state;
    up_config_init(&config);
    for (size_t len = most - 1; len < most + 4; len++) {
        memset(path, 'x', len);
        path[len] = '\0';
        free(config.state);
        config.state = strdup(path);
        if (len <= most) {
            must(up_boot_open(&boot, sim_storage(sim), up_config_boot(&config), &err), &err);
            up_boot_close(boot);
        } else {
            must_fail(up_boot_open(&boot, sim_storage(sim), up_config_boot(&config), &err), UP_USAGE,
                      "path is too long", &err);
        }
    }
    up_config_free(&config);
    sim_free(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(many_variables_are_one_write, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_newer_copy_torn_leaves_the_older, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_stock_program_reads_what_we_wrote, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nothing_is_written_without_a_valid_copy, set_up, tear_down),
        cmocka_unit_test_setup_teardown(settings_that_name_nothing_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_bad_variable_changes_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_copy_is_read_but_never_written, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_not_there_is_said, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_value_that_is_too_long_is_not_cut, set_up, tear_down),
        cmocka_unit_test(variables_are_understood_as_the_boot_script_does),
        cmocka_unit_test(what_is_written_is_one_write_and_reads_back),
        cmocka_unit_test(the_slot_is_a_word_of_the_command_line),
        cmocka_unit_test(failures_say_what_to_do),
        cmocka_unit_test(a_device_without_slots_has_one_pair),
        cmocka_unit_test(each_variable_of_a_file_comes_back),
        cmocka_unit_test(a_file_that_says_nonsense_is_lost),
        cmocka_unit_test(without_a_write_the_last_good_slot_runs),
        cmocka_unit_test(the_played_loader_takes_the_first_that_may_start),
        cmocka_unit_test(a_choice_that_cannot_be_noted_is_the_good_slot),
        cmocka_unit_test(a_state_whose_path_is_too_long_is_refused),
        cmocka_unit_test(a_broken_file_is_made_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
