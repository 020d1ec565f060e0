/*
 * mqtt_link.c -- one connection to the broker: made without waiting, driven,
 * and why it ended.
 */
#include <errno.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <mosquitto.h>
#include <mqtt_protocol.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "error.h"
#include "mqtt_private.h"
#include "mqtt_tls.h"
#include "storage.h"

#define PACKET_MAX (1024 * 1024) /* bytes of an incoming packet */
#define PACKETS_AT_ONCE 256
#define BYTES_AT_ONCE (512 * 1024)
#define RECEIVE_BUFFER (128 * 1024) /* so that no more arrives at once than is examined */
#define FAREWELL_MS 1000
#define FAREWELL_TURNS 10

/* The message for a connection that the broker refused: codes of 3.1.1 or of 5. */
static int explain_answer(int answer, struct up_error *err)
{
    static const struct {
        int answer, five, code;
        const char *text;
    } known[] = {
        {1, MQTT_RC_UNSUPPORTED_PROTOCOL_VERSION, UP_INCOMPATIBLE,
         "the broker does not speak this version of MQTT"},
        {2, MQTT_RC_CLIENTID_NOT_VALID, UP_UNTRUSTED, "the broker refuses the client id"},
        {3, MQTT_RC_SERVER_UNAVAILABLE, UP_NETWORK, "the broker is not available"},
        {4, MQTT_RC_BAD_USERNAME_OR_PASSWORD, UP_UNTRUSTED, "the broker refuses user or password"},
        {5, MQTT_RC_NOT_AUTHORIZED, UP_UNTRUSTED, "the broker does not authorise this client"},
    };

    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (answer == known[i].answer || answer == known[i].five)
            return up_fail(err, known[i].code, "%s", known[i].text);
    return up_fail(err, UP_NETWORK, "the broker refuses the connection: %s", mosquitto_reason_string(answer));
}

/* The message for a return code of the library. `error`: errno at that time. */
static int explain(struct up_mqtt *m, int rc, int error, struct up_error *err)
{
    bool cut = m->farewell || rc == MOSQ_ERR_OVERSIZE_PACKET || rc == MOSQ_ERR_TLS ||
               rc == MOSQ_ERR_CONN_LOST || error == EPROTO || error == ECONNRESET || error == EPIPE;
    int code = m->tls ? up_mqtt_tls_failure(m->tls, cut && !m->answered, err) : 0;

    m->cut = cut;
    if (code < 0)
        return code;
    if (m->answered && (m->five ? m->answer >= MQTT_RC_UNSPECIFIED : m->answer > 0 && m->answer < 6))
        return explain_answer(m->answer, err);
    if (m->farewell)
        return up_fail(err, UP_NETWORK, "the broker ended the connection: %s",
                       mosquitto_reason_string(m->farewell));
    switch (rc) {
    case MOSQ_ERR_CONN_LOST:
    case MOSQ_ERR_NO_CONN:
        return up_fail(err, UP_NETWORK, "the broker ended the connection");
    case MOSQ_ERR_KEEPALIVE:
        return up_fail(err, UP_NETWORK, "the broker is silent");
    case MOSQ_ERR_ERRNO:
        return up_fail(err, UP_NETWORK, "%s", error ? strerror(error) : "the broker ended the connection");
    case MOSQ_ERR_OVERSIZE_PACKET: /* above the broker's limit; nothing was sent */
        return up_fail(err, UP_NETWORK, "the connection was ended");
    case MOSQ_ERR_NOMEM:
        return up_fail(err, UP_INTERNAL, "out of memory");
    default:
        return up_fail(err, UP_NETWORK, "the broker does not speak MQTT: %s", mosquitto_strerror(rc));
    }
}

int up_mqtt_link_connect(struct up_mqtt *m, const char *address, struct up_error *err)
{
    int lowest[UP_MQTT_FREE], room = RECEIVE_BUFFER, rc, error;

    m->answered = m->session = m->measured = m->cut = false;
    m->answer = m->trouble = m->trouble_error = m->farewell = 0;
    m->violation = NULL;
    if (m->tls)
        up_mqtt_tls_begin(m->tls, m->storage->ops->now(m->storage));
    rc = up_mqtt_link_speak(m);
    if (rc != MOSQ_ERR_SUCCESS)
        return explain(m, rc, 0, err);
    up_mqtt_note_descriptors(lowest);
    rc = mosquitto_connect_bind_async(m->client, address, (int)m->o.port, (int)m->o.keepalive, NULL);
    error = errno;
    up_mqtt_keep_descriptors(m, mosquitto_socket(m->client), lowest);
    if (rc != MOSQ_ERR_SUCCESS || mosquitto_socket(m->client) < 0)
        return explain(m, rc == MOSQ_ERR_SUCCESS ? MOSQ_ERR_NO_CONN : rc, error, err);
    setsockopt(mosquitto_socket(m->client), SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
    return 0;
}

int up_mqtt_link_fd(const struct up_mqtt *m)
{
    return mosquitto_socket(m->client);
}

static bool may_hand_over(const struct up_mqtt *m)
{
    const struct up_mqtt_outgoing *o = m->queue.first;

    while (o && o->handed)
        o = o->next;
    return o && m->phase == UP_MQTT_ONLINE && m->trouble == 0 &&
           (o->qos == 0 || up_mqtt_queue_in_flight(&m->queue) < (m->careful ? 1 : UP_MQTT_WINDOW));
}

static bool shaking_hands(const struct up_mqtt *m)
{
    SSL *ssl = mosquitto_ssl_get(m->client);

    return ssl && !SSL_is_init_finished(ssl);
}

/* If the library had to wait before it could send CONNECT, it would keep asking
 * to write until the handshake is over. */
static bool library_wants_write(const struct up_mqtt *m)
{
    if (shaking_hands(m))
        return SSL_want_write(mosquitto_ssl_get(m->client));
    return mosquitto_want_write(m->client);
}

bool up_mqtt_link_wants_write(const struct up_mqtt *m)
{
    return library_wants_write(m) || may_hand_over(m);
}

bool up_mqtt_link_holds_bytes(const struct up_mqtt *m)
{
    SSL *ssl = mosquitto_ssl_get(m->client);

    return ssl && SSL_pending(ssl) > 0;
}

/* The first error ends the connection in the next round. */
static void note_trouble(struct up_mqtt *m, int rc)
{
    if (rc == MOSQ_ERR_SUCCESS || m->trouble != MOSQ_ERR_SUCCESS)
        return;
    m->trouble = rc;
    m->trouble_error = errno;
}

static int hand_over(struct up_mqtt *m, struct up_mqtt_outgoing *o)
{
    uint64_t now = m->storage->ops->monotonic(m->storage);
    mosquitto_property *properties = NULL;
    uint32_t left;
    int rc;

    if (!m->five || o->until == 0)
        return mosquitto_publish(m->client, &o->mid, o->topic, (int)o->len, o->payload, o->qos, o->retain);
    left = now + 1000 < o->until ? (uint32_t)((o->until - now) / 1000) : 1;
    rc = mosquitto_property_add_int32(&properties, MQTT_PROP_MESSAGE_EXPIRY_INTERVAL, left);
    if (rc == MOSQ_ERR_SUCCESS)
        rc = mosquitto_publish_v5(m->client, &o->mid, o->topic, (int)o->len, o->payload, o->qos, o->retain,
                                  properties);
    mosquitto_property_free_all(&properties);
    return rc;
}

/* For QoS 0 the library calls back before it returns the message's number. */
void up_mqtt_link_pump(struct up_mqtt *m)
{
    while (may_hand_over(m) && !mosquitto_want_write(m->client)) {
        struct up_mqtt_outgoing *o = m->queue.first;
        int rc;

        while (o->handed)
            o = o->next;
        o->handed = true;
        rc = hand_over(m, o);
        if (rc == MOSQ_ERR_NOMEM)
            o->handed = false;
        note_trouble(m, rc);
    }
}

void up_mqtt_link_subscribe(struct up_mqtt *m, struct up_mqtt_subscription *s)
{
    int rc = mosquitto_subscribe(m->client, &s->mid, s->topic, s->qos);

    note_trouble(m, rc);
}

void up_mqtt_link_unsubscribe(struct up_mqtt *m, const char *topic)
{
    int rc = mosquitto_unsubscribe(m->client, NULL, topic);

    note_trouble(m, rc);
}

/* Bytes read from the connection so far. */
static uint64_t consumed(int fd)
{
    struct tcp_info info = {0};
    socklen_t len = sizeof info;
    int waiting = 0;

    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) < 0 || ioctl(fd, SIOCINQ, &waiting) < 0)
        return 0;
    return (uint64_t)info.tcpi_bytes_received - (uint64_t)waiting;
}

/* The library accepts a packet of any size and reports it only when it is complete. */
static void weigh(struct up_mqtt *m)
{
    uint64_t now;

    if (m->completed) {
        m->measured = false;
        return;
    }
    now = consumed(mosquitto_socket(m->client));
    if (!m->measured)
        m->unaccounted = now;
    m->measured = true;
    if (now > m->unaccounted + PACKET_MAX)
        m->violation = "the broker sends a packet of more than 1 MiB";
}

/* The library does not notice that the peer closed in the middle of the
 * handshake. What arrived before the end is read first. */
static int look_at_handshake(const struct up_mqtt *m, int fd, short ready)
{
    ssize_t n;
    char byte;

    if (!(ready & (POLLIN | POLLERR | POLLHUP)))
        return 0;
    n = recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : errno;
    return n == 0 && shaking_hands(m) ? ECONNRESET : 0;
}

static bool readable(const struct up_mqtt *m)
{
    struct pollfd p = {.fd = mosquitto_socket(m->client), .events = POLLIN};

    return p.fd >= 0 && (up_mqtt_link_holds_bytes(m) || (poll(&p, 1, 0) > 0 && p.revents & POLLIN));
}

/* The caller gets many messages at once, and its turn while more arrive. */
static int read_some(struct up_mqtt *m)
{
    int rc, packets = 0;

    m->told_bytes = 0;
    do
        rc = mosquitto_loop_read(m->client, 1);
    while (rc == MOSQ_ERR_SUCCESS && m->phase == UP_MQTT_ONLINE && !m->violation &&
           ++packets < PACKETS_AT_ONCE && m->told_bytes < BYTES_AT_ONCE && readable(m));
    return rc;
}

static int exchange(struct up_mqtt *m, struct up_error *err)
{
    struct pollfd p = {.fd = mosquitto_socket(m->client), .events = POLLIN};
    int rc = m->trouble, error = 0;

    if (p.fd < 0 || rc != MOSQ_ERR_SUCCESS)
        return explain(m, rc ? rc : MOSQ_ERR_NO_CONN, m->trouble_error, err);
    if (library_wants_write(m))
        p.events |= POLLOUT;
    if (poll(&p, 1, 0) < 0)
        p.revents = 0;
    if (m->phase == UP_MQTT_CONNECTING)
        error = look_at_handshake(m, p.fd, p.revents);
    if (error)
        return explain(m, MOSQ_ERR_ERRNO, error, err);
    m->completed = false;
    errno = 0;
    /* The library does the handshake in its read function, also when it has to write. */
    if (p.revents & (POLLIN | POLLHUP | POLLERR) || up_mqtt_link_holds_bytes(m) ||
        (p.revents && shaking_hands(m)))
        rc = read_some(m);
    if (rc == MOSQ_ERR_SUCCESS && p.revents & POLLOUT)
        rc = mosquitto_loop_write(m->client, 1);
    if (rc == MOSQ_ERR_SUCCESS)
        rc = mosquitto_loop_misc(m->client);
    error = errno;
    if (rc != MOSQ_ERR_SUCCESS || (m->answered && m->answer) || mosquitto_socket(m->client) < 0)
        return explain(m, rc ? rc : MOSQ_ERR_KEEPALIVE, error, err);
    if (p.revents & POLLIN)
        weigh(m);
    return 0;
}

int up_mqtt_link_work(struct up_mqtt *m, struct up_error *err)
{
    int rc = exchange(m, err);

    if (m->violation)
        rc = up_fail(err, UP_NETWORK, "%s", m->violation);
    return rc;
}

/* The library cannot end a connection without a DISCONNECT, after which the
 * broker would not publish the last will. */
void up_mqtt_link_drop(struct up_mqtt *m)
{
    int fd = mosquitto_socket(m->client);

    if (fd < 0)
        return;
    shutdown(fd, SHUT_RDWR);
    m->muted = true;
    for (int i = 0; i < 1000 && mosquitto_socket(m->client) >= 0 && !shaking_hands(m); i++)
        if (mosquitto_loop_read(m->client, 1) != MOSQ_ERR_SUCCESS)
            break;
    m->muted = false;
}

void up_mqtt_link_farewell(struct up_mqtt *m)
{
    up_mqtt_link_pump(m);
    m->muted = true;
    if (mosquitto_disconnect(m->client) != MOSQ_ERR_SUCCESS)
        return;
    for (int i = 0; i < FAREWELL_TURNS && mosquitto_socket(m->client) >= 0; i++) {
        struct pollfd p = {.fd = mosquitto_socket(m->client), .events = POLLOUT};

        if (poll(&p, 1, FAREWELL_MS / FAREWELL_TURNS) > 0 &&
            mosquitto_loop_write(m->client, 1) != MOSQ_ERR_SUCCESS)
            return;
    }
}

void up_mqtt_link_free(struct up_mqtt *m)
{
    mosquitto_destroy(m->client);
    up_mqtt_tls_free(m->tls);
}
