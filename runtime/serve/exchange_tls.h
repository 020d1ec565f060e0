/*
 * exchange_tls.h -- TLS for the connections of exchange.h, over OpenSSL. Private to it.
 *
 * Nothing waits: what cannot be done yet is done when more bytes have come.
 */
#ifndef UP_EXCHANGE_TLS_H
#define UP_EXCHANGE_TLS_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <sys/types.h>

#include "error.h"

/* A server with this certificate (its chain may follow) and private key, both PEM texts. Release it with
 * SSL_CTX_free(). Errors: UP_USAGE the certificate or the key cannot be read, or they do not fit; UP_INTERNAL. */
UP_MUST_CHECK int up_exchange_tls_open(SSL_CTX **out, const char *cert, const char *key,
                                       struct up_error *err);

/* Whether the client of a connection that has received bytes begins with TLS. */
bool up_exchange_tls_is_wanted(int fd);

/* TLS on a connection, as its server. NULL: no memory. Release it with SSL_free(). */
SSL *up_exchange_tls_accept(SSL_CTX *server, int fd);

/* As recv(): bytes, 0 the client has closed, -1 with EAGAIN nothing yet, or another errno. */
ssize_t up_exchange_tls_receive(SSL *ssl, void *out, size_t size);

/* Send and say that no more will come: whether the bytes are on their way. */
bool up_exchange_tls_finish(SSL *ssl, const void *bytes, size_t len);

#endif
