/*
 * mqtt_queue.h -- messages in order, until the broker has them.
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
    int mid; /* the library's number while the message is handed over */
    int qos;
    bool retain;
    bool handed;    /* to the library */
    bool done;      /* the broker has it: report and remove it */
    int reason;     /* the broker's reason code in MQTT 5; 0: none */
    uint64_t until; /* expires then, ms of the client's clock; 0: never */
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
/* The library has finished the message with its number `mid`; NULL: there is none. */
struct up_mqtt_outgoing *up_mqtt_queue_done(struct up_mqtt_queue *q, int mid);
/* The last message that was added. */
struct up_mqtt_outgoing *up_mqtt_queue_last(const struct up_mqtt_queue *q);
/* Remove the first message that is done, to be freed by the caller; NULL if there is none. */
struct up_mqtt_outgoing *up_mqtt_queue_take(struct up_mqtt_queue *q);
/* The number of QoS 1 messages that the library holds. */
size_t up_mqtt_queue_in_flight(const struct up_mqtt_queue *q);
/* The connection is gone: messages of QoS 0 that the library held are handed
 * over again. The library keeps those of QoS 1 itself. */
void up_mqtt_queue_lost(struct up_mqtt_queue *q);
/* The oldest QoS 1 message that the library holds; NULL: none. */
const struct up_mqtt_outgoing *up_mqtt_queue_oldest(const struct up_mqtt_queue *q);
/* Bytes of its packet on the wire. */
size_t up_mqtt_queue_weight(const struct up_mqtt_outgoing *o);
/* The library was recreated: all messages are handed over again. */
void up_mqtt_queue_renew(struct up_mqtt_queue *q);
/* Give the message up. */
void up_mqtt_queue_drop(struct up_mqtt_queue *q, uint64_t id);
void up_mqtt_queue_clear(struct up_mqtt_queue *q);

#endif
