/*
 * mqtt_options.c -- check, copy and free the options of a client.
 */
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "mqtt_private.h"

static int check_options(const struct up_mqtt_options *o, struct up_error *err)
{
    if (!o->host || !*o->host || o->port < 1 || o->port > 65535)
        return up_fail(err, UP_USAGE, "mqtt: a host and a port from 1 to 65535 are needed");
    if (o->keepalive < 5 || o->keepalive > 65535)
        return up_fail(err, UP_USAGE, "mqtt: keepalive is 5 to 65535 seconds");
    if (o->back_off_min < 1 || o->back_off_max < o->back_off_min)
        return up_fail(err, UP_USAGE, "mqtt: the pauses between attempts are empty or the wrong way round");
    if (o->queue < 1 || o->queue > UP_MQTT_QUEUE)
        return up_fail(err, UP_USAGE, "mqtt: the queue has room for 1 to %d messages", UP_MQTT_QUEUE);
    if (!o->clean && !o->client_id)
        return up_fail(err, UP_USAGE, "mqtt: a session that is kept needs a client id");
    if (o->password && !o->user)
        return up_fail(err, UP_USAGE, "mqtt: a password needs a user");
    if (o->will_topic && (o->will_len > UP_MQTT_PAYLOAD || o->will_qos < 0 || o->will_qos > 1))
        return up_fail(err, UP_USAGE, "mqtt: the last will is too large, or its QoS not 0 or 1");
    return 0;
}

/* The options whose strings are kept. */
#define STRINGS 5
static void strings_of(struct up_mqtt_options *o, const char **out[STRINGS])
{
    const char **all[STRINGS] = {&o->host, &o->client_id, &o->user, &o->password, &o->will_topic};

    memcpy(out, all, sizeof all);
}

static bool copy_strings(struct up_mqtt_options *out, const struct up_mqtt_options *o)
{
    const char **strings[STRINGS];
    void *payload;
    bool whole = true;

    *out = *o;
    out->ca = out->cert = out->key = out->server_name = out->psk_identity = NULL;
    out->psk = NULL;
    out->will_payload = NULL;
    strings_of(out, strings);
    for (size_t i = 0; i < STRINGS; i++) {
        if (!*strings[i])
            continue;
        *strings[i] = strdup(*strings[i]);
        whole = whole && *strings[i];
    }
    if (o->will_topic && o->will_len > 0) {
        out->will_payload = payload = malloc(o->will_len);
        if (payload)
            memcpy(payload, o->will_payload, o->will_len);
        whole = whole && payload;
    }
    return whole;
}

int up_mqtt_options_copy(struct up_mqtt_options *out, const struct up_mqtt_options *o, struct up_error *err)
{
    int rc = check_options(o, err);

    if (rc < 0)
        return rc;
    if (copy_strings(out, o))
        return 0;
    up_mqtt_options_free(out);
    return up_fail(err, UP_INTERNAL, "mqtt: out of memory");
}

void up_mqtt_options_free(struct up_mqtt_options *o)
{
    const char **strings[STRINGS];

    if (o->password)
        explicit_bzero((char *)o->password, strlen(o->password));
    strings_of(o, strings);
    for (size_t i = 0; i < STRINGS; i++)
        free((char *)*strings[i]);
    free((void *)o->will_payload);
    memset(o, 0, sizeof *o);
}
