/*
 * main.c -- which process this is: supervisor, agent, script, policy, a verb
 * of the command line, or a plain Lua interpreter.
 *
 *     moult --policy [USER]               runtime/policy/sandbox.c
 *     moult --unpack [USER]               runtime/package/bare_child.c
 *     moult --unpack-hotfix [USER]        the same
 *     moult --agent -c CONFIG [-q|-v]     lua/update/agent/init.lua
 *     moult --files TASK -c CONFIG        runtime/supervise/files_helper.c
 *     moult --script DIR OVERLAYS STATE SLOT_A SLOT_B JOURNAL_DIR HEARTBEAT MEMORY [USER [GROUP... | -]]
 *                                         DIR/main.lua, under the supervisor
 *     moult --test TREE DIR OVERLAYS ...  TREE/test.lua of a hotfix, with the same words
 *     moult run [-c CONFIG]               runtime/supervise/supervisor.c
 *     moult run SCRIPT [ARGUMENT...]      one script, without a state
 *     moult FILE.lua [ARGUMENT...]        as plain lua
 *     moult VERB ...                      lua/cli
 */
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bare_child.h"
#include "config.h"
#include "config_kept.h"
#include "error.h"
#include "files_helper.h"
#include "host.h"
#include "host_script.h"
#include "processes.h"
#include "program.h"
#include "rights.h"
#include "running.h"
#include "sandbox.h"
#include "storage.h"
#include "supervisor.h"
#include "waits.h"

#define DEFAULT_CONFIG "/etc/moult/config.lua"
#define SUPERVISOR_FD 3

static int is_file(const char *path)
{
    struct up_storage *storage = up_storage_system();
    struct up_stat st;

    return storage->ops->stat(storage, path, &st) == 0 && st.kind != UP_NODE_DIR;
}

/* Whether a word names a script to run and not a verb. */
static int is_script(const char *word)
{
    size_t n = strlen(word);

    if (*word == '-')
        return 0;
    return (n > 4 && strcmp(word + n - 4, ".lua") == 0) || (strchr(word, '/') && is_file(word));
}

static int run_module(const char *module, int argc, char **argv)
{
    struct lua_State *L = up_host_new();
    int code;

    if (!L)
        return up_host_complain_memory("");
    code = up_host_run_module(L, module, argc, argv);
    up_host_close(L);
    return code;
}

static int run_plain(int argc, char **argv)
{
    struct lua_State *L = up_host_new();
    int code;

    if (!L)
        return up_host_complain_memory("");
    code = up_host_run_file(L, argv[0], argc - 1, argv + 1);
    up_host_close(L);
    return code;
}

/* moult --policy [USER] */
static int mode_policy(int argc, char **argv)
{
    const char *lua = up_host_lua_dir();

    return up_sandbox_main(lua ? lua : ".", argc > 0 ? argv[0] : NULL);
}

/* moult --unpack [USER]. It has given up its rights, so it ends without what exit() does: a sanitizer's look
 * for leaks would fail. */
static int mode_unpack(int argc, char **argv)
{
    _exit(up_bare_child_main(false, argc > 0 ? argv[0] : NULL));
}

static int mode_unpack_hotfix(int argc, char **argv)
{
    _exit(up_bare_child_main(true, argc > 0 ? argv[0] : NULL));
}

/* What the supervisor gave us must not reach programs that we start. */
static void keep_descriptors(void)
{
    fcntl(SUPERVISOR_FD, F_SETFD, FD_CLOEXEC);
    up_waits_adopt();
}

/* moult --agent -c CONFIG [-q|-v] */
static int mode_agent(int argc, char **argv)
{
    keep_descriptors();
    return run_module("update.agent", argc, argv);
}

/* The configuration, or, when somebody broke it while the device runs, the one with which it came up. */
static int load(struct up_config *out, const char *path, struct up_error *err)
{
    char kept[UP_PATH_SIZE];
    struct up_error ignored;

    if (up_host_config(out, path, err) == 0)
        return 0;
    return up_config_kept_path(path, kept, sizeof kept, &ignored) == 0 &&
                   up_host_config(out, kept, &ignored) == 0
               ? 0
               : err->code;
}

/* moult --files TASK[:PLAN] -c CONFIG */
static int mode_files(int argc, char **argv)
{
    struct up_config config;
    struct up_files_helper helper = {&config, up_storage_system(), up_running_system(), up_processes_system(),
                                     SUPERVISOR_FD};
    struct up_error err;
    int n;

    keep_descriptors();
    up_program_take_umask();
    if (argc != 3 || strcmp(argv[1], "-c") != 0) {
        up_fail(&err, UP_USAGE, "--files is for the supervisor: TASK -c CONFIG");
        return up_host_complain("", &err);
    }
    up_config_init(&config);
    n = load(&config, argv[2], &err);
    if (n == 0)
        n = up_files_helper(&helper, argv[0], &err);
    up_config_free(&config);
    return n < 0 ? up_host_complain("files", &err) : 0;
}

/* The configuration may name a command that runs with our rights. */
static void warn_of_writers(const char *path)
{
    struct up_storage *storage = up_storage_system();
    struct up_stat st;

    if (storage->ops->stat(storage, path, &st) == 0 && st.kind == UP_NODE_FILE && st.mode & 022)
        fprintf(stderr, "moult run: warning: %s can be changed by other users (mode %04o)\n", path, st.mode);
}

/* Whether the script can run as the configured user. */
static int check_rights(const struct up_config *config, struct up_error *err)
{
    struct up_rights rights;

    if (!config->script_user)
        return 0;
    if (up_rights_find(&rights, config->script_user,
                       config->has_script_groups ? (const char *const *)config->script_group : NULL,
                       err) < 0 ||
        up_rights_can_take(&rights, err) < 0)
        return up_fail_in(err, "script.user");
    return 0;
}

/* Run the device of a configuration. `why`: what was wrong with the one that its copy `path` stands for; NULL: it is
 * the owner's, of which a copy is kept. *came_up: there was a device. */
static int run_with(const char *path, const struct up_error *why, enum up_verbosity verbosity, bool *came_up,
                    struct up_error *err)
{
    struct up_storage *storage = up_storage_system();
    struct up_config config;
    struct up_supervisor_options options = {
        &config, up_host_program(), verbosity, storage, up_processes_system(), up_running_system(), why};
    struct up_supervisor *s = NULL;
    struct up_config_text text;
    struct up_error ignored;
    int n;

    *came_up = false;
    up_config_init(&config);
    up_config_kept_read(&text, storage, path);
    n = up_host_config(&config, path, err);
    if (n == 0)
        warn_of_writers(config.path);
    if (n == 0)
        n = check_rights(&config, err);
    if (n == 0)
        n = up_supervisor_open(&s, &options, err);
    *came_up = n == 0;
    if (n == 0 && !why && up_config_kept_write(storage, config.path, &text, &ignored) < 0 &&
        verbosity == UP_VERBOSE)
        fprintf(stderr, "moult run: no copy of the configuration is kept: %s\n", ignored.message);
    up_config_kept_free(&text);
    if (n == 0)
        n = up_supervisor_run(s, err);
    up_config_free(&config);
    return n;
}

/* Whether the device can go on with the copy of a configuration that did not bring it up. */
static bool has_other(const char *path, char *kept, size_t size)
{
    struct up_storage *storage = up_storage_system();
    struct up_config_text text;
    struct up_error ignored;
    bool differs;

    up_config_kept_read(&text, storage, path);
    differs = up_config_kept_differs(storage, path, &text);
    up_config_kept_free(&text);
    return differs && up_config_kept_path(path, kept, size, &ignored) == 0;
}

static int run_supervisor(const char *path, enum up_verbosity verbosity)
{
    char kept[UP_PATH_SIZE];
    struct up_error err, second;
    bool came_up;
    int n = run_with(path, NULL, verbosity, &came_up, &err);

    if (n < 0 && !came_up && n != UP_BUSY && has_other(path, kept, sizeof kept)) {
        up_host_complain("run", &err);
        fprintf(stderr, "moult run: goes on with %s, with which the device came up before\n", kept);
        n = run_with(kept, &err, verbosity, &came_up, &second);
        err = n < 0 ? second : err;
    }
    return n < 0 ? up_host_complain("run", &err) : 0;
}

/* moult --script DIR OVERLAYS ... */
static int mode_script(int argc, char **argv)
{
    keep_descriptors();
    return up_host_script(argc, argv);
}

/* moult --test TREE DIR OVERLAYS ... */
static int mode_test(int argc, char **argv)
{
    keep_descriptors();
    return up_host_script_test(argc, argv);
}

/* moult run ...; -1: the command line handles it (help and mistakes). */
static int mode_run(int argc, char **argv)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'},
        {"quiet", no_argument, NULL, 'q'},
        {"verbose", no_argument, NULL, 'v'},
        {0},
    };
    const char *path = getenv("MOULT_CONFIG");
    enum up_verbosity verbosity = UP_NORMAL;

    if (!path || !*path)
        path = DEFAULT_CONFIG;
    if (argc > 0 && *argv[0] != '-')
        return up_host_script_alone(is_file(path) ? path : NULL, argc, argv);
    opterr = 0;
    for (;;) {
        int letter = getopt_long(argc + 1, argv - 1, "+c:qv", options, NULL);

        if (letter == -1)
            break;
        if (letter == 'c')
            path = optarg;
        else if (letter == 'q')
            verbosity = UP_QUIET;
        else if (letter == 'v')
            verbosity = UP_VERBOSE;
        else
            return -1;
    }
    if (optind <= argc)
        return -1;
    return run_supervisor(*path ? path : DEFAULT_CONFIG, verbosity);
}

static void ignore(int number)
{
    (void)number;
}

/* Where standard input, output or error are closed, the next files that are opened would be taken for them: the
 * supervisor would log into the pipe that it reads the log from, and a verb print into the state. */
static void fill_standard_files(void)
{
    int fd;

    do {
        fd = up_program_open_null();
        if (fd >= 0 && fd <= STDERR_FILENO)
            fcntl(fd, F_SETFD, 0); /* standard files are for programs, too */
    } while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0)
        close(fd);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *word;
        int (*run)(int argc, char **argv);
    } modes[] = {
        {"--policy", mode_policy}, {"--unpack", mode_unpack}, {"--unpack-hotfix", mode_unpack_hotfix},
        {"--agent", mode_agent},   {"--files", mode_files},   {"--script", mode_script},
        {"--test", mode_test},     {"run", mode_run},
    };
    struct sigaction quiet = {.sa_handler = ignore, .sa_flags = SA_RESTART};

    fill_standard_files();
    /* A handler and not SIG_IGN: programs started from here get the default again. */
    sigaction(SIGPIPE, &quiet, NULL);
    sigaction(SIGXFSZ, &quiet, NULL); /* a limit of the size of files is an error, not an end */
    /* Where it is ignored, nobody hears how a child ended. Whoever started us may have left it so. */
    signal(SIGCHLD, SIG_DFL);
    for (size_t i = 0; argc > 1 && i < sizeof modes / sizeof *modes; i++) {
        int code = -1;

        if (strcmp(argv[1], modes[i].word) == 0)
            code = modes[i].run(argc - 2, argv + 2);
        if (code >= 0)
            return code;
    }
    if (argc == 2 && strcmp(argv[1], "--version") == 0)
        return puts("moult " MOULT_VERSION) < 0;
    if (argc > 1 && is_script(argv[1]))
        return run_plain(argc - 1, argv + 1);
    return run_module("cli", argc - 1, argv + 1);
}
