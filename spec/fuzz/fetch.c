/*
 * A web server of any bytes: each connection gets the next piece of the input
 * as its answer. The source on top reads an object through it; what it says of
 * the object holds, and it comes to an end.
 */
#include "fetch.h"

#include "error.h"
#include "fuzz.h"
#include "loop.h"
#include "source.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define TURNS_MAX 2000

static struct up_loop *loop;
static int listener = -1, client = -1;
static char url[64];

static void set_up(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof address;
    struct up_error err;

    listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    FUZZ_REQUIRE(listener >= 0 && bind(listener, (struct sockaddr *)&address, sizeof address) == 0);
    FUZZ_REQUIRE(listen(listener, 64) == 0);
    FUZZ_REQUIRE(getsockname(listener, (struct sockaddr *)&address, &len) == 0);
    snprintf(url, sizeof url, "http://127.0.0.1:%d/x.upd", ntohs(address.sin_port));
    FUZZ_REQUIRE(up_loop_new(&loop, &err) == 0);
}

/* Once the request is there, answer with the next piece, up to a zero byte, and
 * hang up. Connections wait their turn. */
static void serve(struct fuzz *in)
{
    char request[2048], *text;

    if (client < 0)
        client = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (client < 0 || recv(client, request, sizeof request, MSG_DONTWAIT) < 0)
        return;
    text = fuzz_text(in);
    (void)!send(client, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT);
    free(text);
    close(client);
    client = -1;
}

/* Nobody of this run is left for the next one. */
static void empty(void)
{
    do {
        if (client >= 0)
            close(client);
        client = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    } while (client >= 0);
}

static void read_object(struct up_source *s, struct fuzz *in)
{
    uint64_t at = 0;
    uint8_t buf[512];
    struct up_error err;

    for (int i = 0; i < TURNS_MAX; i++) {
        long n = s->ops->read(s, at, buf, sizeof buf, &err);

        if (n == UP_AGAIN) {
            serve(in);
            FUZZ_REQUIRE(up_loop_poll(loop, NULL, 0, 1, &err) >= 0);
            continue;
        }
        if (n <= 0) {
            /* An object without validators may have shrunk between two requests. */
            FUZZ_REQUIRE(n < 0 || s->size <= at);
            return;
        }
        FUZZ_REQUIRE((size_t)n <= sizeof buf);
        at += (uint64_t)n;
        FUZZ_REQUIRE(at <= s->size);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz in = {data, size};
    struct up_fetch_options options = {0};
    struct up_source *s;
    struct up_error err;
    const char *body, *location;
    size_t len;

    if (listener < 0)
        set_up();
    options.max_redirects = fuzz_u8(&in) % 4;
    FUZZ_REQUIRE(up_source_http(&s, loop, url, &options, &err) == 0);
    read_object(s, &in);
    up_source_http_answer(s, &body, &len, &location);
    s->ops->close(s);
    empty();
    return 0;
}
