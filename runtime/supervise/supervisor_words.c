/*
 * The arguments of the processes that run the script, and the test of a hotfix.
 */
#include <stdio.h>

#include "supervisor_private.h"

/* A path that the device may not have, as an argument. */
static const char *word_of(const char *path)
{
    return path ? path : "";
}

void up_supervisor_script_words(const struct up_supervisor *s, const char *tree, struct up_script_words *w)
{
    const struct up_config *config = s->config;
    unsigned n = 0;

    snprintf(w->heartbeat, sizeof w->heartbeat, "%u", config->heartbeat);
    snprintf(w->memory, sizeof w->memory, "%llu", (unsigned long long)config->script_memory);
    w->argv[n++] = s->program;
    w->argv[n++] = tree ? "--test" : "--script";
    if (tree)
        w->argv[n++] = tree;
    w->argv[n++] = s->started;
    w->argv[n++] = s->overlays;
    w->argv[n++] = config->state;
    w->argv[n++] = word_of(config->slot[0]);
    w->argv[n++] = word_of(config->slot[1]);
    w->argv[n++] = word_of(config->journal_dir);
    w->argv[n++] = w->heartbeat;
    w->argv[n++] = w->memory;
    if (config->script_user)
        w->argv[n++] = config->script_user;
    if (config->has_script_groups && !config->script_group[0])
        w->argv[n++] = "-";
    for (unsigned i = 0; config->has_script_groups && config->script_group[i]; i++)
        w->argv[n++] = config->script_group[i];
    w->argv[n] = NULL;
}
