/*
 * mqtt_events.c -- the queue of events until they are fetched.
 */
#include "mqtt_private.h"

#include <stdlib.h>
#include <string.h>

static size_t size_of(const char *text)
{
    return text ? strlen(text) + 1 : 0;
}

static const char *place(char **at, const void *bytes, size_t size)
{
    char *here = *at;

    if (!bytes)
        return NULL;
    memcpy(here, bytes, size);
    *at += size;
    return here;
}

void up_mqtt_tell(struct up_mqtt *m, const struct up_mqtt_event *event)
{
    size_t payload = event->payload ? event->len : 0;
    struct up_mqtt_node *n = malloc(sizeof *n + payload + size_of(event->topic) + size_of(event->message));
    char *at;

    if (!n) {
        m->violation = "out of memory";
        return;
    }
    m->told_bytes += sizeof *n + payload;
    at = n->text;
    n->next = NULL;
    n->event = *event;
    n->event.payload = place(&at, event->payload, payload);
    n->event.topic = place(&at, event->topic, size_of(event->topic));
    n->event.message = place(&at, event->message, size_of(event->message));
    *m->last = n;
    m->last = &n->next;
}

bool up_mqtt_next_event(struct up_mqtt *m, struct up_mqtt_event *out)
{
    struct up_mqtt_node *n = m->first;

    free(m->told);
    m->told = n;
    if (!n)
        return false;
    m->first = n->next;
    if (!m->first)
        m->last = &m->first;
    *out = n->event;
    return true;
}

void up_mqtt_forget_events(struct up_mqtt *m)
{
    struct up_mqtt_event ignored;

    while (up_mqtt_next_event(m, &ignored))
        ;
}
