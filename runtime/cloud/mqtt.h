/*
 * mqtt.h -- an MQTT client that keeps itself connected.
 *
 * Nothing here waits. The owner of the loop polls fd() for reading, and for
 * writing while wants_write(), for at most remaining() milliseconds, and then
 * calls step() until it gives no event. When a connection fails or ends, a new
 * one is made after a pause that doubles from back_off_min to back_off_max.
 * Half of each pause is random, so that a fleet does not reconnect at once.
 * After 30 s online the pauses start from the first one again.
 *
 * Published messages wait in a queue until the broker has them, also while
 * there is no connection. Messages of QoS 1 are sent again until they are
 * acknowledged; so are those of QoS 0 that were not completely written when the
 * connection broke. Order is kept; the broker may see a message of QoS 1 twice.
 * A message is given up only when the broker ended ten connections in a row
 * over it, which would otherwise lock the client out forever.
 *
 * The broker's name is resolved by resolver.h in a thread, because the library
 * would block the loop. The library gets the address, and the TLS context keeps
 * the name, which is sent as SNI and must be in the certificate. All addresses
 * are tried before a pause begins.
 *
 * It speaks MQTT 3.1.1, or 5 if `five` is set: then messages can expire, and
 * the client learns when nobody has subscribed. With a broker that refuses 5 it
 * falls back to 3.1.1; with one that just closes the connection it tries both
 * in turn.
 *
 * Limits: a message in either direction has at most UP_MQTT_PAYLOAD bytes. A
 * larger one that arrives is read, up to 1 MiB, and reported as dropped; beyond
 * that, or if the broker sends with QoS 2, which was not requested, the
 * connection is ended.
 *
 * User, password and payloads never appear in messages. Once a client exists,
 * SIGPIPE is ignored in the process: libmosquitto does that.
 */
#ifndef UP_MQTT_H
#define UP_MQTT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"

#define UP_MQTT_PAYLOAD (64 * 1024)
#define UP_MQTT_QUEUE 64          /* messages that wait; default and maximum */
#define UP_MQTT_SUBSCRIPTIONS 256 /* at most */
#define UP_MQTT_PSK 64            /* bytes of a pre-shared key, at most */

struct up_storage;
struct up_mqtt;

struct up_mqtt_options {
    const char *host; /* name or numeric address */
    unsigned port;
    const char *client_id; /* NULL: made up; only with `clean` */
    const char *user, *password;
    unsigned keepalive; /* seconds, 5 to 65535 */
    bool clean;
    bool five;                           /* MQTT 5, if the broker speaks it */
    uint64_t back_off_min, back_off_max; /* milliseconds */
    size_t queue;                        /* messages, 1 to UP_MQTT_QUEUE */

    bool tls;
    const char *ca;          /* file of trusted certificates; NULL: those of the system */
    const char *cert, *key;  /* files, both or none */
    const char *server_name; /* NULL: host */
    bool insecure;           /* accept any certificate: for tests only */
    /* Pre-shared key and identity: TLS 1.2 with them, and no certificate on
     * either side. psk NULL: certificates are used. */
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
    UP_MQTT_CONNECTED,    /* session: the broker kept the previous one */
    UP_MQTT_DISCONNECTED, /* code, message, retry_after; also if it was never connected */
    UP_MQTT_MESSAGE,      /* topic, payload, len, qos, retain */
    UP_MQTT_PUBLISHED,    /* id, unheard, message (why it is refused, or NULL): acked, or for QoS 0 written */
    UP_MQTT_SUBSCRIBED,   /* topic, qos as granted; on every connection */
    UP_MQTT_DENIED,       /* topic, code, message: the broker refused a subscription */
    UP_MQTT_DROPPED,      /* topic, len, code, message: a message that arrived was too large */
    UP_MQTT_LOST          /* id, topic, len (of its packet), code, message: given up, see above */
};

/* Strings are owned by the client and valid until its next call. */
struct up_mqtt_event {
    enum up_mqtt_kind kind;
    bool session, retain;
    bool unheard; /* the broker says that nobody has subscribed to this topic */
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

/* Start; the first step() makes the first attempt. Clock and random numbers are
 * the storage's. Errors: UP_USAGE an invalid option, or a file it names;
 * UP_INTERNAL. */
UP_MUST_CHECK int up_mqtt_open(struct up_mqtt **out, struct up_storage *storage,
                               const struct up_mqtt_options *o, struct up_error *err);

int up_mqtt_fd(const struct up_mqtt *m); /* -1: there is nothing to poll now */
bool up_mqtt_wants_write(const struct up_mqtt *m);
int up_mqtt_remaining(const struct up_mqtt *m); /* milliseconds, at most 60000 */

/* The next event into *out: true, or false if there is none and it is time to
 * poll. Reads and writes once after each false. */
bool up_mqtt_step(struct up_mqtt *m, struct up_mqtt_event *out);

/* Queue a message; *id ascends. Errors: UP_USAGE invalid topic; UP_NETWORK the
 * queue is full or the message too large; UP_INTERNAL. */
UP_MUST_CHECK int up_mqtt_publish(struct up_mqtt *m, const char *topic, const void *payload, size_t len,
                                  int qos, bool retain, uint64_t *id, struct up_error *err);
/* The same for a message that expires `life` seconds from now: a broker that
 * speaks MQTT 5 does not deliver it after that. */
UP_MUST_CHECK int up_mqtt_publish_for(struct up_mqtt *m, const char *topic, const void *payload, size_t len,
                                      int qos, uint32_t life, uint64_t *id, struct up_error *err);
/* Remembered and repeated on every connection. Errors: UP_USAGE invalid topic, too many; UP_INTERNAL. */
UP_MUST_CHECK int up_mqtt_subscribe(struct up_mqtt *m, const char *topic, int qos, struct up_error *err);
/* Errors: UP_NOTHING it is not subscribed to. */
UP_MUST_CHECK int up_mqtt_unsubscribe(struct up_mqtt *m, const char *topic, struct up_error *err);

/* Connect now if it is waiting for its next attempt; later pauses stay as long. */
void up_mqtt_hurry(struct up_mqtt *m);
void up_mqtt_status(const struct up_mqtt *m, struct up_mqtt_status *out);

/* Send what can be sent at once and a DISCONNECT, so that the broker does not
 * publish the last will; waits up to a second if the network takes nothing.
 * Messages that are still queued are lost. NULL is allowed. */
void up_mqtt_close(struct up_mqtt *m);

#endif
