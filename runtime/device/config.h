/*
 * config.h -- a device's configuration as a C structure.
 *
 * The file is a Lua table that lua/update/config/init.lua reads as data: it
 * checks every field and names a wrong one. bindings/config.c converts the
 * table. A device's identity comes from here and nowhere else.
 */
#ifndef UP_CONFIG_H
#define UP_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "boot.h"
#include "files_plan.h"
#include "files_programs.h"
#include "manifest.h"
#include "rights.h"

#define UP_ARGV_MAX 16

enum up_restart_mode { UP_RESTART_SUPERVISOR, UP_RESTART_COMMAND, UP_RESTART_EXIT };

struct up_config {
    char *path; /* absolute path of the file, for messages and for children */
    char project[UP_NAME_SIZE];
    char product_key[65]; /* SHA-256 hex of the configured key; the key itself is not kept */
    char hardware[UP_VERSION_SIZE];
    char id[65];
    char *state, *keys;   /* absolute directories */
    char *journal_dir;    /* directory of the journal's second file; NULL: in state */
    char *slot[UP_SLOTS]; /* absolute; both NULL if the device has no core slots */
    enum up_boot_driver boot;
    char *fw_env, *cmdline; /* with UP_BOOT_UBOOT: fw_env.config(5), and the kernel command line */
    enum up_restart_mode restart;
    char *restart_argv[UP_ARGV_MAX + 1]; /* with UP_RESTART_COMMAND, NULL-terminated */
    uint32_t heartbeat;                  /* seconds of silence after which a child is killed; 60 */
    uint32_t deadline;                   /* default seconds of a trial start; 600 */
    uint32_t hotfix_time;                /* seconds that a hotfix has to show that it is good; 45 */
    bool reuse;                          /* do not fetch blocks of a full core that the device has; true */
    uint64_t script_memory;              /* bytes the Lua state of the user's script may own; 64 MiB */
    char *mit_ini;                       /* of a terminal: never a target of files; NULL: none */
    /* What a part `files` may touch; root_count 0: nothing. */
    struct {
        uint32_t root_count;
        struct up_files_root root[UP_FILES_ROOTS];            /* absolute, none in another; paths are owned */
        char *stop[UP_ARGV_MAX + 1], *start[UP_ARGV_MAX + 1]; /* NULL-terminated; empty: none */
        bool trim, run_mixed;
    } files;
    bool control_group;                       /* others than root and our user may use the control socket */
    bool no_script;                           /* it has none, and takes no package with one */
    char *script_user;                        /* the user that the script runs as; NULL: ours */
    bool has_script_groups;                   /* false: all groups that the system gives that user */
    char *script_group[UP_RIGHTS_GROUPS + 1]; /* NULL-terminated */
};

void up_config_init(struct up_config *c); /* zeros and defaults */
void up_config_free(struct up_config *c);
/* The commands that stop and start programs; refers to *c. */
struct up_files_hands up_config_hands(const struct up_config *c, struct up_running_table *running);
/* Where the boot variables are; refers to *c. */
struct up_boot_place up_config_boot(const struct up_config *c);

#endif
