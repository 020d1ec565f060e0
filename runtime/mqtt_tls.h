/*
 * mqtt_tls.h -- TLS of an MQTT connection: whom it trusts, who it is, and
 * what went wrong.
 *
 * The library that connects is given an address; the name that is asked for
 * (SNI) and that the certificate must carry is kept here.
 */
#ifndef UP_MQTT_TLS_H
#define UP_MQTT_TLS_H

struct up_error;
struct up_mqtt_options;
struct up_mqtt_tls;

/* Errors: UP_USAGE a file that cannot be used; UP_INTERNAL. */
int up_mqtt_tls_new(struct up_mqtt_tls **out, const struct up_mqtt_options *o, struct up_error *err);
/* The SSL_CTX; whoever keeps it counts a reference of its own. */
void *up_mqtt_tls_context(struct up_mqtt_tls *t);
/* Forget what the connection before said. */
void up_mqtt_tls_begin(struct up_mqtt_tls *t);
/* When certificates are why the connection ended: fills err and returns UP_UNTRUSTED; UP_NETWORK
 * another fault of TLS that the broker named; 0 nothing is known. */
int up_mqtt_tls_failure(const struct up_mqtt_tls *t, struct up_error *err);
void up_mqtt_tls_free(struct up_mqtt_tls *t); /* NULL is allowed */

#endif
