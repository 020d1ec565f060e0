/*
 * mqtt_private.h -- shared by the files of mqtt.h: the client (mqtt.c), its
 * connection over libmosquitto (mqtt_library.c, mqtt_link.c, mqtt_callbacks.c),
 * its events (mqtt_events.c).
 */
#ifndef UP_MQTT_PRIVATE_H
#define UP_MQTT_PRIVATE_H

#include "error.h"
#include "mqtt.h"

#include "mqtt_queue.h"
#include "resolver.h"

#define UP_MQTT_WINDOW 16 /* unacknowledged messages of QoS 1, at most */
#define UP_MQTT_FREE 4

struct mosquitto;
struct up_mqtt_tls;

enum up_mqtt_phase {
    UP_MQTT_WAITING,    /* until `due` */
    UP_MQTT_RESOLVING,  /* until `due` at most */
    UP_MQTT_CONNECTING, /* TCP, TLS, CONNACK; until `due` at most */
    UP_MQTT_ONLINE
};

struct up_mqtt_node {
    struct up_mqtt_node *next;
    struct up_mqtt_event event;
    char text[]; /* its strings */
};

struct up_mqtt_subscription {
    struct up_mqtt_subscription *next;
    int qos;
    int mid;
    char topic[];
};

struct up_mqtt {
    struct up_storage *storage;
    struct up_mqtt_options o; /* owns its strings, except those of TLS */
    uint64_t back_off;        /* ms */

    enum up_mqtt_phase phase;
    uint64_t due, since; /* ms of the storage's clock; since: online */
    uint64_t attempts;
    struct up_resolver *resolver;
    struct up_addresses addresses;
    size_t next_address;

    struct mosquitto *client;
    struct up_mqtt_tls *tls; /* NULL without TLS */
    int pair[2];             /* descriptors that the library opened beside its socket; -1 none */
    int trouble;             /* the library's return code for a failed write; 0: none */
    int trouble_error;       /* errno then */
    bool cut;                /* the broker ended the connection, for whatever reason */
    bool five, no_five;      /* MQTT 5 is spoken now; the broker refused it */
    bool answered, session;  /* CONNACK arrived */
    int answer;              /* its code */
    int farewell;            /* the broker's DISCONNECT reason in MQTT 5; 0: none */
    const char *violation;   /* how the broker broke the protocol; NULL: it did not */
    bool muted;              /* the connection is over: what still arrives is not reported */
    bool completed;          /* a packet was completed in this round */
    bool measured;           /* false: `unaccounted` is not valid */
    size_t told_bytes;       /* bytes of events since a round of reading began */
    uint64_t unaccounted;    /* bytes read when a packet was last complete */

    uint64_t suspect; /* the message over which the broker may have ended the connection; 0: none */
    unsigned strikes; /* how often in a row */
    bool careful;     /* one message at a time */
    size_t refused;   /* size of a packet that was given up; 0: the broker took one as large since */

    struct up_mqtt_queue queue;
    struct up_mqtt_subscription *subscriptions;
    size_t subscribed;
    struct up_mqtt_node *first, **last, *told;
    bool round_over; /* events were returned: report that before reading again */
};

/* mqtt_options.c: check and copy. Errors: UP_USAGE, UP_INTERNAL. */
UP_MUST_CHECK int up_mqtt_options_copy(struct up_mqtt_options *out, const struct up_mqtt_options *o,
                                       struct up_error *err);
void up_mqtt_options_free(struct up_mqtt_options *o);

/* mqtt_events.c: strings and payload are copied. Out of memory the connection
 * ends, so that nothing is lost silently. */
void up_mqtt_tell(struct up_mqtt *m, const struct up_mqtt_event *event);
bool up_mqtt_next_event(struct up_mqtt *m, struct up_mqtt_event *out);
void up_mqtt_forget_events(struct up_mqtt *m);

/* mqtt_callbacks.c: what the library calls. */
void up_mqtt_callbacks_set(struct mosquitto *client);

/* mqtt_library.c: the library's client, and its descriptors. */
UP_MUST_CHECK int up_mqtt_link_new(struct up_mqtt *m, const struct up_mqtt_options *o, struct up_error *err);
/* Recreate the client object; nothing counts as handed over. UP_INTERNAL: everything stays as it was. */
int up_mqtt_link_renew(struct up_mqtt *m);
/* Set the protocol version from m->five. 0, or the library's return code. */
int up_mqtt_link_speak(struct up_mqtt *m);
/* Around each call in which the library opens descriptors; `fd` is its socket. */
void up_mqtt_note_descriptors(int lowest[UP_MQTT_FREE]);
void up_mqtt_keep_descriptors(struct up_mqtt *m, int fd, const int lowest[UP_MQTT_FREE]);

/* mqtt_link.c. Functions that return int give 0 or the error code that ended the connection. */
UP_MUST_CHECK int up_mqtt_link_connect(struct up_mqtt *m, const char *address, struct up_error *err);
UP_MUST_CHECK int up_mqtt_link_work(struct up_mqtt *m, struct up_error *err);
int up_mqtt_link_fd(const struct up_mqtt *m);
bool up_mqtt_link_wants_write(const struct up_mqtt *m);
bool up_mqtt_link_holds_bytes(const struct up_mqtt *m); /* read by TLS but not yet by us */
void up_mqtt_link_pump(struct up_mqtt *m);              /* hand over waiting messages, as many as possible */
void up_mqtt_link_subscribe(struct up_mqtt *m, struct up_mqtt_subscription *s);
void up_mqtt_link_unsubscribe(struct up_mqtt *m, const char *topic);
void up_mqtt_link_drop(struct up_mqtt *m);     /* without DISCONNECT */
void up_mqtt_link_farewell(struct up_mqtt *m); /* waits a second at most */
void up_mqtt_link_free(struct up_mqtt *m);

#endif
