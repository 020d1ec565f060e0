/*
 * mqtt_tls.h -- TLS of an MQTT connection: whom it trusts, who it is, and
 * what went wrong.
 *
 * The library that connects is given an address; the name that is asked for
 * (SNI) and that the certificate must carry is kept here.
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
/* The SSL_CTX; whoever keeps it counts a reference of its own. */
void *up_mqtt_tls_context(struct up_mqtt_tls *t);
/* Forget what the connection before said. `now`: the system clock, seconds since 1970. While it is behind
 * the options' time_floor, that is the time; see fetch_options.h. */
void up_mqtt_tls_begin(struct up_mqtt_tls *t, uint64_t now);
/* What OpenSSL says; the first counts. */
void up_mqtt_tls_note(struct up_mqtt_tls *t, const char *reason);
/* Why the connection ended, if TLS is the cause: fills err and returns UP_UNTRUSTED for
 * certificates, UP_NETWORK for the rest; 0 nothing is known. `cut`: it ended before the broker said
 * anything. One that does not like our certificate may say so too late to be heard: with TLS 1.3 we
 * speak before it has looked. */
UP_MUST_CHECK int up_mqtt_tls_failure(const struct up_mqtt_tls *t, bool cut, struct up_error *err);
void up_mqtt_tls_free(struct up_mqtt_tls *t); /* NULL is allowed */

#endif
