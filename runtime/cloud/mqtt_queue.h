/*
 * mqtt_queue.h -- messages that wait until the broker has them, in order.
 */
#ifndef UP_MQTT_QUEUE_H
#define UP_MQTT_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"

struct up_mqtt_outgoing {
    struct up_mqtt_outgoing *next;
    uint64_t id;
    int mid; /* the library's number while it is handed over */
    int qos;
    bool retain;
    bool handed;    /* to the library */
    bool done;      /* the broker has it: to be told and taken off */
    int reason;     /* with which, of MQTT 5; 0: with none */
    uint64_t until; /* ms of the client's clock after which it is of no use; 0: for ever */
    size_t len;
    const char *topic;
    char payload[];
};

struct up_mqtt_queue {
    struct up_mqtt_outgoing *first, **last;
    size_t count, most;
    uint64_t newest; /* id */
};

void up_mqtt_queue_init(struct up_mqtt_queue *q, size_t most);
/* Copies. Errors: UP_NETWORK full; UP_INTERNAL. */
UP_MUST_CHECK int up_mqtt_queue_add(struct up_mqtt_queue *q, const char *topic, const void *payload,
                                    size_t len, int qos, bool retain, struct up_error *err);
/* The library is through with the one that it numbered `mid`; NULL: it numbered none so. */
struct up_mqtt_outgoing *up_mqtt_queue_done(struct up_mqtt_queue *q, int mid);
/* The one that was added last. */
struct up_mqtt_outgoing *up_mqtt_queue_last(const struct up_mqtt_queue *q);
/* Take the first that is done off, to be freed by the caller; NULL when there is none. */
struct up_mqtt_outgoing *up_mqtt_queue_take(struct up_mqtt_queue *q);
/* How many of QoS 1 the library holds. */
size_t up_mqtt_queue_in_flight(const struct up_mqtt_queue *q);
/* The connection is gone: what of QoS 0 the library held is to be handed over
 * again. It keeps those of QoS 1 itself. */
void up_mqtt_queue_lost(struct up_mqtt_queue *q);
/* The oldest message of QoS 1 that the library holds; NULL none. */
const struct up_mqtt_outgoing *up_mqtt_queue_oldest(const struct up_mqtt_queue *q);
/* Bytes of its packet on the wire. */
size_t up_mqtt_queue_weight(const struct up_mqtt_outgoing *o);
/* The library has forgotten everything: all is to be handed over again. */
void up_mqtt_queue_renew(struct up_mqtt_queue *q);
/* Give the message up. */
void up_mqtt_queue_drop(struct up_mqtt_queue *q, uint64_t id);
void up_mqtt_queue_clear(struct up_mqtt_queue *q);

#endif
