/*
 * crowd.c -- what a depot answers, alone and while many download slowly.
 *
 *     crowd HOST PORT READERS PATH SECONDS BATCH TARGET...
 *
 * READERS connections begin to get PATH and then read a little every second.
 * When all have had their first bytes, the targets are asked in turn (HEAD,
 * on one connection that is kept) for SECONDS, BATCH at a time. Prints
 *
 *     crowd: readers N refused N rate N median MS worst MS
 *
 * rate: answers a second; median and worst: of a batch, in milliseconds.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SAMPLES 1000000
#define REQUEST 1024

static struct sockaddr_in depot;

static void die(const char *what)
{
    fprintf(stderr, "crowd: %s: %s\n", what, strerror(errno));
    exit(1);
}

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void send_all(int fd, const char *text, size_t len)
{
    while (len > 0) {
        ssize_t n = send(fd, text, len, MSG_NOSIGNAL);

        if (n <= 0)
            die("send");
        text += n;
        len -= (size_t)n;
    }
}

static int call(int room)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

    if (fd < 0)
        die("socket");
    if (room)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(fd, (const struct sockaddr *)&depot, sizeof depot) < 0)
        die("connect");
    return fd;
}

/* The readers, each with the head of its answer; how many were refused. */
static unsigned gather(int *readers, unsigned count, const char *path)
{
    char text[REQUEST], head[256];
    int len = snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: depot\r\n\r\n", path);
    unsigned refused = 0;

    for (unsigned i = 0; i < count; i++) {
        readers[i] = call(2048);
        send_all(readers[i], text, (size_t)len);
        if (recv(readers[i], head, 16, MSG_WAITALL) < 16)
            die("a reader gets nothing");
        refused += memcmp(head + 9, "200", 3) != 0;
    }
    return refused;
}

static void read_a_little(const int *readers, unsigned count)
{
    char some[256];

    for (unsigned i = 0; i < count; i++)
        if (recv(readers[i], some, sizeof some, MSG_DONTWAIT) == 0)
            shutdown(readers[i], SHUT_RDWR);
}

/* As many heads as were asked for; HEAD is answered by nothing else. */
static void await(int fd, unsigned heads)
{
    char text[65536];
    unsigned matched = 0;

    while (heads > 0) {
        struct pollfd ready = {.fd = fd, .events = POLLIN};
        ssize_t n;

        if (poll(&ready, 1, 10000) <= 0)
            die("no answer within ten seconds");
        n = recv(fd, text, sizeof text, 0);
        if (n <= 0)
            die("the depot hangs up");
        for (ssize_t i = 0; i < n; i++) {
            matched = text[i] == "\r\n\r\n"[matched] ? matched + 1 : text[i] == '\r';
            if (matched == 4) {
                matched = 0;
                heads--;
            }
        }
    }
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
    static double took[SAMPLES];
    static char text[64 * REQUEST];
    struct rlimit files;
    unsigned count, batch, refused, samples = 0, next = 0;
    double begun, till, read_at;
    int *readers, fd;

    if (argc < 8)
        return 2;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    depot.sin_family = AF_INET;
    depot.sin_port = htons((uint16_t)atoi(argv[2]));
    inet_pton(AF_INET, argv[1], &depot.sin_addr);
    count = (unsigned)atoi(argv[3]);
    batch = (unsigned)atoi(argv[6]);
    readers = calloc(count + 1, sizeof *readers);
    if (!readers || batch < 1 || batch > 64)
        return 2;
    refused = gather(readers, count, argv[4]);
    fd = call(0);
    begun = read_at = now();
    till = begun + atof(argv[5]);
    while (now() < till && samples < SAMPLES) {
        size_t len = 0;
        double t;

        for (unsigned i = 0; i < batch; i++)
            len += (size_t)snprintf(text + len, REQUEST, "HEAD %s HTTP/1.1\r\nHost: depot\r\n\r\n",
                                    argv[7 + next++ % (unsigned)(argc - 7)]);
        if (now() - read_at > 1) {
            read_at = now();
            read_a_little(readers, count);
        }
        t = now();
        send_all(fd, text, len);
        await(fd, batch);
        took[samples++] = (now() - t) * 1000;
    }
    till = now();
    qsort(took, samples, sizeof *took, by_size);
    printf("crowd: readers %u refused %u rate %.0f median %.2f worst %.2f\n", count - refused, refused,
           samples * batch / (till - begun), took[samples / 2], took[samples - 1]);
    return 0;
}
