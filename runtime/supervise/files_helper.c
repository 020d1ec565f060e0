#include "files_helper.h"

#include <stdio.h>
#include <string.h>

#include "channel.h"
#include "config.h"
#include "error.h"
#include "hotfix_set.h"
#include "processes.h"

static void tell(struct up_channel *channel, const char *line)
{
    /* A supervisor that is gone needs no line; one that does not read takes us for hanging. */
    (void)!up_channel_send(channel, line, strlen(line), NULL);
}

static void beat(void *channel)
{
    tell(channel, "beat");
}

static int work(const struct up_files_helper *h, enum up_files_task task, struct up_channel *channel,
                enum up_files_outcome *outcome, struct up_error *err)
{
    const struct up_files_hands hands = up_config_hands(h->config, h->running);
    struct up_files files;
    int rc;

    *outcome = UP_FILES_NOT_SWITCHED;
    if (task == UP_FILES_STAGE)
        return up_hotfix_set_stage(h->storage, h->config, &hands, err);
    if (up_files_open(&files, h->storage, h->config->state, err) < 0)
        return err->code;
    files.stepped = beat;
    files.watcher = channel;
    rc = up_files_program_do(&files, task, &hands, outcome, err);
    up_files_close(&files);
    return rc;
}

int up_files_helper(const struct up_files_helper *h, const char *task, struct up_error *err)
{
    enum up_files_task n = 0;
    enum up_files_outcome outcome;
    struct up_channel *channel;
    struct up_error why;
    char line[sizeof why.message + 64] = "done";

    while (n < UP_FILES_TASKS && strcmp(up_files_program_task_name(n), task) != 0)
        n++;
    if (n == UP_FILES_TASKS || h->processes->ops->adopt(h->processes, h->link) < 0)
        return up_fail(err, UP_USAGE, "--files %s: is for the supervisor", task);
    if (up_channel_new(&channel, h->processes, h->link, err) < 0)
        return err->code;
    beat(channel);
    if (work(h, n, channel, &outcome, &why) < 0)
        snprintf(line, sizeof line, "failed %d %s %s", (int)outcome, up_code_word(why.code), why.message);
    tell(channel, line);
    up_channel_close(channel);
    return 0;
}
