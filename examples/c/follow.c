/*
 * follow.c -- a C application beside Moult: it tells facts that only it knows, shows what the agent does, and
 * confirms a new release once it is well.
 *
 *     cc follow.c $(pkg-config --cflags --libs moult) -o follow
 *     ./follow /var/lib/moult/control
 */
#include <moult.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

static int battery(void)
{
    return 80; /* what a meter would measure */
}

static void on_event(void *user, const char *event, const char *json)
{
    int *look = user;

    if (strcmp(event, "connected") == 0 || strcmp(event, "state") == 0)
        *look = 1; /* from inside a callback nothing is asked */
    printf("%s: %s\n", event, json);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    struct moult *m = moult_open(argc > 1 ? argv[1] : "/var/lib/moult/control");
    struct moult_status status;
    char facts[64];
    int look = 0;

    if (!m)
        return 1;
    snprintf(facts, sizeof facts, "{\"battery\":%d}", battery());
    moult_facts(m, facts);
    moult_watch(m, on_event, &look);
    for (;;) {
        struct pollfd fd = {.fd = moult_fd(m), .events = POLLIN};

        poll(&fd, 1, -1); /* an application has more to wait for */
        if (moult_dispatch(m, 0) < 0)
            break;
        if (!look)
            continue;
        look = 0;
        if (moult_status(m, &status, 2000) < 0) {
            printf("%s\n", moult_message(m));
            continue;
        }
        printf("runs %s, %s\n", status.release, status.phase);
        if (strcmp(status.phase, "trial") == 0 && moult_confirm(m, 2000) == 0)
            printf("well, so %s may stay\n", status.next);
        fflush(stdout);
    }
    fprintf(stderr, "%s\n", moult_message(m));
    moult_close(m);
    return 1;
}
