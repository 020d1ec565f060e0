/*
 * main.c -- which process this is: supervisor, agent, script, policy, a verb
 * of the command line, or a plain Lua interpreter.
 *
 *     moult --policy [USER]               runtime/policy/sandbox.c
 *     moult --unpack [USER]               runtime/package/bare_child.c
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
#include <errno.h>
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
#include "error.h"
#include "files_helper.h"
#include "host.h"
#include "orphans.h"
#include "processes.h"
#include "rights.h"
#include "running.h"
#include "sandbox.h"
#include "storage.h"
#include "supervisor.h"
#include "waits.h"

#define DEFAULT_CONFIG "/etc/moult/config.lua"
#define SUPERVISOR_FD 3
#define OWN_PATHS 4   /* that a device lives on */
#define FIXED_WORDS 8 /* of --script */
#define TEST_MEMORY ((uint64_t)64 << 20)

static int complain(const char *verb, const struct up_error *err)
{
    fprintf(stderr, "moult%s%s: %s (%s)\n", *verb ? " " : "", verb, err->message, up_code_word(err->code));
    return -err->code;
}

static int complain_memory(const char *verb)
{
    struct up_error err;

    up_fail(&err, UP_INTERNAL, "not enough memory for a Lua state");
    return complain(verb, &err);
}

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
        return complain_memory("");
    code = up_host_run_module(L, module, argc, argv);
    up_host_close(L);
    return code;
}

static int run_plain(int argc, char **argv)
{
    struct lua_State *L = up_host_new();
    int code;

    if (!L)
        return complain_memory("");
    code = up_host_run_file(L, argv[0], argc - 1, argv + 1);
    up_host_close(L);
    return code;
}

/* Whose modules lead: the folder `dir`, and before that those in `overlays`, of which the first leads all. */
static int lead_path(struct lua_State *L, const char *dir, const char *overlays, struct up_error *err)
{
    size_t end = overlays ? strlen(overlays) : 0;
    int n = up_host_lead_path(L, dir, err);

    while (n == 0 && end > 0) {
        size_t start = end;
        char one[UP_PATH_SIZE];

        while (start > 0 && overlays[start - 1] != ';')
            start--;
        snprintf(one, sizeof one, "%.*s", (int)(end - start), overlays + start);
        n = up_host_lead_path(L, one, err);
        end = start > 0 ? start - 1 : 0;
    }
    return n;
}

/* What leads the modules of a script, and what runs it. */
struct play {
    const char *dir, *overlays;
    const char *module;
};

/* Run argv[0] as a device's script: its own folder first in package.path,
 * memory limited, and `require "update"` finds the agent. */
static int run_device_script(uint64_t memory, const struct up_host_device *device, const struct play *play,
                             int argc, char **argv)
{
    struct lua_State *L = up_host_new();
    struct up_error err;
    int code;

    if (!L)
        return complain_memory("run");
    setvbuf(stdout, NULL, _IOLBF, 0); /* a device's output is a log, whoever reads it */
    if (lead_path(L, play->dir, play->overlays, &err) < 0 || up_host_connect(L, device, &err) < 0)
        code = complain("run", &err);
    else if (up_host_limit(L, memory) < 0)
        code = complain_memory("run");
    else
        code = up_host_run_module(L, play->module, argc, argv);
    up_host_close(L);
    return code;
}

/* moult --policy [USER] */
static int mode_policy(int argc, char **argv)
{
    const char *lua = up_host_lua_dir();

    return up_sandbox_main(lua ? lua : ".", argc > 0 ? argv[0] : NULL);
}

/* moult --unpack [USER] */
static int mode_unpack(int argc, char **argv)
{
    return up_bare_child_main(argc > 0 ? argv[0] : NULL);
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

/* moult --files TASK -c CONFIG */
static int mode_files(int argc, char **argv)
{
    struct up_config config;
    struct up_files_helper helper = {&config, up_storage_system(), up_running_system(), up_processes_system(),
                                     SUPERVISOR_FD};
    struct up_error err;
    int n;

    keep_descriptors();
    if (argc != 3 || strcmp(argv[1], "-c") != 0) {
        up_fail(&err, UP_USAGE, "--files is for the supervisor: TASK -c CONFIG");
        return complain("", &err);
    }
    up_config_init(&config);
    n = up_host_config(&config, argv[2], &err);
    if (n == 0)
        n = up_files_helper(&helper, argv[0], &err);
    up_config_free(&config);
    return n < 0 ? complain("files", &err) : 0;
}

/* Become the user in the words USER [GROUP...]: without groups, all that the
 * system gives the user; with "-", none. */
static int take_rights(int argc, char **argv, struct up_error *err)
{
    const char *groups[UP_RIGHTS_GROUPS + 1] = {NULL};
    struct up_rights rights;
    bool all = argc == 1, none = argc == 2 && strcmp(argv[1], "-") == 0;

    if (argc > UP_RIGHTS_GROUPS + 1)
        return up_fail(err, UP_USAGE, "user %s: more than %d groups", argv[0], UP_RIGHTS_GROUPS);
    for (int i = 1; i < argc && !none; i++)
        groups[i - 1] = argv[i];
    /* Find them now: the user may not be able to read the way to them. */
    up_host_lua_dir();
    return up_rights_find(&rights, argv[0], all ? NULL : groups, err) < 0 ? err->code
                                                                          : up_rights_take(&rights, err);
}

/* Collect those of the device's paths that it has. */
static void list_own(const char *own[OWN_PATHS + 1], const char *state, const char *a, const char *b,
                     const char *journal_dir)
{
    const char *const all[OWN_PATHS] = {state, a, b, journal_dir};
    size_t n = 0;

    for (size_t i = 0; i < OWN_PATHS; i++)
        if (all[i] && all[i][0])
            own[n++] = all[i];
    own[n] = NULL;
}

/*
 * moult --script DIR OVERLAYS STATE SLOT_A SLOT_B JOURNAL_DIR HEARTBEAT MEMORY [USER [GROUP... | -]]
 *
 * OVERLAYS: folders whose modules lead those of DIR, with a ';' between them.
 * "" for a path that the device does not have. These words are all that the
 * script needs of the configuration: the clouds' secrets in that file never
 * enter the memory of this process.
 */
static int run_words(const char *tree, int argc, char **argv)
{
    char path[UP_PATH_SIZE], control[UP_PATH_SIZE], *words[] = {path, NULL};
    const char *own[OWN_PATHS + 1];
    struct up_host_device device = {.control = tree ? NULL : control, .own = own};
    struct play play = {argv[0], argc > 1 ? argv[1] : NULL, tree ? "update.script.test" : "update.script"};
    struct up_error err;

    keep_descriptors();
    if (argc < FIXED_WORDS) {
        up_fail(
            &err, UP_USAGE,
            "--script is for the supervisor: DIR OVERLAYS STATE SLOT_A SLOT_B JOURNAL_DIR HEARTBEAT MEMORY "
            "[USER [GROUP...]]");
        return complain("", &err);
    }
    if (up_orphans_mark(&err) < 0)
        fprintf(stderr, "moult run: processes that the script leaves behind cannot be found: %s\n",
                err.message);
    if (argc > FIXED_WORDS && take_rights(argc - FIXED_WORDS, argv + FIXED_WORDS, &err) < 0)
        return complain("run", &err);
    if ((size_t)snprintf(path, sizeof path, "%s/%s.lua", tree ? tree : argv[0], tree ? "test" : "main") >=
            sizeof path ||
        (size_t)snprintf(control, sizeof control, "%s/control", argv[2]) >= sizeof control) {
        up_fail(&err, UP_USAGE, "%s: path too long", argv[0]);
        return complain("", &err);
    }
    list_own(own, argv[2], argv[3], argv[4], argv[5]);
    if (tree && chdir(tree) < 0) {
        up_fail(&err, UP_MISSING, "%s: %s", tree, strerror(errno));
        return complain("", &err);
    }
    device.heartbeat = tree ? 0 : (unsigned)strtoul(argv[6], NULL, 10);
    return run_device_script(tree ? TEST_MEMORY : strtoull(argv[7], NULL, 10), &device, &play, 1, words);
}

static int mode_script(int argc, char **argv)
{
    return run_words(NULL, argc, argv);
}

/* moult --test TREE DIR OVERLAYS ... */
static int mode_test(int argc, char **argv)
{
    return run_words(argc > 0 ? argv[0] : "", argc > 0 ? argc - 1 : 0, argv + 1);
}

/* The configuration may name a command that runs with our rights. */
static void warn_of_writers(const char *path)
{
    struct up_storage *storage = up_storage_system();
    struct up_stat st;

    if (storage->ops->stat(storage, path, &st) == 0 && st.kind == UP_NODE_FILE && st.mode & 022)
        fprintf(stderr, "moult run: warning: %s can be changed by other users (mode %04o)\n", path, st.mode);
}

/* Whether the script can run as the configured user; opens the state to that user as far as needed. */
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

static int run_supervisor(const char *path, enum up_verbosity verbosity)
{
    struct up_config config;
    struct up_error err;
    int n;

    up_config_init(&config);
    n = up_host_config(&config, path, &err);
    if (n == 0)
        warn_of_writers(config.path);
    if (n == 0)
        n = check_rights(&config, &err);
    if (n == 0)
        n = up_supervisor_run(&config, up_host_program(), verbosity, &err);
    up_config_free(&config);
    return n < 0 ? complain("run", &err) : 0;
}

/* If a device's configuration exists here, read it for the paths that must not be written. */
static int run_alone(const char *config_path, int argc, char **argv)
{
    const char *own[OWN_PATHS + 1];
    struct up_host_device device = {.own = own};
    struct up_config config, defaults;
    const char *slash = strrchr(argv[0], '/');
    char dir[UP_PATH_SIZE];
    struct play play = {dir, NULL, "update.script"};
    struct up_error err;
    int code;

    snprintf(dir, sizeof dir, "%.*s", slash ? (int)(slash - argv[0]) : 1, slash ? argv[0] : ".");
    if (!*dir)
        snprintf(dir, sizeof dir, "/");

    up_config_init(&defaults);
    up_config_init(&config);
    if (!is_file(config_path) || up_host_config(&config, config_path, &err) < 0)
        device.own = NULL;
    else
        list_own(own, config.state, config.slot[0], config.slot[1], config.journal_dir);
    code = run_device_script(defaults.script_memory, &device, &play, argc, argv);
    up_config_free(&config);
    up_config_free(&defaults);
    return code;
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

    if (argc > 0 && *argv[0] != '-')
        return run_alone(path && *path ? path : DEFAULT_CONFIG, argc, argv);
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
    return run_supervisor(path && *path ? path : DEFAULT_CONFIG, verbosity);
}

static void ignore(int number)
{
    (void)number;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *word;
        int (*run)(int argc, char **argv);
    } modes[] = {
        {"--policy", mode_policy}, {"--unpack", mode_unpack}, {"--agent", mode_agent},
        {"--files", mode_files},   {"--script", mode_script}, {"--test", mode_test},
        {"run", mode_run},
    };
    struct sigaction quiet = {.sa_handler = ignore, .sa_flags = SA_RESTART};

    /* A handler and not SIG_IGN: programs started from here get the default again. */
    sigaction(SIGPIPE, &quiet, NULL);
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
