/*
 * mqtt_callbacks.c -- the callbacks of libmosquitto: they turn what happened
 * into events and the client's state, and send nothing.
 */
#include <mosquitto.h>
#include <mqtt_protocol.h>
#include <string.h>

#include "error.h"
#include "mqtt_private.h"
#include "mqtt_tls.h"

/*
 * Called by the library from within the functions below. They only note what
 * happened, because the library holds locks then.
 */

static void on_connect(struct mosquitto *client, void *user, int answer, int flags)
{
    struct up_mqtt *m = user;

    (void)client;
    if (m->muted)
        return;
    if (m->answered) {
        m->violation = "the broker answered the connection twice";
        return;
    }
    m->answered = true;
    m->answer = answer;
    m->session = flags & 1;
}

static void on_message(struct mosquitto *client, void *user, const struct mosquitto_message *msg)
{
    struct up_mqtt *m = user;
    struct up_mqtt_event e = {.kind = UP_MQTT_MESSAGE,
                              .topic = msg->topic,
                              .payload = msg->payload,
                              .len = (size_t)msg->payloadlen,
                              .qos = msg->qos,
                              .retain = msg->retain};

    (void)client;
    m->completed = true;
    if (m->muted)
        return;
    if (e.len > UP_MQTT_PAYLOAD) {
        e.kind = UP_MQTT_DROPPED;
        e.payload = NULL;
        e.code = UP_CORRUPT;
        e.message = "the message is larger than 65536 bytes";
    }
    up_mqtt_tell(m, &e);
}

/* Also called without MQTT 5; then there is no reason. */
static void on_publish(struct mosquitto *client, void *user, int mid, int reason,
                       const mosquitto_property *properties)
{
    struct up_mqtt *m = user;
    struct up_mqtt_outgoing *o;

    (void)client, (void)properties;
    m->completed = true;
    o = up_mqtt_queue_done(&m->queue, mid);
    if (o)
        o->reason = reason;
}

/* The library's own codes are below those with which a broker ends a connection. */
static void on_disconnect(struct mosquitto *client, void *user, int reason,
                          const mosquitto_property *properties)
{
    struct up_mqtt *m = user;

    (void)client, (void)properties;
    if (!m->muted && reason >= MQTT_RC_UNSPECIFIED)
        m->farewell = reason;
}

static void on_subscribe(struct mosquitto *client, void *user, int mid, int count, const int *granted)
{
    struct up_mqtt *m = user;
    struct up_mqtt_event e = {.kind = UP_MQTT_SUBSCRIBED};

    (void)client;
    for (struct up_mqtt_subscription *s = m->subscriptions; s; s = s->next)
        if (s->mid == mid && count > 0) {
            s->mid = 0;
            e.topic = s->topic;
            e.qos = granted[0];
            if (e.qos > 2) {
                e.kind = UP_MQTT_DENIED;
                e.qos = 0;
                e.code = UP_UNTRUSTED;
                e.message = "the broker does not allow this subscription";
            }
            up_mqtt_tell(m, &e);
            return;
        }
}

/* Only the log callback shows what OpenSSL said, and that a packet came which
 * the library keeps to itself: it holds those of QoS 2 until the broker
 * releases them, without limit. */
static void on_log(struct mosquitto *client, void *user, int level, const char *text)
{
    struct up_mqtt *m = user;
    const char *received = strstr(text, " received "), *colon = strrchr(text, ':');

    (void)client, (void)level;
    if (m->tls && strncmp(text, "OpenSSL Error", 13) == 0 && colon)
        up_mqtt_tls_note(m->tls, colon + 1);
    if (!received)
        return;
    m->completed = true;
    if (strncmp(received, " received PUBLISH (", 19) == 0 && strncmp(received + 19 + 2, ", q2,", 5) == 0)
        m->violation = "the broker sent with QoS 2, which was not asked for";
}

void up_mqtt_callbacks_set(struct mosquitto *client)
{
    mosquitto_connect_with_flags_callback_set(client, on_connect);
    mosquitto_message_callback_set(client, on_message);
    mosquitto_publish_v5_callback_set(client, on_publish);
    mosquitto_disconnect_v5_callback_set(client, on_disconnect);
    mosquitto_subscribe_callback_set(client, on_subscribe);
    mosquitto_log_callback_set(client, on_log);
}
