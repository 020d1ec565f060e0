/* The connection: one epoll descriptor over a socket and a timer, so that a program polls one number. */
#include "moult.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "moult_private.h"

#define LINE_MAX_BYTES 65536   /* of a request and of an answer, without the line feed */
#define QUEUE_MAX_BYTES 262144 /* that wait for the agent to read */
#define PROTOCOL 1             /* moult-control(7) */
#define RETRY 500              /* ms between two tries to connect */
#define LINES_A_TURN 64        /* after which a caller's time is looked at */

/* What a connection begins with; its answer has this number. */
#define HELLO 0

struct moult {
    char *path;
    int epoll, timer, socket; /* socket: -1 while there is none */
    bool greeted;             /* the agent answered our hello */
    bool inside;              /* a callback runs */
    bool answered;            /* the agent itself said how the last call ended */
    int why;                  /* of the last try to connect: errno */
    json_int_t last;          /* number of the last request */

    json_int_t waiting; /* number of the call that is made, 0: none */
    int code;           /* of its answer: MOULT_TIMEOUT while there is none */
    json_t *result;

    moult_event_fn *on_event;
    void *user;
    json_t *facts;

    char message[512];
    char *out; /* what is not sent yet */
    size_t out_len;
    char in[LINE_MAX_BYTES + 1];
    size_t in_len;
};

int moult_fail(struct moult *m, int code, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(m->message, sizeof m->message, format, args);
    va_end(args);
    return code;
}

const char *moult_message(const struct moult *m)
{
    return m->message;
}

static const struct {
    int code;
    const char *word;
} words[] = {
    {MOULT_OK, "ok"},           {MOULT_INTERNAL, "internal"},   {MOULT_USAGE, "usage"},
    {MOULT_NOTHING, "nothing"}, {MOULT_RESTART, "restart"},     {MOULT_BUSY, "busy"},
    {MOULT_NETWORK, "network"}, {MOULT_MISSING, "missing"},     {MOULT_EXPIRED, "expired"},
    {MOULT_CORRUPT, "corrupt"}, {MOULT_UNTRUSTED, "untrusted"}, {MOULT_INCOMPATIBLE, "incompatible"},
    {MOULT_NOSPACE, "nospace"}, {MOULT_WRITE, "write"},         {MOULT_ROLLEDBACK, "rolledback"},
    {MOULT_REFUSED, "refused"}, {MOULT_DEFERRED, "deferred"},   {MOULT_STATELOST, "statelost"},
    {MOULT_TIMEOUT, "timeout"},
};

const char *moult_word(int code)
{
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (words[i].code == code)
            return words[i].word;
    return "internal";
}

static int code_of(const char *word)
{
    for (size_t i = 0; word && i < sizeof words / sizeof *words; i++)
        if (strcmp(words[i].word, word) == 0)
            return words[i].code;
    return MOULT_INTERNAL;
}

static int64_t now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

struct moult *moult_open(const char *path)
{
    struct moult *m = calloc(1, sizeof *m);
    struct epoll_event readable = {.events = EPOLLIN};

    if (!m)
        return NULL;
    m->socket = -1;
    m->path = strdup(path);
    m->epoll = epoll_create1(EPOLL_CLOEXEC);
    m->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    readable.data.fd = m->timer;
    if (m->path && m->epoll >= 0 && m->timer >= 0 &&
        epoll_ctl(m->epoll, EPOLL_CTL_ADD, m->timer, &readable) == 0)
        return m;
    moult_close(m);
    return NULL;
}

void moult_close(struct moult *m)
{
    if (!m)
        return;
    if (m->socket >= 0)
        close(m->socket);
    if (m->timer >= 0)
        close(m->timer);
    if (m->epoll >= 0)
        close(m->epoll);
    json_decref(m->facts);
    json_decref(m->result);
    free(m->out);
    free(m->path);
    free(m);
}

int moult_fd(const struct moult *m)
{
    return m->epoll;
}

/* Look again in `ms`; 0: no more. */
static void set_timer(struct moult *m, int ms)
{
    struct itimerspec at = {.it_value = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000}};

    timerfd_settime(m->timer, 0, &at, NULL);
}

/* End the call that waits, if one does. */
static void settle(struct moult *m, int code, json_t *result)
{
    if (m->waiting == 0 || m->code != MOULT_TIMEOUT)
        return;
    m->code = code;
    m->result = json_incref(result);
}

/* Whether a connection is wanted even when nothing is asked. */
static bool stays(const struct moult *m)
{
    return m->on_event || m->facts;
}

static void tell(struct moult *m, const char *event, const char *json)
{
    if (!m->on_event)
        return;
    m->inside = true;
    m->on_event(m->user, event, json);
    m->inside = false;
}

static void lose(struct moult *m, int code, const char *why)
{
    bool greeted = m->greeted;

    if (m->socket >= 0)
        close(m->socket);
    m->socket = -1;
    m->greeted = false;
    m->in_len = m->out_len = 0;
    if (m->waiting != 0 && m->code == MOULT_TIMEOUT)
        settle(m, moult_fail(m, code, "%s", why), NULL);
    set_timer(m, stays(m) ? RETRY : 0);
    if (greeted)
        tell(m, "lost", "{\"event\":\"lost\"}");
}

/* Wait for what the socket has, and for room when something is to be sent. */
static void watch_socket(struct moult *m, int op)
{
    struct epoll_event e = {.events = EPOLLIN | (m->out_len > 0 ? (uint32_t)EPOLLOUT : 0),
                            .data.fd = m->socket};

    epoll_ctl(m->epoll, op, m->socket, &e);
}

static void flush(struct moult *m)
{
    size_t sent = 0;

    while (sent < m->out_len) {
        ssize_t n = send(m->socket, m->out + sent, m->out_len - sent, MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            break;
        sent += (size_t)n;
    }
    /* When the peer is gone, reading tells, after what it said last. */
    memmove(m->out, m->out + sent, m->out_len - sent);
    m->out_len -= sent;
    watch_socket(m, EPOLL_CTL_MOD);
}

/* Queue one object, which is stolen. */
static int queue(struct moult *m, json_t *object)
{
    char *line = object ? json_dumps(object, JSON_COMPACT) : NULL, *out;
    size_t len = line ? strlen(line) : 0;

    json_decref(object);
    if (!line)
        return moult_fail(m, MOULT_INTERNAL, "out of memory");
    if (m->out_len > QUEUE_MAX_BYTES) {
        free(line);
        return moult_fail(m, MOULT_BUSY, "the agent does not read what it is asked");
    }
    out = len <= LINE_MAX_BYTES ? realloc(m->out, m->out_len + len + 1) : NULL;
    if (!out) {
        free(line);
        return len > LINE_MAX_BYTES
                   ? moult_fail(m, MOULT_USAGE, "a request of more than %d bytes", LINE_MAX_BYTES)
                   : moult_fail(m, MOULT_INTERNAL, "out of memory");
    }
    memcpy(out + m->out_len, line, len);
    out[m->out_len + len] = '\n';
    m->out = out;
    m->out_len += len + 1;
    free(line);
    flush(m);
    return 0;
}

/* The address of the path; a long one through a descriptor of its folder, in *folder. */
static bool address_of(const struct moult *m, struct sockaddr_un *out, int *folder)
{
    const char *slash = strrchr(m->path, '/');
    char dir[PATH_MAX];
    int n;

    *out = (struct sockaddr_un){.sun_family = AF_UNIX};
    *folder = -1;
    if (strlen(m->path) < sizeof out->sun_path) {
        strcpy(out->sun_path, m->path);
        return true;
    }
    errno = ENAMETOOLONG;
    if (!slash || slash == m->path || (size_t)(slash - m->path) >= sizeof dir)
        return false;
    memcpy(dir, m->path, (size_t)(slash - m->path));
    dir[slash - m->path] = '\0';
    *folder = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (*folder < 0)
        return false;
    n = snprintf(out->sun_path, sizeof out->sun_path, "/proc/self/fd/%d%s", *folder, slash);
    errno = ENAMETOOLONG;
    return n > 0 && (size_t)n < sizeof out->sun_path;
}

static void greet(struct moult *m)
{
    queue(m, json_pack("{s:s, s:i, s:i}", "verb", "hello", "id", HELLO, "protocol", PROTOCOL));
    if (stays(m))
        queue(m, json_pack("{s:s, s:b}", "verb", "watch", "facts", m->facts != NULL));
}

/* One try; m->why says why there is none. */
static void try_to_connect(struct moult *m)
{
    struct sockaddr_un address;
    int folder, fd = -1, rc;
    bool known = address_of(m, &address, &folder);

    m->why = errno;
    if (known) {
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        rc = fd < 0 ? -1 : connect(fd, (struct sockaddr *)&address, sizeof address);
        m->why = rc < 0 ? errno : 0;
    }
    if (folder >= 0)
        close(folder);
    if (m->why != 0) {
        if (fd >= 0)
            close(fd);
        set_timer(m, RETRY);
        return;
    }
    m->socket = fd;
    set_timer(m, 0);
    watch_socket(m, EPOLL_CTL_ADD);
    greet(m);
}

static void take_event(struct moult *m, const json_t *object, const char *event)
{
    const json_t *id = json_object_get(object, "id");
    char *json;

    if (strcmp(event, "facts") == 0) {
        if (m->facts && id)
            queue(m, json_pack("{s:s, s:O, s:O}", "verb", "facts", "id", id, "facts", m->facts));
        return;
    }
    json = m->on_event ? json_dumps(object, JSON_COMPACT) : NULL;
    if (json)
        tell(m, event, json);
    free(json);
}

static void take_answer(struct moult *m, const json_t *object)
{
    const json_t *id = json_object_get(object, "id");
    const char *message = json_string_value(json_object_get(object, "message"));
    bool ok = json_is_true(json_object_get(object, "ok"));

    if (json_is_integer(id) && json_integer_value(id) == HELLO) {
        m->greeted = ok;
        if (ok)
            tell(m, "connected", "{\"event\":\"connected\"}");
        else
            lose(m, MOULT_INCOMPATIBLE, message ? message : "the agent speaks another protocol");
    } else if (!id) { /* of no request: why the connection ends */
        lose(m, code_of(json_string_value(json_object_get(object, "code"))), message ? message : "refused");
    } else if (json_is_integer(id) && json_integer_value(id) == m->waiting && m->code == MOULT_TIMEOUT) {
        m->answered = true;
        if (ok)
            settle(m, MOULT_OK, json_object_get(object, "result"));
        else
            settle(m,
                   moult_fail(m, code_of(json_string_value(json_object_get(object, "code"))), "%s",
                              message ? message : "no reason given"),
                   NULL);
    }
}

static void take_line(struct moult *m, const char *line, size_t len)
{
    json_error_t error;
    json_t *object = json_loadb(line, len, 0, &error);
    const char *event = json_string_value(json_object_get(object, "event"));

    if (!json_is_object(object))
        lose(m, MOULT_CORRUPT, "the agent answered no JSON");
    else if (event)
        take_event(m, object, event);
    else
        take_answer(m, object);
    json_decref(object);
}

/* Every whole line that was received. */
static void take_lines(struct moult *m)
{
    size_t at = 0;

    while (m->socket >= 0) {
        const char *end = memchr(m->in + at, '\n', m->in_len - at);
        size_t begin = at;

        if (!end)
            break;
        at = (size_t)(end - m->in) + 1;
        take_line(m, m->in + begin, (size_t)(end - m->in) - begin);
    }
    if (m->socket < 0)
        return;
    memmove(m->in, m->in + at, m->in_len - at);
    m->in_len -= at;
    if (m->in_len == sizeof m->in)
        lose(m, MOULT_CORRUPT, "the agent sent a line that is too long");
}

static void receive(struct moult *m)
{
    for (int turn = 0; turn < LINES_A_TURN && m->socket >= 0; turn++) {
        ssize_t n = recv(m->socket, m->in + m->in_len, sizeof m->in - m->in_len, 0);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return;
        if (n <= 0) {
            lose(m, MOULT_NETWORK, "the agent went away before it answered");
            return;
        }
        m->in_len += (size_t)n;
        take_lines(m);
    }
}

/* Serve what is there, waiting at most until `till`. */
static int serve(struct moult *m, int64_t till)
{
    struct epoll_event ready[2];
    int64_t left = till - now();
    int count;

    if (left < 0)
        left = 0;
    count = epoll_wait(m->epoll, ready, 2, left < INT_MAX ? (int)left : INT_MAX);

    if (count < 0 && errno != EINTR)
        return moult_fail(m, MOULT_INTERNAL, "epoll: %s", strerror(errno));
    for (int i = 0; i < count; i++) {
        uint64_t ticks;

        if (ready[i].data.fd == m->timer) {
            if (read(m->timer, &ticks, sizeof ticks) > 0 && m->socket < 0)
                try_to_connect(m);
        } else if (ready[i].data.fd == m->socket) {
            if (ready[i].events & EPOLLOUT)
                flush(m);
            if (ready[i].events & ~(uint32_t)EPOLLOUT)
                receive(m);
        }
    }
    return 0;
}

int moult_dispatch(struct moult *m, int timeout)
{
    if (m->inside)
        return MOULT_USAGE;
    m->message[0] = '\0';
    return serve(m, now() + (timeout > 0 ? timeout : 0));
}

static int no_agent(struct moult *m)
{
    if (m->why == EACCES || m->why == EPERM)
        return moult_fail(m, MOULT_REFUSED, "%s: this user may not ask the agent", m->path);
    if (m->why == EAGAIN)
        return moult_fail(m, MOULT_BUSY, "%s: too many ask the agent; try again", m->path);
    return moult_fail(m, MOULT_NOTHING, "%s: no agent answers (%s); does `moult run` run?", m->path,
                      strerror(m->why));
}

/* 0 when there is a connection before `till`. */
static int connect_until(struct moult *m, int64_t till)
{
    if (m->socket < 0)
        try_to_connect(m);
    while (m->socket < 0) {
        if (now() >= till)
            return no_agent(m);
        if (serve(m, till) < 0)
            return MOULT_INTERNAL;
    }
    return 0;
}

static int wait_for_answer(struct moult *m, const char *verb, int64_t till)
{
    while (m->code == MOULT_TIMEOUT) {
        if (now() >= till)
            return moult_fail(m, MOULT_TIMEOUT, "the agent did not answer %s in time", verb);
        if (serve(m, till) < 0)
            return MOULT_INTERNAL;
    }
    return m->code;
}

int moult_call(struct moult *m, const char *verb, json_t *fields, json_t **result, int timeout)
{
    int64_t till = now() + (timeout > 0 ? timeout : 0);
    json_t *request = fields ? fields : json_object();
    int code;

    *result = NULL;
    m->answered = false;
    if (m->inside) {
        json_decref(request);
        return MOULT_USAGE;
    }
    m->message[0] = '\0';
    code = connect_until(m, till);
    if (code < 0 || !request || json_object_set_new(request, "verb", json_string(verb)) < 0 ||
        json_object_set_new(request, "id", json_integer(++m->last)) < 0) {
        json_decref(request);
        return code < 0 ? code : moult_fail(m, MOULT_INTERNAL, "out of memory");
    }
    m->waiting = m->last;
    m->code = MOULT_TIMEOUT;
    code = queue(m, request);
    if (code == 0)
        code = wait_for_answer(m, verb, till);
    m->waiting = 0;
    *result = m->result;
    m->result = NULL;
    if (code == 0)
        m->message[0] = '\0';
    return code;
}

bool moult_answered(const struct moult *m)
{
    return m->answered;
}

/* Have the agent know what this connection is for; or wait for the next one. */
static int announce(struct moult *m)
{
    if (m->socket < 0)
        try_to_connect(m);
    else
        return queue(m, json_pack("{s:s, s:b}", "verb", "watch", "facts", m->facts != NULL));
    return 0;
}

int moult_watch(struct moult *m, moult_event_fn *fn, void *user)
{
    if (m->inside)
        return MOULT_USAGE;
    m->message[0] = '\0';
    m->on_event = fn;
    m->user = user;
    return fn ? announce(m) : 0;
}

int moult_facts(struct moult *m, const char *json)
{
    json_error_t error;
    json_t *facts = json ? json_loads(json, 0, &error) : NULL;

    if (m->inside || (json && !json_is_object(facts))) {
        json_decref(facts);
        return m->inside ? MOULT_USAGE : moult_fail(m, MOULT_USAGE, "facts: not a JSON object");
    }
    m->message[0] = '\0';
    json_decref(m->facts);
    m->facts = facts;
    return announce(m);
}
