#include "config.h"

#include <stdlib.h>
#include <string.h>

void up_config_init(struct up_config *c)
{
    memset(c, 0, sizeof *c);
    c->heartbeat = 60;
    c->deadline = 600;
    c->hotfix_time = 45;
    c->reuse = true;
    c->script_memory = 64u << 20;
}

void up_config_free(struct up_config *c)
{
    free(c->path);
    free(c->state);
    free(c->keys);
    free(c->journal_dir);
    free(c->mit_ini);
    free(c->fw_env);
    free(c->cmdline);
    for (int i = 0; i < UP_SLOTS; i++)
        free(c->slot[i]);
    for (int i = 0; i < UP_ARGV_MAX; i++) {
        free(c->restart_argv[i]);
        free(c->files.stop[i]);
        free(c->files.start[i]);
    }
    for (int i = 0; i < UP_FILES_ROOTS; i++)
        free((char *)c->files.root[i].path);
    free(c->script_user);
    for (int i = 0; i < UP_RIGHTS_GROUPS; i++)
        free(c->script_group[i]);
    memset(c, 0, sizeof *c);
}

struct up_boot_place up_config_boot(const struct up_config *c)
{
    return (struct up_boot_place){
        .driver = c->boot, .state = c->state, .fw_env = c->fw_env, .cmdline = c->cmdline};
}

/* An empty command is the same as no command. */
static const char *const *command_of(char *const *argv)
{
    return argv[0] ? (const char *const *)argv : NULL;
}

struct up_files_hands up_config_hands(const struct up_config *c, struct up_running_table *running)
{
    return (struct up_files_hands){running, command_of(c->files.stop), command_of(c->files.start)};
}
