#include "host_script.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config.h"
#include "error.h"
#include "host.h"
#include "orphans.h"
#include "rights.h"
#include "storage.h"

#define OWN_PATHS 4   /* that a device lives on */
#define FIXED_WORDS 8 /* of --script */
#define TEST_MEMORY ((uint64_t)64 << 20)

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
        return up_host_complain_memory("run");
    setvbuf(stdout, NULL, _IOLBF, 0); /* a device's output is a log, whoever reads it */
    if (lead_path(L, play->dir, play->overlays, &err) < 0 || up_host_connect(L, device, &err) < 0)
        code = up_host_complain("run", &err);
    else if (up_host_limit(L, memory) < 0)
        code = up_host_complain_memory("run");
    else
        code = up_host_run_module(L, play->module, argc, argv);
    up_host_close(L);
    return code;
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

    if (argc < FIXED_WORDS) {
        up_fail(
            &err, UP_USAGE,
            "--script is for the supervisor: DIR OVERLAYS STATE SLOT_A SLOT_B JOURNAL_DIR HEARTBEAT MEMORY "
            "[USER [GROUP...]]");
        return up_host_complain("", &err);
    }
    if (up_orphans_mark(tree ? UP_ORPHANS_OF_TEST : UP_ORPHANS_OF_SCRIPT, &err) < 0)
        fprintf(stderr, "moult run: processes that the script leaves behind cannot be found: %s\n",
                err.message);
    if (argc > FIXED_WORDS && take_rights(argc - FIXED_WORDS, argv + FIXED_WORDS, &err) < 0)
        return up_host_complain("run", &err);
    if (up_orphans_name(argv[2]) < 0)
        return up_host_complain_memory("");
    if ((size_t)snprintf(path, sizeof path, "%s/%s.lua", tree ? tree : argv[0], tree ? "test" : "main") >=
            sizeof path ||
        (size_t)snprintf(control, sizeof control, "%s/control", argv[2]) >= sizeof control) {
        up_fail(&err, UP_USAGE, "%s: path too long", argv[0]);
        return up_host_complain("", &err);
    }
    list_own(own, argv[2], argv[3], argv[4], argv[5]);
    if (tree && chdir(tree) < 0) {
        up_fail(&err, UP_MISSING, "%s: %s", tree, strerror(errno));
        return up_host_complain("", &err);
    }
    device.heartbeat = tree ? 0 : (unsigned)strtoul(argv[6], NULL, 10);
    return run_device_script(tree ? TEST_MEMORY : strtoull(argv[7], NULL, 10), &device, &play, 1, words);
}

int up_host_script(int argc, char **argv)
{
    return run_words(NULL, argc, argv);
}

int up_host_script_test(int argc, char **argv)
{
    return run_words(argc > 0 ? argv[0] : "", argc > 0 ? argc - 1 : 0, argv + 1);
}

int up_host_script_alone(const char *config_path, int argc, char **argv)
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
    if (!config_path || up_host_config(&config, config_path, &err) < 0)
        device.own = NULL;
    else
        list_own(own, config.state, config.slot[0], config.slot[1], config.journal_dir);
    code = run_device_script(defaults.script_memory, &device, &play, argc, argv);
    up_config_free(&config);
    up_config_free(&defaults);
    return code;
}
