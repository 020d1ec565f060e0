#include "mqtt.h"

#include <limits.h>
#include <mosquitto.h>
#include <mqtt_protocol.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "mqtt_private.h"
#include "storage.h"

#define CONNECT_MS 30000 /* for a look-up, and again for each address */
#define STEADY_MS 30000  /* after this long online, the pauses start from the first one again */
#define REMAINING_MAX 60000
#define CAREFUL_AFTER 3 /* connections in a row that the broker ended over one message: see count_strike() */
#define GIVE_UP_AFTER 10

static uint64_t now_of(const struct up_mqtt *m)
{
    return m->storage->ops->monotonic(m->storage);
}

int up_mqtt_open(struct up_mqtt **out, struct up_storage *storage, const struct up_mqtt_options *o,
                 struct up_error *err)
{
    struct up_mqtt *m = calloc(1, sizeof *m);
    int rc;

    if (!m)
        return up_fail(err, UP_INTERNAL, "mqtt: out of memory");
    m->storage = storage;
    m->last = &m->first;
    up_mqtt_queue_init(&m->queue, o->queue);
    m->due = now_of(m);
    rc = up_mqtt_options_copy(&m->o, o, err);
    if (rc == 0)
        rc = up_mqtt_link_new(m, o, err);
    m->five = o->five;
    if (rc < 0) {
        up_mqtt_close(m);
        return rc;
    }
    *out = m;
    return 0;
}

/* Half of the pause is fixed, the other half random. */
static uint64_t pause_of(struct up_mqtt *m)
{
    uint64_t most = m->back_off ? m->back_off * 2 : m->o.back_off_min * 2;
    uint32_t chance = 0;

    if (most > m->o.back_off_max)
        most = m->o.back_off_max;
    m->back_off = most;
    m->storage->ops->random(m->storage, &chance, sizeof chance);
    most = most / 2 + most / 2 * chance / UINT32_MAX;
    return most < m->o.back_off_min ? m->o.back_off_min : most;
}

/* Another message as large as one that was given up gets fewer attempts, until
 * the broker takes one of that size. */
static unsigned patience_with(const struct up_mqtt *m, const struct up_mqtt_outgoing *o)
{
    if (!o)
        return UINT_MAX;
    return m->careful && m->refused && up_mqtt_queue_weight(o) >= m->refused ? 1 : GIVE_UP_AFTER;
}

/*
 * A broker that ends the connection whenever it gets a certain message would
 * lock the client out forever. So after a few connections that ended early with
 * the same message unacknowledged, messages are sent one by one; if the same
 * message still ends the connection, it is given up. Other network failures do
 * not count.
 */
static void count_strike(struct up_mqtt *m, uint64_t now, const struct up_error *why, struct up_error *said)
{
    bool early = m->cut && now - m->since < STEADY_MS;
    const struct up_mqtt_outgoing *o = early ? up_mqtt_queue_oldest(&m->queue) : NULL;
    uint64_t suspect = o ? o->id : 0;
    struct up_mqtt_event e = {.kind = UP_MQTT_LOST, .id = suspect, .code = UP_REFUSED};

    m->strikes = o && suspect == m->suspect ? m->strikes + 1 : o != NULL;
    m->suspect = suspect;
    if (m->strikes > 1)
        up_fail(said, why->code, "%s over a packet of %zu bytes to %s, %u times: larger than it takes?",
                why->message, up_mqtt_queue_weight(o), o->topic, m->strikes);
    if (m->strikes == CAREFUL_AFTER && up_mqtt_link_renew(m) == 0)
        m->careful = true;
    if (m->strikes < patience_with(m, o) || up_mqtt_link_renew(m) < 0)
        return;
    e.topic = o->topic;
    e.len = m->refused = up_mqtt_queue_weight(o);
    e.message = "the broker ends the connection over this message";
    up_mqtt_tell(m, &e);
    up_mqtt_queue_drop(&m->queue, suspect);
    m->suspect = m->strikes = 0;
    m->back_off = 0;
}

/* Choose the version for the next attempt: the better one; if the broker
 * refused that without giving a reason, the other. */
static void choose_version(struct up_mqtt *m)
{
    bool refused = m->answered && (m->answer == 1 || m->answer == MQTT_RC_UNSUPPORTED_PROTOCOL_VERSION);

    m->no_five = m->no_five || (m->five && refused);
    if (m->phase == UP_MQTT_CONNECTING && m->cut && !m->answered)
        m->five = !m->five;
    else
        m->five = true;
    m->five = m->five && m->o.five && !m->no_five;
}

/* The connection failed or ended: report it, and when the next attempt is made. */
static void lose(struct up_mqtt *m, const struct up_error *why)
{
    uint64_t now = now_of(m);
    struct up_error over, said;
    struct up_mqtt_event e = {.kind = UP_MQTT_DISCONNECTED, .code = why->code, .message = said.message};

    up_fail(&over, why->code, "%s", why->message);
    up_mqtt_link_drop(m);
    up_mqtt_queue_lost(&m->queue);
    if (m->phase == UP_MQTT_ONLINE && now - m->since >= STEADY_MS)
        m->back_off = 0;
    if (m->phase == UP_MQTT_ONLINE)
        count_strike(m, now, why, &over);
    choose_version(m);
    m->phase = UP_MQTT_WAITING;
    e.retry_after = pause_of(m);
    m->due = now + e.retry_after;
    up_fail(&said, why->code, "mqtt %s:%u: %s", m->o.host, m->o.port, over.message);
    up_mqtt_tell(m, &e);
}

/* Try the broker's next address; `err` says what failed with the previous one. */
static void try_next_address(struct up_mqtt *m, struct up_error *err)
{
    up_mqtt_link_drop(m);
    while (m->next_address < m->addresses.count) {
        m->phase = UP_MQTT_CONNECTING;
        m->due = now_of(m) + CONNECT_MS;
        if (up_mqtt_link_connect(m, m->addresses.text[m->next_address++], err) == 0)
            return;
    }
    lose(m, err);
}

static void use_addresses(struct up_mqtt *m)
{
    struct up_error err;

    up_fail(&err, UP_NETWORK, "no address");
    m->next_address = 0;
    try_next_address(m, &err);
}

static void begin(struct up_mqtt *m)
{
    struct up_error err;

    m->attempts++;
    if (up_resolver_numeric(m->o.host)) {
        m->addresses.count = 1;
        strncpy(m->addresses.text[0], m->o.host, sizeof m->addresses.text[0] - 1);
        use_addresses(m);
        return;
    }
    m->phase = UP_MQTT_RESOLVING;
    m->due = now_of(m) + CONNECT_MS;
    /* A look-up that is still running from an earlier attempt is used. */
    if (!m->resolver && up_resolver_start(&m->resolver, m->o.host, &err) < 0)
        lose(m, &err);
}

static void await_addresses(struct up_mqtt *m)
{
    struct up_error err;
    int rc = up_resolver_result(m->resolver, &m->addresses, &err);

    if (rc == UP_AGAIN) {
        if (now_of(m) < m->due)
            return;
        up_fail(&err, UP_NETWORK, "the name server does not answer");
        lose(m, &err);
        return;
    }
    up_resolver_free(m->resolver);
    m->resolver = NULL;
    if (rc < 0)
        lose(m, &err);
    else
        use_addresses(m);
}

static void go_online(struct up_mqtt *m)
{
    m->phase = UP_MQTT_ONLINE;
    m->since = now_of(m);
    up_mqtt_tell(m, &(struct up_mqtt_event){.kind = UP_MQTT_CONNECTED, .session = m->session});
    for (struct up_mqtt_subscription *s = m->subscriptions; s; s = s->next)
        up_mqtt_link_subscribe(m, s);
}

static void tell_published(struct up_mqtt *m)
{
    struct up_mqtt_outgoing *o;

    for (o = up_mqtt_queue_take(&m->queue); o; o = up_mqtt_queue_take(&m->queue)) {
        if (up_mqtt_queue_weight(o) >= m->refused)
            m->refused = 0;
        up_mqtt_tell(
            m, &(struct up_mqtt_event){
                   .kind = UP_MQTT_PUBLISHED,
                   .id = o->id,
                   .unheard = o->reason == MQTT_RC_NO_MATCHING_SUBSCRIBERS,
                   .message = o->reason >= MQTT_RC_UNSPECIFIED ? mosquitto_reason_string(o->reason) : NULL,
               });
        free(o);
    }
}

static void work_link(struct up_mqtt *m)
{
    struct up_error err;
    int rc = up_mqtt_link_work(m, &err);

    tell_published(m);
    if (m->careful && m->phase == UP_MQTT_ONLINE && now_of(m) - m->since >= STEADY_MS)
        m->careful = false;
    if (rc == 0 && m->phase == UP_MQTT_CONNECTING && m->answered)
        go_online(m);
    if (rc == 0 && m->phase == UP_MQTT_CONNECTING && now_of(m) >= m->due)
        rc = up_fail(&err, UP_NETWORK, "no answer within %d s", CONNECT_MS / 1000);
    if (rc < 0 && m->phase == UP_MQTT_CONNECTING && !m->answered)
        try_next_address(m, &err);
    else if (rc < 0)
        lose(m, &err);
    else
        up_mqtt_link_pump(m);
    tell_published(m);
}

static void work(struct up_mqtt *m)
{
    switch (m->phase) {
    case UP_MQTT_WAITING:
        if (now_of(m) >= m->due)
            begin(m);
        break;
    case UP_MQTT_RESOLVING:
        await_addresses(m);
        break;
    default:
        work_link(m);
    }
}

bool up_mqtt_step(struct up_mqtt *m, struct up_mqtt_event *out)
{
    if (!m->first && !m->round_over) {
        work(m);
        m->round_over = m->first != NULL;
    }
    if (up_mqtt_next_event(m, out))
        return true;
    m->round_over = false;
    return false;
}

int up_mqtt_fd(const struct up_mqtt *m)
{
    switch (m->phase) {
    case UP_MQTT_WAITING:
        return -1;
    case UP_MQTT_RESOLVING:
        return up_resolver_fd(m->resolver);
    default:
        return up_mqtt_link_fd(m);
    }
}

bool up_mqtt_wants_write(const struct up_mqtt *m)
{
    return m->phase >= UP_MQTT_CONNECTING && up_mqtt_link_wants_write(m);
}

int up_mqtt_remaining(const struct up_mqtt *m)
{
    uint64_t now = now_of(m), left;

    if (m->first || m->trouble || (m->phase >= UP_MQTT_CONNECTING && up_mqtt_link_holds_bytes(m)))
        return 0;
    /* While online the library counts the keep-alive itself, in seconds; the
     * broker allows half of it as grace. */
    if (m->phase == UP_MQTT_ONLINE)
        left = m->o.keepalive * 1000 / 8;
    else
        left = m->due > now ? m->due - now : 0;
    return left > REMAINING_MAX ? REMAINING_MAX : (int)left;
}

static int publish(struct up_mqtt *m, const char *topic, const void *payload, size_t len, int qos,
                   bool retain, uint32_t life, uint64_t *id, struct up_error *err)
{
    int rc;

    /* The library accepts an empty topic, for which a broker ends the connection. */
    if (!*topic || mosquitto_pub_topic_check(topic) != MOSQ_ERR_SUCCESS ||
        mosquitto_validate_utf8(topic, (int)strlen(topic)) != MOSQ_ERR_SUCCESS)
        return up_fail(err, UP_USAGE, "mqtt: nothing can be published to '%s'", topic);
    if (qos < 0 || qos > 1)
        return up_fail(err, UP_USAGE, "mqtt: QoS is 0 or 1");
    if (len > UP_MQTT_PAYLOAD)
        return up_fail(err, UP_NETWORK, "mqtt: a message of %zu bytes, at most %d are sent", len,
                       UP_MQTT_PAYLOAD);
    rc = up_mqtt_queue_add(&m->queue, topic, payload, len, qos, retain, err);
    if (rc < 0)
        return rc;
    *id = m->queue.newest;
    if (life)
        up_mqtt_queue_last(&m->queue)->until = now_of(m) + (uint64_t)life * 1000;
    up_mqtt_link_pump(m);
    tell_published(m);
    return 0;
}

int up_mqtt_publish(struct up_mqtt *m, const char *topic, const void *payload, size_t len, int qos,
                    bool retain, uint64_t *id, struct up_error *err)
{
    return publish(m, topic, payload, len, qos, retain, 0, id, err);
}

int up_mqtt_publish_for(struct up_mqtt *m, const char *topic, const void *payload, size_t len, int qos,
                        uint32_t life, uint64_t *id, struct up_error *err)
{
    return publish(m, topic, payload, len, qos, false, life, id, err);
}

static struct up_mqtt_subscription **find(struct up_mqtt *m, const char *topic)
{
    struct up_mqtt_subscription **at = &m->subscriptions;

    while (*at && strcmp((*at)->topic, topic) != 0)
        at = &(*at)->next;
    return at;
}

void up_mqtt_hurry(struct up_mqtt *m)
{
    if (m->phase == UP_MQTT_WAITING)
        m->due = now_of(m);
}

int up_mqtt_subscribe(struct up_mqtt *m, const char *topic, int qos, struct up_error *err)
{
    struct up_mqtt_subscription **at = find(m, topic);
    size_t size = strlen(topic) + 1;

    if (!*topic || mosquitto_sub_topic_check(topic) != MOSQ_ERR_SUCCESS ||
        mosquitto_validate_utf8(topic, (int)strlen(topic)) != MOSQ_ERR_SUCCESS || qos < 0 || qos > 1)
        return up_fail(err, UP_USAGE, "mqtt: '%s' with QoS %d cannot be subscribed to", topic, qos);
    if (!*at) {
        if (m->subscribed >= UP_MQTT_SUBSCRIPTIONS)
            return up_fail(err, UP_USAGE, "mqtt: more than %d subscriptions", UP_MQTT_SUBSCRIPTIONS);
        *at = calloc(1, sizeof **at + size);
        if (!*at)
            return up_fail(err, UP_INTERNAL, "mqtt: out of memory");
        memcpy((*at)->topic, topic, size);
        m->subscribed++;
    }
    (*at)->qos = qos;
    if (m->phase == UP_MQTT_ONLINE)
        up_mqtt_link_subscribe(m, *at);
    return 0;
}

int up_mqtt_unsubscribe(struct up_mqtt *m, const char *topic, struct up_error *err)
{
    struct up_mqtt_subscription **at = find(m, topic), *s = *at;

    if (!s)
        return up_fail(err, UP_NOTHING, "mqtt: '%s' is not subscribed to", topic);
    *at = s->next;
    free(s);
    m->subscribed--;
    if (m->phase == UP_MQTT_ONLINE)
        up_mqtt_link_unsubscribe(m, topic);
    return 0;
}

void up_mqtt_status(const struct up_mqtt *m, struct up_mqtt_status *out)
{
    out->connected = m->phase == UP_MQTT_ONLINE;
    out->queued = m->queue.count;
    out->attempts = m->attempts;
}

void up_mqtt_close(struct up_mqtt *m)
{
    if (!m)
        return;
    if (m->phase == UP_MQTT_ONLINE)
        up_mqtt_link_farewell(m);
    up_mqtt_link_free(m);
    up_resolver_free(m->resolver);
    up_mqtt_queue_clear(&m->queue);
    up_mqtt_forget_events(m);
    while (m->subscriptions) {
        struct up_mqtt_subscription *s = m->subscriptions;

        m->subscriptions = s->next;
        free(s);
    }
    up_mqtt_options_free(&m->o);
    free(m);
}
