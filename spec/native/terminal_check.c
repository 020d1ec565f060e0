/* A terminal's calls against an agent that is played, and a clock that goes on when one waits. */
#include "played_agent.h"

#include <poll.h>
#include <sys/epoll.h>
#include <time.h>

#include "moult/terminal.h"

#define TEXT ((unsigned char *)"1")

static int64_t now = 1000000; /* ms */

/* What the program defines, the library uses. */
int clock_gettime(clockid_t clock, struct timespec *out)
{
    (void)clock;
    *out = (struct timespec){.tv_sec = now / 1000, .tv_nsec = (long)(now % 1000) * 1000000};
    return 0;
}

int poll(struct pollfd *fds, nfds_t count, int timeout)
{
    (void)fds;
    (void)count;
    now += timeout;
    return 0;
}

static pid_t agent;

/* An agent that lives answers, or ends; without one the time passes. */
int epoll_wait(int epoll, struct epoll_event *events, int most, int timeout)
{
    siginfo_t ended = {0};
    bool lives = waitid(P_PID, (id_t)agent, &ended, WEXITED | WNOHANG | WNOWAIT) == 0 && ended.si_pid == 0;
    int count = epoll_pwait(epoll, events, most, lives && timeout > 0 ? 20000 : 0, NULL);

    if (count == 0)
        now += timeout;
    return count;
}

static void answer(int fd, const char *request, const char *result)
{
    const char *id = strstr(request, "\"id\":");
    char line[1000];

    snprintf(line, sizeof line, "{\"id\":%ld,\"ok\":true,\"result\":%s}\n",
             id ? strtol(id + 5, NULL, 10) : 0L, result);
    say(fd, line);
}

/* One that takes the call and dies. */
static void dying(int listener)
{
    int fd = greeted(listener);

    answer(fd, hear(fd), "{\"busy\":false,\"armed\":false}");
    answer(fd, hear(fd), "{\"value\":0}");
}

/* One that owes a state until it is taken. */
static void owing(int listener)
{
    int fd = greeted(listener);
    const char *state = "{\"busy\":false,\"armed\":false,\"owed\":2}";
    char *request;

    for (request = hear(fd); request; request = hear(fd)) {
        bool took = strstr(request, "\"took\"") != NULL;

        if (took)
            state = "{\"busy\":false,\"armed\":false}";
        answer(fd, request, took ? "true" : state);
    }
}

static int call(void)
{
    return dm_app_SendUpdateModuleUpdatedMsg_HB(TEXT, TEXT, TEXT, TEXT, TEXT, TEXT, TEXT, 1);
}

/* An agent that never comes back is given up after ten minutes, however long each look takes. */
static void test_agent_gone(void **state)
{
    int64_t began = now;

    (void)state;
    agent = start(dying);
    assert_int_equal(call(), 0);
    assert_in_range(now - began, 600000, 610000);
    stop(agent);
}

static int states, inside;

/* One that registers itself again, and calls for an update. */
static void on_state(unsigned char state)
{
    assert_int_equal(state, 2);
    if (++states > 3)
        return;
    assert_int_equal(dm_app_RegisterUpdateStateHandle(on_state), 0);
    inside = call();
}

static void test_calls_inside_a_handler(void **state)
{
    (void)state;
    agent = start(owing);
    assert_int_equal(dm_app_RegisterUpdateStateHandle(on_state), 0);
    assert_int_equal(states, 1);
    assert_int_equal(inside, -1);
    assert_int_equal(dm_app_UnRegisterUpdateStateHandle(), 0);
    stop(agent);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_agent_gone),
        cmocka_unit_test(test_calls_inside_a_handler),
    };
    int failed;

    snprintf(socket_path, sizeof socket_path, "/tmp/moult-terminal-%d", (int)getpid());
    setenv("MOULT_CONTROL", socket_path, 1);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(socket_path);
    return failed;
}
