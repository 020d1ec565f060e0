/*
 * The script, which does what its release's manner says, and people at the
 * command line. Both speak the control socket.
 */
#include "stage.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BEAT 5000
#define PATIENCE 60000 /* ms that a person waits for an answer */

/* A connection, and what of a line has come. */
struct talk {
    int link; /* -1: none */
    char line[70000];
    size_t len;
};

static void say(struct talk *t, const char *text)
{
    if (t->link < 0 || stage.current->dead)
        return;
    (void)!link_send(t->link, text, strlen(text));
    (void)!link_send(t->link, "\n", 1);
}

/* The next line, or NULL; the connection may be over then. */
static const char *hear(struct talk *t)
{
    while (t->link >= 0 && !stage.current->dead) {
        char c;
        ssize_t n = link_receive(t->link, &c, 1);

        if (n < 0 && errno == EAGAIN)
            return NULL;
        if (n <= 0) {
            link_close(t->link);
            t->link = -1;
            t->len = 0;
            return NULL;
        }
        if (c == '\n') {
            t->line[t->len] = '\0';
            t->len = 0;
            return t->line;
        }
        if (t->len < sizeof t->line - 1)
            t->line[t->len++] = c;
    }
    return NULL;
}

const struct parcel *release_of(const struct player *p)
{
    for (int i = 0; i < PARCELS; i++)
        if (stage.parcel[i].number == p->number)
            return &stage.parcel[i];
    return &stage.parcel[0];
}

/* What `require "update"` says first. */
static void introduce(struct talk *t, const struct player *p, enum manner manner)
{
    char text[200];

    snprintf(text, sizeof text,
             "{\"id\":1,\"verb\":\"globals\",\"project\":\"METER\",\"product_key\":\"k-123\",\"version\":\"1."
             "0.%u\"}",
             manner == BOASTFUL ? 99 : p->number);
    say(t, text);
}

static void answer_facts(struct talk *t, const char *line)
{
    const char *id = strstr(line, "\"id\":");
    char text[100];

    if (!strstr(line, "\"event\":\"facts\"") || !id)
        return;
    snprintf(text, sizeof text, "{\"verb\":\"facts\",\"facts\":{\"battery\":80},\"id\":%d}", atoi(id + 5));
    say(t, text);
}

/* It takes what comes, or leaves it, as it runs. */
static void answer_hotfix(struct player *p, struct talk *t, const char *line)
{
    const char *id = strstr(line, "\"id\":"), *dir = strstr(line, "\"dir\":\"");
    bool apply = strstr(line, "\"action\":\"apply\""), taken = pick(8) != 0;
    char text[100];

    if (!strstr(line, "\"event\":\"hotfix\"") || !id || !dir)
        return;
    if (taken)
        p->ill = apply && hotfixes_is_ill(dir);
    snprintf(text, sizeof text, "{\"verb\":\"hotfix\",\"taken\":%s,\"id\":%d}", taken ? "true" : "false",
             atoi(id + 5));
    say(t, text);
}

/* The manner's deeds at this age in ms; false: it ends. */
static bool act(struct player *p, struct talk *t, enum manner manner, uint64_t age, uint64_t whim)
{
    switch (manner) {
    case CRASHES:
        p->status = 1 << 8;
        return age < 300 + whim % 3000;
    case LEAVES:
        return age < 2000 + whim % 4000;
    case FAILS:
        say(t, "{\"id\":2,\"verb\":\"error\",\"message\":\"a task failed\"}");
        return true;
    case RESTARTS:
        if (age > 10000 + whim % 100000)
            (void)!link_send(p->link, "restart again\n", 14);
        break;
    case MODEST:
    case BREAKS:
        return true;
    default:
        break;
    }
    if (age > 2000 + whim % 5000)
        say(t, "{\"id\":3,\"verb\":\"confirm\"}");
    return true;
}

static void listen_till(struct player *p, struct talk *t, uint64_t till)
{
    char dump[256];
    const char *line;

    while (!p->dead && stage.now < till) {
        while (link_receive(p->link, dump, sizeof dump) > 0) /* nothing that matters is ever said */
            ;
        for (line = hear(t); line; line = hear(t))
            answer_facts(t, line), answer_hotfix(p, t, line);
        player_wait(till, true);
    }
}

void script_run(struct player *p)
{
    enum manner manner = release_of(p)->manner;
    uint64_t born = stage.now, whim = pick(1u << 20), silent = born + 500 + whim % 20000;
    bool handler = pick(2);
    struct talk *t = calloc(1, sizeof *t);

    if (!t)
        abort();
    t->link = -1;
    while (!p->dead) {
        if (manner != HANGS || stage.now < silent) {
            if (link_send(p->link, "beat\n", 5) == 5)
                p->beaten = stage.now;
            if (t->link < 0) {
                t->link = link_connect();
                introduce(t, p, manner);
                if (handler)
                    say(t, "{\"id\":4,\"verb\":\"watch\",\"hotfix\":true}");
            }
        }
        if (!act(p, t, p->ill ? CRASHES : manner, stage.now - born, whim))
            break;
        listen_till(p, t, stage.now + (manner == CRASHES || manner == LEAVES ? 1000 : BEAT));
    }
    free(t);
}

static void person_run(struct player *p)
{
    uint64_t till = stage.now + PATIENCE;
    struct talk *t = calloc(1, sizeof *t);
    const char *line;

    if (!t)
        abort();
    t->link = link_connect();
    say(t, p->order);
    while (!p->dead && t->link >= 0 && stage.now < till) {
        player_wait(till, true);
        line = hear(t);
        if (line && strstr(line, "\"id\":7")) {
            trace("answer: %.200s", line);
            break;
        }
    }
    free(t);
}

void person_begin(const char *order)
{
    struct player *p = &stage.player[PERSON];

    if (p->alive)
        player_kill(p, 9); /* whoever it was presses control-C */
    snprintf(p->order, sizeof p->order, "%s", order);
    player_start(p, person_run);
}

static void application_run(struct player *p)
{
    struct talk *t = calloc(1, sizeof *t);

    if (!t)
        abort();
    t->link = -1;
    while (player_sleep(1000 + pick(8000)) && programs_run()) {
        if (t->link < 0)
            t->link = link_connect();
        say(t, "{\"id\":3,\"verb\":\"confirm\"}");
        while (hear(t))
            ;
    }
    (void)p;
    free(t);
}

void application_begin(void)
{
    struct player *p = &stage.player[APPLICATION];

    if (!p->alive)
        player_start(p, application_run);
}
