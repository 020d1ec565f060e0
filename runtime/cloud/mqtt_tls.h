/*
 * mqtt_tls.h -- TLS for an MQTT connection: trust, identity and errors.
 *
 * The library connects to an address; the name for SNI and for checking the
 * certificate is kept here.
 */
#ifndef UP_MQTT_TLS_H
#define UP_MQTT_TLS_H

#include <stdbool.h>
#include <stdint.h>

#include "error.h"

struct up_mqtt_options;
struct up_mqtt_tls;

/* Errors: UP_USAGE a file that cannot be used; UP_INTERNAL. */
UP_MUST_CHECK int up_mqtt_tls_new(struct up_mqtt_tls **out, const struct up_mqtt_options *o,
                                  struct up_error *err);
/* The SSL_CTX; a caller that keeps it takes a reference of its own. */
void *up_mqtt_tls_context(struct up_mqtt_tls *t);
/* Reset the state of the previous connection. `now`: the system clock, seconds
 * since 1970. If it is behind the options' time_floor, that is used instead;
 * see fetch_options.h. */
void up_mqtt_tls_begin(struct up_mqtt_tls *t, uint64_t now);
/* An error from OpenSSL; the first one counts. */
void up_mqtt_tls_note(struct up_mqtt_tls *t, const char *reason);
/* If TLS is the reason why the connection ended, fills err and returns
 * UP_UNTRUSTED for certificates, UP_NETWORK for the rest; 0: not known. `cut`:
 * it ended before the broker sent anything. A broker that refuses our
 * certificate may say so too late to be heard, because in TLS 1.3 the client
 * sends data before the server has checked it. */
UP_MUST_CHECK int up_mqtt_tls_failure(const struct up_mqtt_tls *t, bool cut, struct up_error *err);
void up_mqtt_tls_free(struct up_mqtt_tls *t); /* NULL is allowed */

#endif
