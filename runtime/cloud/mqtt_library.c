/*
 * mqtt_library.c -- libmosquitto's client object: create, set up, recreate; and
 * which descriptors it opened.
 */
#include <errno.h>
#include <fcntl.h>
#include <mosquitto.h>
#include <mqtt_protocol.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "error.h"
#include "mqtt_private.h"
#include "mqtt_tls.h"

/*
 * Programs started later would inherit the library's descriptors. Its socket is
 * known. It also opens a socket pair to wake up a thread that does not exist
 * here: that is found as the pair known before, or among the lowest descriptors
 * that were free. The pair needs little buffer.
 */
void up_mqtt_note_descriptors(int lowest[UP_MQTT_FREE])
{
    for (size_t i = 0; i < UP_MQTT_FREE; i++)
        lowest[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    for (size_t i = 0; i < UP_MQTT_FREE; i++)
        if (lowest[i] >= 0)
            close(lowest[i]);
}

static bool is_local_socket(int fd)
{
    int domain;
    socklen_t len = sizeof domain;

    return fd >= 0 && getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 && domain == AF_UNIX;
}

void up_mqtt_keep_descriptors(struct up_mqtt *m, int fd, const int lowest[UP_MQTT_FREE])
{
    int candidates[UP_MQTT_FREE + 2] = {m->pair[0], m->pair[1]}, found = 0, least = 0;

    if (fd >= 0)
        fcntl(fd, F_SETFD, FD_CLOEXEC);
    memcpy(candidates + 2, lowest, UP_MQTT_FREE * sizeof *lowest);
    m->pair[0] = m->pair[1] = -1;
    for (size_t i = 0; i < UP_MQTT_FREE + 2 && found < 2; i++)
        if (is_local_socket(candidates[i])) {
            fcntl(candidates[i], F_SETFD, FD_CLOEXEC);
            setsockopt(candidates[i], SOL_SOCKET, SO_SNDBUF, &least, sizeof least);
            m->pair[found++] = candidates[i];
        }
}

static int set_up(struct mosquitto *c, struct up_mqtt *m, struct up_error *err)
{
    const struct up_mqtt_options *o = &m->o;
    int rc = mosquitto_int_option(c, MOSQ_OPT_TCP_NODELAY, 1);

    up_mqtt_callbacks_set(c);
    mosquitto_max_inflight_messages_set(c, UP_MQTT_WINDOW);
    if (rc == MOSQ_ERR_SUCCESS && o->user)
        rc = mosquitto_username_pw_set(c, o->user, o->password);
    if (rc == MOSQ_ERR_SUCCESS && o->will_topic)
        rc = mosquitto_will_set(c, o->will_topic, (int)o->will_len, o->will_payload, o->will_qos,
                                o->will_retain);
    if (rc == MOSQ_ERR_SUCCESS && m->tls)
        rc = mosquitto_void_option(c, MOSQ_OPT_SSL_CTX, up_mqtt_tls_context(m->tls));
    if (rc == MOSQ_ERR_SUCCESS && m->tls)
        rc = mosquitto_int_option(c, MOSQ_OPT_SSL_CTX_WITH_DEFAULTS, 0);
    if (rc != MOSQ_ERR_SUCCESS)
        return up_fail(err, rc == MOSQ_ERR_NOMEM ? UP_INTERNAL : UP_USAGE, "mqtt: %s",
                       mosquitto_strerror(rc));
    return 0;
}

/*
 * In MQTT 5 the session of a client ends with its connection unless the client
 * sends an expiry. The library takes that property only with a call that waits
 * for the connection; if the host is missing, the call keeps the properties and
 * goes no further.
 */
int up_mqtt_link_speak(struct up_mqtt *m)
{
    int version = m->five ? MQTT_PROTOCOL_V5 : MQTT_PROTOCOL_V311, rc;
    mosquitto_property *properties = NULL;

    rc = mosquitto_int_option(m->client, MOSQ_OPT_PROTOCOL_VERSION, version);
    if (rc != MOSQ_ERR_SUCCESS || !m->five || m->o.clean)
        return rc;
    rc = mosquitto_property_add_int32(&properties, MQTT_PROP_SESSION_EXPIRY_INTERVAL, UINT32_MAX);
    if (rc == MOSQ_ERR_SUCCESS) {
        rc =
            mosquitto_connect_bind_v5(m->client, NULL, (int)m->o.port, (int)m->o.keepalive, NULL, properties);
        if (rc == MOSQ_ERR_INVAL)
            rc = MOSQ_ERR_SUCCESS;
    }
    mosquitto_property_free_all(&properties);
    return rc;
}

static int make_client(struct up_mqtt *m, struct mosquitto **out, struct up_error *err)
{
    int lowest[UP_MQTT_FREE], rc, error;
    struct mosquitto *c;

    up_mqtt_note_descriptors(lowest);
    c = mosquitto_new(m->o.client_id, m->o.clean, m);
    error = errno;
    up_mqtt_keep_descriptors(m, -1, lowest);
    if (!c)
        return up_fail(err, error == EINVAL ? UP_USAGE : UP_INTERNAL, "mqtt: %s",
                       error == EINVAL ? "the client id is empty or not text" : "out of memory");
    rc = set_up(c, m, err);
    if (rc < 0)
        mosquitto_destroy(c);
    else
        *out = c;
    return rc;
}

int up_mqtt_link_new(struct up_mqtt *m, const struct up_mqtt_options *o, struct up_error *err)
{
    m->pair[0] = m->pair[1] = -1;
    /* Counted by the library, and never undone: the clean-up would unload the
     * modules of OpenSSL's configuration for the whole process. */
    mosquitto_lib_init();
    if (o->tls && up_mqtt_tls_new(&m->tls, o, err) < 0)
        return err->code;
    return make_client(m, &m->client, err);
}

int up_mqtt_link_renew(struct up_mqtt *m)
{
    struct mosquitto *fresh = NULL;
    int rc = make_client(m, &fresh, NULL);

    if (rc < 0)
        return rc;
    mosquitto_destroy(m->client);
    m->client = fresh;
    up_mqtt_queue_renew(&m->queue);
    return 0;
}
