/*
 * mqtt.h -- a client of an MQTT broker that stays connected by itself.
 *
 * Nothing here waits. Whoever owns the loop polls fd() for reading, and for
 * writing while wants_write(), for at most remaining() milliseconds, and then
 * calls step() until it gives no event. A connection that fails or ends is
 * made anew after a pause that doubles from back_off_min to back_off_max, each
 * time with half of it left to chance, so that a fleet does not come back as
 * one. The first pause counts again once a connection has lasted 30 s.
 *
 * What is published waits in a queue of its own until the broker has it:
 * across lost connections and hours without one. Messages of QoS 1 are sent
 * again until they are acknowledged; those of QoS 0 that were not wholly
 * written when the connection broke, too. They go in the order in which they were
 * published; the broker may see one of QoS 1 twice. One is given up only when the
 * broker itself ended ten connections in a row over it, which would otherwise
 * keep the client away for ever.
 *
 * The name of the broker is looked up by resolver.h, in a thread: the library
 * would stop the loop for it. The library is given the address, and the TLS
 * context here keeps the name: it is what is asked for and what the
 * certificate must say. Each address is tried before a pause begins.
 *
 * It speaks MQTT 3.1.1, or 5 when `five` says so: then messages can end, and one
 * is told when nobody listens. A broker that does not speak 5 gets 3.1.1, without
 * either; one that just cuts is tried with both in turn.
 *
 * Bounds: a message, either way, has at most UP_MQTT_PAYLOAD bytes. A larger
 * one that comes is read, up to 1 MiB, and told as dropped; beyond that, and when
 * the broker sends with QoS 2, which nobody asked for, the connection is ended.
 *
 * Neither user, password nor payloads ever appear in messages. SIGPIPE is ignored in
 * the process once there was a client: libmosquitto does that.
 */
#ifndef UP_MQTT_H
#define UP_MQTT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"

#define UP_MQTT_PAYLOAD (64 * 1024)
#define UP_MQTT_QUEUE 64          /* messages that wait, by default and at most */
#define UP_MQTT_SUBSCRIPTIONS 256 /* at most */
#define UP_MQTT_PSK 64            /* bytes of a key that both know, at most */

struct up_storage;
struct up_mqtt;

struct up_mqtt_options {
    const char *host; /* name or numeric address */
    unsigned port;
    const char *client_id; /* NULL: made up, with `clean` only */
    const char *user, *password;
    unsigned keepalive; /* seconds, 5 to 65535 */
    bool clean;
    bool five;                           /* MQTT 5, where the broker speaks it */
    uint64_t back_off_min, back_off_max; /* milliseconds */
    size_t queue;                        /* messages, 1 to UP_MQTT_QUEUE */

    bool tls;
    const char *ca;          /* file of trusted certificates; NULL: those of the system */
    const char *cert, *key;  /* files, both or none */
    const char *server_name; /* NULL: host */
    bool insecure;           /* any certificate will do: for trying only */
    /* A key that broker and client know, and under what name: TLS 1.2 with it, and
     * no certificate on either side. psk NULL: with certificates. */
    const char *psk_identity;
    const void *psk;
    size_t psk_len;      /* bytes, 1 to UP_MQTT_PSK */
    uint64_t time_floor; /* as in fetch_options.h, while the system clock is behind it */

    const char *will_topic; /* NULL: no last will */
    const void *will_payload;
    size_t will_len;
    int will_qos;
    bool will_retain;
};

enum up_mqtt_kind {
    UP_MQTT_CONNECTED,    /* session: the broker kept the one before */
    UP_MQTT_DISCONNECTED, /* code, message, retry_after: also when it never was connected */
    UP_MQTT_MESSAGE,      /* topic, payload, len, qos, retain */
    UP_MQTT_PUBLISHED, /* id, unheard, message (why the broker refuses it, or NULL): acknowledged, or with QoS 0 wholly handed to the system */
    UP_MQTT_SUBSCRIBED, /* topic, qos as granted: on every connection */
    UP_MQTT_DENIED,     /* topic, code, message: the broker refused a subscription */
    UP_MQTT_DROPPED,    /* topic, len, code, message: too large a message came */
    UP_MQTT_LOST        /* id, topic, len (of its packet), code, message: given up, see above */
};

/* Strings are owned by the client and valid until its next call. */
struct up_mqtt_event {
    enum up_mqtt_kind kind;
    bool session, retain;
    bool unheard; /* the broker says that nobody has subscribed to this */
    int qos, code;
    uint64_t id;
    uint64_t retry_after; /* milliseconds */
    const char *topic, *message;
    const void *payload;
    size_t len;
};

struct up_mqtt_status {
    bool connected;
    size_t queued;     /* messages that are not published yet */
    uint64_t attempts; /* to connect, since it was opened */
};

/* Begin; the first attempt is made by the first step(). Clock and chance are the
 * storage's. Errors: UP_USAGE an option, or a file it names; UP_INTERNAL. */
UP_MUST_CHECK int up_mqtt_open(struct up_mqtt **out, struct up_storage *storage,
                               const struct up_mqtt_options *o, struct up_error *err);

int up_mqtt_fd(const struct up_mqtt *m); /* -1: there is nothing to poll now */
bool up_mqtt_wants_write(const struct up_mqtt *m);
int up_mqtt_remaining(const struct up_mqtt *m); /* milliseconds, at most 60000 */

/* The next event into *out: true, or false when there is none and it is time to
 * poll. Reads and writes once each time it starts anew after a false. */
bool up_mqtt_step(struct up_mqtt *m, struct up_mqtt_event *out);

/* Queue a message; *id rises. Errors: UP_USAGE the topic; UP_NETWORK the queue is full or the
 * message too large; UP_INTERNAL. */
UP_MUST_CHECK int up_mqtt_publish(struct up_mqtt *m, const char *topic, const void *payload, size_t len,
                                  int qos, bool retain, uint64_t *id, struct up_error *err);
/* The same for one that is of no use after `life` seconds, counted from now: a broker that speaks
 * MQTT 5 delivers it to nobody then. */
UP_MUST_CHECK int up_mqtt_publish_for(struct up_mqtt *m, const char *topic, const void *payload, size_t len,
                                      int qos, uint32_t life, uint64_t *id, struct up_error *err);
/* Remembered, and said anew on every connection. Errors: UP_USAGE the topic, too many; UP_INTERNAL. */
UP_MUST_CHECK int up_mqtt_subscribe(struct up_mqtt *m, const char *topic, int qos, struct up_error *err);
UP_MUST_CHECK int up_mqtt_unsubscribe(struct up_mqtt *m, const char *topic, struct up_error *err);

/* Try to connect now, if it is waiting for its next attempt; the pauses after that stay as long. */
void up_mqtt_hurry(struct up_mqtt *m);
void up_mqtt_status(const struct up_mqtt *m, struct up_mqtt_status *out);

/* Send what goes at once and the farewell, so that the broker does not publish
 * the last will; waits up to a second when the network takes nothing. What is
 * still queued is gone. NULL is allowed. */
void up_mqtt_close(struct up_mqtt *m);

#endif
