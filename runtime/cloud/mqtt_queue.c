#include "mqtt_queue.h"

#include <stdlib.h>
#include <string.h>

#include "error.h"

void up_mqtt_queue_init(struct up_mqtt_queue *q, size_t most)
{
    *q = (struct up_mqtt_queue){.last = &q->first, .most = most};
}

int up_mqtt_queue_add(struct up_mqtt_queue *q, const char *topic, const void *payload, size_t len, int qos,
                      bool retain, struct up_error *err)
{
    size_t topic_size = strlen(topic) + 1;
    struct up_mqtt_outgoing *o;

    if (q->count >= q->most)
        return up_fail(err, UP_NETWORK, "mqtt: %zu messages wait for the broker already", q->count);
    o = malloc(sizeof *o + len + topic_size);
    if (!o)
        return up_fail(err, UP_INTERNAL, "mqtt: out of memory");
    *o = (struct up_mqtt_outgoing){.id = ++q->newest, .qos = qos, .retain = retain, .len = len};
    if (len > 0)
        memcpy(o->payload, payload, len);
    memcpy(o->payload + len, topic, topic_size);
    o->topic = o->payload + len;
    *q->last = o;
    q->last = &o->next;
    q->count++;
    return 0;
}

struct up_mqtt_outgoing *up_mqtt_queue_done(struct up_mqtt_queue *q, int mid)
{
    for (struct up_mqtt_outgoing *o = q->first; o; o = o->next)
        if (o->handed && !o->done && o->mid == mid) {
            o->done = true;
            return o;
        }
    return NULL;
}

struct up_mqtt_outgoing *up_mqtt_queue_last(const struct up_mqtt_queue *q)
{
    struct up_mqtt_outgoing *o = q->first;

    while (o && o->next)
        o = o->next;
    return o;
}

static struct up_mqtt_outgoing *unlink_at(struct up_mqtt_queue *q, struct up_mqtt_outgoing **at)
{
    struct up_mqtt_outgoing *o = *at;

    *at = o->next;
    if (q->last == &o->next)
        q->last = at;
    q->count--;
    return o;
}

struct up_mqtt_outgoing *up_mqtt_queue_take(struct up_mqtt_queue *q)
{
    for (struct up_mqtt_outgoing **at = &q->first; *at; at = &(*at)->next)
        if ((*at)->done)
            return unlink_at(q, at);
    return NULL;
}

const struct up_mqtt_outgoing *up_mqtt_queue_oldest(const struct up_mqtt_queue *q)
{
    for (const struct up_mqtt_outgoing *o = q->first; o; o = o->next)
        if (o->qos > 0 && o->handed && !o->done)
            return o;
    return NULL;
}

size_t up_mqtt_queue_weight(const struct up_mqtt_outgoing *o)
{
    size_t rest = 2 + strlen(o->topic) + (o->qos > 0 ? 2 : 0) + o->len, head = 2;

    for (size_t left = rest; left > 127; left >>= 7)
        head++;
    return head + rest;
}

void up_mqtt_queue_renew(struct up_mqtt_queue *q)
{
    for (struct up_mqtt_outgoing *o = q->first; o; o = o->next)
        o->handed = o->done;
}

void up_mqtt_queue_drop(struct up_mqtt_queue *q, uint64_t id)
{
    for (struct up_mqtt_outgoing **at = &q->first; *at; at = &(*at)->next)
        if ((*at)->id == id) {
            free(unlink_at(q, at));
            return;
        }
}

size_t up_mqtt_queue_in_flight(const struct up_mqtt_queue *q)
{
    size_t n = 0;

    for (const struct up_mqtt_outgoing *o = q->first; o; o = o->next)
        n += o->qos > 0 && o->handed && !o->done;
    return n;
}

void up_mqtt_queue_lost(struct up_mqtt_queue *q)
{
    for (struct up_mqtt_outgoing *o = q->first; o; o = o->next)
        if (o->qos == 0 && !o->done)
            o->handed = false;
}

void up_mqtt_queue_clear(struct up_mqtt_queue *q)
{
    while (q->first) {
        struct up_mqtt_outgoing *o = q->first;

        q->first = o->next;
        free(o);
    }
    up_mqtt_queue_init(q, q->most);
}
