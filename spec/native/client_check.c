/* libmoult against an agent that is played: one that is not there, dies, answers in pieces, or nonsense. */
#include "played_agent.h"

#include <poll.h>
#include <sys/stat.h>

#include "moult.h"

#define SOON 20000 /* ms: an answer that comes */
#define NOT 60     /* ms: one that does not */

static const char idle[] =
    "\"ok\":true,\"result\":{\"phase\":\"idle\",\"release\":\"1.0.0\",\"script\":{\"version\":\"1.0.0\"},"
    "\"last\":{\"code\":\"ok\",\"message\":\"confirmed\"}}}\n";

static struct moult *open_client(void)
{
    struct moult *m = moult_open(socket_path);

    assert_non_null(m);
    return m;
}

static void test_nobody(void **state)
{
    struct moult *m = open_client();
    struct moult_status status;

    (void)state;
    unlink(socket_path);
    assert_int_equal(moult_status(m, &status, 0), MOULT_NOTHING);
    assert_int_equal(moult_status(m, &status, NOT), MOULT_NOTHING);
    assert_non_null(strstr(moult_message(m), "does `moult run` run?"));
    assert_string_equal(moult_word(MOULT_NOTHING), "nothing");
    assert_string_equal(moult_word(MOULT_TIMEOUT), "timeout");
    assert_string_equal(moult_word(-999), "internal");
    assert_int_equal(moult_dispatch(m, 0), 0);
    assert_string_equal(moult_message(m), "");
    moult_close(m);
    moult_close(NULL);
    m = moult_open("");
    assert_int_equal(moult_status(m, &status, 0), MOULT_NOTHING);
    moult_close(m);
}

static void in_pieces(int listener)
{
    int fd = greeted(listener);
    char number[64];

    for (int id = 1; hear(fd); id++) {
        snprintf(number, sizeof number, "{\"id\":%d,", id);
        for (const char *p = number; *p; p++)
            if (write(fd, p, 1) != 1)
                return;
        for (const char *p = idle; *p; p++)
            if (write(fd, p, 1) != 1)
                return;
    }
}

static void test_pieces(void **state)
{
    pid_t pid = start(in_pieces);
    struct moult *m = open_client();
    struct moult_status status;

    (void)state;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(moult_status(m, &status, SOON), 0);
        assert_string_equal(status.phase, "idle");
        assert_string_equal(status.release, "1.0.0");
        assert_string_equal(status.version, "1.0.0");
        assert_string_equal(status.next, "");
        assert_string_equal(status.last_code, "ok");
        assert_string_equal(status.trouble, "");
        assert_string_equal(status.mixed, "");
        assert_int_equal(status.total, 0);
    }
    moult_close(m);
    stop(pid);
}

/* Whoever closes the descriptor that is only to be watched is told so, and does not wait. */
static void test_closed_descriptor(void **state)
{
    struct moult_status status;

    (void)state;
    for (int there = 0; there < 2; there++) {
        pid_t pid = there ? start(in_pieces) : 0;
        struct moult *m = open_client();

        if (!there)
            unlink(socket_path);
        close(moult_fd(m));
        assert_int_equal(moult_status(m, &status, SOON / 10), MOULT_INTERNAL);
        assert_non_null(strstr(moult_message(m), "epoll: "));
        moult_close(m);
        if (there)
            stop(pid);
    }
}

/* A connection that cannot be waited for any more is not taken for an agent that is silent. */
static void test_closed_descriptor_later(void **state)
{
    pid_t pid = start(in_pieces);
    struct moult *m = open_client();
    struct moult_status status;

    (void)state;
    assert_int_equal(moult_status(m, &status, SOON), 0);
    close(moult_fd(m));
    assert_int_equal(moult_status(m, &status, 0), MOULT_INTERNAL);
    assert_non_null(strstr(moult_message(m), "epoll: "));
    moult_close(m);
    stop(pid);
}

static void dies(int listener)
{
    int fd = greeted(listener);

    hear(fd);
    close(fd); /* and is started again */
    fd = greeted(listener);
    hear(fd);
    say(fd, "{\"id\":2,");
    say(fd, idle);
    pause();
}

static void test_death(void **state)
{
    pid_t pid = start(dies);
    struct moult *m = open_client();
    struct moult_status status;
    int fd = moult_fd(m);

    (void)state;
    assert_int_equal(moult_status(m, &status, SOON), MOULT_NETWORK);
    assert_string_equal(moult_message(m), "the agent went away before it answered");
    assert_int_equal(moult_status(m, &status, SOON), 0);
    assert_int_equal(moult_fd(m), fd);
    moult_close(m);
    stop(pid);
}

/* One that answers whatever number a request has. */
static void answering(int listener)
{
    int fd = greeted(listener);
    char *line;

    for (line = hear(fd); line; line = hear(fd)) {
        const char *id = strstr(line, "\"id\":");
        char answer[1000];

        snprintf(answer, sizeof answer, "{\"id\":%ld,%s", id ? strtol(id + 5, NULL, 10) : 0L, idle);
        say(fd, answer);
    }
}

/* One that was started anew while nobody asked is asked as if nothing had been. */
static void test_restart_between_calls(void **state)
{
    pid_t pid = start(answering);
    struct moult *m = open_client();
    struct moult_status status;

    (void)state;
    assert_int_equal(moult_status(m, &status, SOON), 0);
    stop(pid);
    pid = start(answering);
    assert_int_equal(moult_status(m, &status, SOON), 0);
    moult_close(m);
    stop(pid);
}

/* A path with more bytes than an address has room for. */
static void test_long_path(void **state)
{
    const char *scratch = ((struct scratch *)*state)->dir;
    pid_t pid = start(answering);
    struct moult_status status;
    char path[512];
    struct moult *m;

    snprintf(path, sizeof path, "%s/%0120d", scratch, 0);
    assert_int_equal(mkdir(path, 0700), 0);
    strcat(path, "/control");
    assert_int_equal(symlink(socket_path, path), 0);
    m = moult_open(path);
    assert_int_equal(moult_status(m, &status, SOON), 0);
    moult_close(m);
    unlink(path);
    *strrchr(path, '/') = '\0';
    rmdir(path);
    stop(pid);
}

/* A child that has the connection, too, does not keep it in what is polled. */
static void test_fork(void **state)
{
    pid_t pid = start(answering), child;
    struct moult *m = open_client();
    struct pollfd fd = {.fd = moult_fd(m), .events = POLLIN};
    struct moult_status status;

    (void)state;
    assert_int_equal(moult_status(m, &status, SOON), 0);
    child = fork();
    if (child == 0) {
        alarm(60);
        pause();
        _exit(0);
    }
    stop(pid);
    assert_int_equal(poll(&fd, 1, SOON), 1);
    assert_int_equal(moult_dispatch(m, 0), 0);
    assert_int_equal(poll(&fd, 1, 0), 0);
    stop(child);
    moult_close(m);
}

static void silent(int listener)
{
    int fd = greeted(listener);

    hear(fd);
    hear(fd);
    say(fd, "{\"id\":1,\"ok\":true,\"result\":{\"phase\":\"trial\"}}\n"); /* too late, for nobody */
    say(fd, "{\"id\":2,");
    say(fd, idle);
    pause();
}

static void test_silence(void **state)
{
    pid_t pid = start(silent);
    struct moult *m = open_client();
    struct moult_status status;

    (void)state;
    assert_int_equal(moult_status(m, &status, NOT), MOULT_TIMEOUT);
    assert_string_equal(moult_message(m), "the agent did not answer status in time");
    assert_int_equal(moult_status(m, &status, SOON), 0);
    assert_string_equal(status.phase, "idle");
    moult_close(m);
    stop(pid);
}

static void nonsense(int listener)
{
    static char much[70000];
    int fd = greeted(listener);

    hear(fd);
    say(fd, "<html>\n");
    fd = greeted(listener);
    hear(fd);
    memset(much, 'x', sizeof much - 1);
    say(fd, much);
    fd = accept(listener, NULL, NULL);
    hear(fd);
    say(fd, "{\"id\":0,\"ok\":false,\"message\":\"the agent speaks protocol 2, not "
            "1\",\"code\":\"incompatible\"}\n");
    fd = accept(listener, NULL, NULL);
    say(fd, "{\"ok\":false,\"message\":\"user 1000 may not ask the agent\",\"code\":\"refused\"}\n");
    fd = greeted(listener);
    hear(fd);
    say(fd, "{\"id\":5,\"ok\":false}\n");
    hear(fd);
    say(fd, "{\"id\":\"6\",\"ok\":true}\n[]\n");
    pause();
}

static void test_nonsense(void **state)
{
    static const struct {
        int code;
        const char *message;
    } ends[] = {
        {MOULT_CORRUPT, "the agent's answer is not JSON"},
        {MOULT_CORRUPT, "the agent sent a line that is too long"},
        {MOULT_INCOMPATIBLE, "the agent speaks protocol 2, not 1"},
        {MOULT_REFUSED, "user 1000 may not ask the agent"},
        {MOULT_INTERNAL, "no reason given"},
        {MOULT_CORRUPT, "the agent's answer is not JSON"},
    };
    pid_t pid = start(nonsense);
    struct moult *m = open_client();
    struct moult_status status;

    (void)state;
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        assert_int_equal(moult_status(m, &status, SOON), ends[i].code);
        assert_string_equal(moult_message(m), ends[i].message);
    }
    moult_close(m);
    stop(pid);
}

/* What each call says, and what it makes of the answers. */
static void clerk(int listener)
{
    static const struct {
        const char *asks, *answer;
    } talk[] = {
        {"\"source\":\"http://x/y.upd\"",
         "\"ok\":false,\"message\":\"a release is armed\",\"code\":\"restart\"}"},
        {"\"verb\":\"confirm\"", "\"ok\":true,\"result\":true}"},
        {"\"reason\":\"it leaks\"", "\"ok\":false,\"message\":\"nothing is on trial\",\"code\":\"nothing\"}"},
        {"\"verb\":\"rollback\"", "\"ok\":true,\"result\":true}"},
        {"\"verb\":\"check\"",
         "\"ok\":true,\"result\":{\"cloud\":\"luat\",\"decision\":{\"action\":\"defer\",\"reason\":"
         "\"battery\"},"
         "\"offer\":{\"release\":\"2.0\",\"cloud\":\"luat\",\"size\":1000,\"sequence\":7}}}"},
        {"\"verb\":\"check\"", "\"ok\":false,\"message\":\"nothing new\",\"code\":\"nothing\"}"},
        {"\"verb\":\"status\"", "\"ok\":true,\"result\":{\"phase\":\"trial\",\"mixed\":\"/mnt/app/MIT\"}}"},
        {"\"number\":3", "\"ok\":true,\"result\":[1,2]}"},
    };
    int fd = greeted(listener);
    char answer[1000];

    for (size_t i = 0; i < sizeof talk / sizeof *talk; i++) {
        char *line = hear(fd);

        if (!line || !strstr(line, talk[i].asks))
            return;
        snprintf(answer, sizeof answer, "{\"id\":%zu,%s\n", i + 1, talk[i].answer);
        say(fd, answer);
    }
    pause();
}

static void test_calls(void **state)
{
    pid_t pid = start(clerk);
    struct moult *m = open_client();
    struct moult_status status;
    struct moult_offer offer;
    char *text = socket_path;

    (void)state;
    assert_int_equal(moult_install(m, "", SOON), MOULT_USAGE);
    assert_int_equal(moult_install(m, "http://x/y.upd", SOON), MOULT_RESTART);
    assert_string_equal(moult_message(m), "a release is armed");
    assert_int_equal(moult_confirm(m, SOON), 0);
    assert_int_equal(moult_rollback(m, "it leaks", SOON), MOULT_NOTHING);
    assert_int_equal(moult_rollback(m, NULL, SOON), 0);
    assert_int_equal(moult_check(m, &offer, SOON), 0);
    assert_string_equal(offer.action, "defer");
    assert_string_equal(offer.reason, "battery");
    assert_string_equal(offer.release, "2.0");
    assert_int_equal(offer.size, 1000);
    assert_int_equal(offer.sequence, 7);
    assert_int_equal(moult_check(m, &offer, SOON), 0);
    assert_string_equal(offer.action, "");
    assert_int_equal(moult_status(m, &status, SOON), 0);
    assert_string_equal(status.mixed, "/mnt/app/MIT");
    assert_int_equal(moult_ask(m, "any", "[1]", &text, SOON), MOULT_USAGE);
    assert_null(text);
    assert_int_equal(moult_ask(m, "any", "{\"number\":3}", &text, SOON), 0);
    assert_string_equal(text, "[1,2]");
    moult_free(text);
    moult_close(m);
    stop(pid);
}

struct heard {
    struct moult *m;
    char words[200];
    int inside;
};

static void on_event(void *user, const char *event, const char *json)
{
    struct heard *h = user;
    struct moult_status status;

    assert_non_null(strstr(json, event));
    snprintf(h->words + strlen(h->words), sizeof h->words - strlen(h->words), "%s ", event);
    h->inside = moult_status(h->m, &status, 0);
}

/* Two lives of an agent, each of which tells and asks. */
static void speaker(int listener)
{
    for (int i = 0; i < 2; i++) {
        int fd = greeted(listener);
        char *line = hear(fd);

        if (!line || !strstr(line, "\"watch\"") || !strstr(line, "\"facts\":true"))
            return;
        say(fd, "{\"event\":\"state\",\"phase\":\"idle\"}\n{\"event\":\"fa");
        usleep(50000); /* so that the line before is most likely taken by then */
        say(fd, "cts\",\"id\":5}\n");
        line = hear(fd);
        if (!line || !strstr(line, "\"facts\":{\"battery\":80}") || !strstr(line, "\"id\":5"))
            return;
        say(fd, "{\"event\":\"done\"}\n");
        close(fd);
    }
    pause();
}

static void test_events(void **state)
{
    struct heard h = {0};
    pid_t pid;
    struct pollfd fd;

    (void)state;
    unlink(socket_path);
    h.m = open_client();
    fd = (struct pollfd){.fd = moult_fd(h.m), .events = POLLIN};
    assert_int_equal(moult_facts(h.m, "80"), MOULT_USAGE);
    assert_int_equal(moult_facts(h.m, "{\"battery\":80}"), 0);
    assert_int_equal(moult_watch(h.m, on_event, &h), 0); /* the agent comes later */
    pid = start(speaker);
    while (strcmp(h.words, "connected state done lost connected state done lost ") != 0) {
        assert_int_equal(poll(&fd, 1, SOON), 1);
        assert_int_equal(moult_dispatch(h.m, 0), 0);
    }
    assert_int_equal(h.inside, MOULT_USAGE);
    moult_close(h.m);
    stop(pid);
}

/* An agent that does not read: what is asked waits, and nothing is written twice. */
static void deaf(int listener)
{
    int fd = greeted(listener);

    (void)fd;
    pause();
}

static void test_full(void **state)
{
    static char fields[60000];
    pid_t pid = start(deaf);
    struct moult *m = open_client();

    (void)state;
    memset(fields, ' ', sizeof fields - 1);
    memcpy(fields, "{\"text\":\"", 9);
    memset(fields + 9, 'x', sizeof fields - 12);
    strcpy(fields + sizeof fields - 3, "\"}");
    assert_int_equal(moult_ask(m, "any", fields, NULL, 1), MOULT_TIMEOUT);
    for (int i = 0; i < 20; i++)
        moult_ask(m, "any", fields, NULL, 1);
    assert_int_equal(moult_ask(m, "any", fields, NULL, 1), MOULT_BUSY);
    assert_string_equal(moult_message(m), "the agent does not read its requests");
    moult_close(m);
    stop(pid);
}

/* Facts that no line could carry are refused at once; the agent would wait for them. */
static void test_large_facts(void **state)
{
    static char facts[60002];
    struct moult *m = open_client();

    (void)state;
    unlink(socket_path);
    memset(facts, 'x', sizeof facts - 1);
    memcpy(facts, "{\"a\":\"", 6);
    memcpy(facts + 59998, "\"}", 3);
    assert_int_equal(moult_facts(m, facts), 0);
    memcpy(facts + 59998, "x\"}", 4);
    assert_int_equal(moult_facts(m, facts), MOULT_USAGE);
    assert_string_equal(moult_message(m), "facts: more than 60000 bytes");
    moult_close(m);
}

/* More events than are taken in a turn: none waits until something else comes. */
static void chatter(int listener)
{
    int fd = greeted(listener);

    hear(fd);
    for (int i = 0; i < 500; i++)
        say(fd, "{\"event\":\"progress\"}\n");
    pause();
}

static void count_event(void *user, const char *event, const char *json)
{
    (void)json;
    *(int *)user += strcmp(event, "progress") == 0;
}

static void test_many_events(void **state)
{
    pid_t pid = start(chatter);
    struct moult *m = open_client();
    struct pollfd fd = {.fd = moult_fd(m), .events = POLLIN};
    int count = 0;

    (void)state;
    assert_int_equal(moult_watch(m, count_event, &count), 0);
    while (count < 500) {
        assert_int_equal(poll(&fd, 1, SOON), 1);
        assert_int_equal(moult_dispatch(m, 0), 0);
    }
    moult_close(m);
    stop(pid);
}

/* With the first of them. */
static void close_it(void *user, const char *event, const char *json)
{
    struct moult **m = user;

    (void)json;
    if (strcmp(event, "progress") == 0 && *m) {
        close(moult_fd(*m));
        *m = NULL;
    }
}

/* Also when that happens while a call waits. */
static void test_closed_while_waiting(void **state)
{
    pid_t pid = start(chatter);
    struct moult *m = open_client(), *closes = m;
    struct moult_status status;

    (void)state;
    assert_int_equal(moult_watch(m, close_it, &closes), 0);
    assert_int_equal(moult_status(m, &status, SOON), MOULT_INTERNAL);
    assert_non_null(strstr(moult_message(m), "epoll: "));
    moult_close(m);
    stop(pid);
}

/* The words are those of the program; see runtime/base/error.h. */
static void test_words(void **state)
{
    const struct up_code_info *row;

    (void)state;
    row = up_code_row(0);
    for (size_t i = 1; row; row = up_code_row(i++))
        assert_string_equal(moult_word(row->code), row->word);
}

static int set_up(void **state)
{
    if (scratch_set_up(state) < 0)
        return -1;
    snprintf(socket_path, sizeof socket_path, "%s/control", ((struct scratch *)*state)->dir);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_nobody, set_up, scratch_tear_down),
        cmocka_unit_test_setup_teardown(test_pieces, set_up, scratch_tear_down),
        cmocka_unit_test_setup_teardown(test_closed_descriptor, set_up, scratch_tear_down),
        cmocka_unit_test_setup_teardown(test_closed_descriptor_later, set_up, scratch_tear_down),
        cmocka_unit_test_setup_teardown(test_death, set_up, scratch_tear_down),
        cmocka_unit_test_setup_teardown(test_restart_between_calls, set_up, scratch_tear_down),
        cmocka_unit_test_setup_teardown(test_long_path, set_up, scratch_tear_down),
        cmocka_unit_test_setup_teardown(test_fork, set_up, scratch_tear_down),
        cmocka_unit_test_setup_teardown(test_silence, set_up, scratch_tear_down),
        cmocka_unit_test_setup_teardown(test_nonsense, set_up, scratch_tear_down),
        cmocka_unit_test_setup_teardown(test_calls, set_up, scratch_tear_down),
        cmocka_unit_test_setup_teardown(test_events, set_up, scratch_tear_down),
        cmocka_unit_test_setup_teardown(test_large_facts, set_up, scratch_tear_down),
        cmocka_unit_test_setup_teardown(test_many_events, set_up, scratch_tear_down),
        cmocka_unit_test_setup_teardown(test_closed_while_waiting, set_up, scratch_tear_down),
        cmocka_unit_test(test_words),
        cmocka_unit_test_setup_teardown(test_full, set_up, scratch_tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
