#include "files_helper.h"

#include <stdio.h>
#include <string.h>

#include "channel.h"
#include "config.h"
#include "digest.h"
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

/* What the supervisor wants done. */
struct order {
    enum up_files_task task;
    const uint8_t *plan; /* NULL: whichever is open */
    uint8_t digest[UP_SHA256_SIZE];
};

static bool read_order(struct order *o, const char *text)
{
    size_t word = strcspn(text, ":");

    for (o->task = 0; o->task < UP_FILES_TASKS; o->task++) {
        const char *name = up_files_program_task_name(o->task);

        if (strlen(name) == word && strncmp(name, text, word) == 0)
            break;
    }
    o->plan = text[word] ? o->digest : NULL;
    return o->task < UP_FILES_TASKS &&
           (!text[word] || up_unhex(text + word + 1, o->digest, sizeof o->digest) == 0);
}

static int work_on_plan(const struct up_files_helper *h, const struct order *o, struct up_channel *channel,
                        enum up_files_outcome *outcome, struct up_error *err)
{
    const struct up_files_hands hands = up_config_hands(h->config, h->running);
    struct up_files files;
    int rc;

    if (o->task == UP_FILES_STAGE)
        return up_hotfix_set_stage(h->storage, h->config, &hands, err);
    if (up_files_open(&files, h->storage, h->config->state, err) < 0)
        return err->code;
    files.stepped = beat;
    files.watcher = channel;
    rc = up_files_check_plan(&files, o->plan, err);
    if (rc == 0)
        rc = up_files_program_do(&files, o->task, &hands, outcome, err);
    up_files_close(&files);
    return rc;
}

static int work(const struct up_files_helper *h, const struct order *o, struct up_channel *channel,
                enum up_files_outcome *outcome, struct up_error *err)
{
    int claim, rc;

    *outcome = UP_FILES_NOT_SWITCHED;
    if (up_files_claim(&claim, h->storage, h->config->state, err) < 0)
        return err->code;
    rc = work_on_plan(h, o, channel, outcome, err);
    up_files_let_go(h->storage, claim);
    return rc;
}

int up_files_helper(const struct up_files_helper *h, const char *task, struct up_error *err)
{
    enum up_files_outcome outcome;
    struct up_channel *channel;
    struct order order;
    struct up_error why;
    char line[sizeof why.message + 64] = "done";

    if (!read_order(&order, task) || h->processes->ops->adopt(h->processes, h->link) < 0)
        return up_fail(err, UP_USAGE, "--files %s: is for the supervisor", task);
    if (up_channel_new(&channel, h->processes, h->link, err) < 0)
        return err->code;
    beat(channel);
    if (work(h, &order, channel, &outcome, &why) < 0)
        snprintf(line, sizeof line, "failed %d %s %s", (int)outcome, up_code_word(why.code), why.message);
    tell(channel, line);
    up_channel_close(channel);
    return 0;
}
