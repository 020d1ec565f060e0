#include "exchange_tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <sys/socket.h>

#include "http_listen.h"
#include "pem.h"

#define HANDSHAKE 0x16 /* the first byte of a TLS client */

/* The certificate and those that follow it. */
static bool use_chain(SSL_CTX *ctx, BIO *text)
{
    X509 *one = up_pem_certificate(text);
    bool fine = one && SSL_CTX_use_certificate(ctx, one) == 1;

    while (fine && one) {
        X509_free(one);
        one = up_pem_certificate(text);
        fine = !one || SSL_CTX_add1_chain_cert(ctx, one) == 1;
    }
    X509_free(one);
    ERR_clear_error(); /* the end of the text is one */
    return fine;
}

static bool use_key(SSL_CTX *ctx, BIO *text)
{
    EVP_PKEY *key = up_pem_key(text);
    bool fine = key && SSL_CTX_use_PrivateKey(ctx, key) == 1 && SSL_CTX_check_private_key(ctx) == 1;

    EVP_PKEY_free(key);
    ERR_clear_error();
    return fine;
}

int up_exchange_tls_open(SSL_CTX **out, const char *cert, const char *key, struct up_error *err)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    BIO *texts[2] = {BIO_new_mem_buf(cert, -1), BIO_new_mem_buf(key, -1)};
    bool has_cert = ctx && use_chain(ctx, texts[0]);
    bool has_key = has_cert && use_key(ctx, texts[1]);

    BIO_free(texts[0]);
    BIO_free(texts[1]);
    if (has_key) {
        *out = ctx;
        return 0;
    }
    if (!ctx)
        return up_fail(err, UP_INTERNAL, "TLS: out of memory");
    SSL_CTX_free(ctx);
    return up_fail(
        err, UP_USAGE,
        has_cert ? "TLS: the private key cannot be read, is encrypted, or belongs to another certificate"
                 : "TLS: the certificate cannot be read, or is encrypted");
}

bool up_exchange_tls_is_wanted(int fd)
{
    unsigned char first;

    return recv(fd, &first, 1, MSG_PEEK) == 1 && first == HANDSHAKE;
}

SSL *up_exchange_tls_accept(SSL_CTX *server, int fd)
{
    SSL *ssl = SSL_new(server);

    if (ssl && SSL_set_fd(ssl, fd) == 1) {
        SSL_set_accept_state(ssl);
        return ssl;
    }
    SSL_free(ssl);
    ERR_clear_error();
    return NULL;
}

ssize_t up_exchange_tls_receive(SSL *ssl, void *out, size_t size)
{
    size_t got = 0;
    sigset_t before;
    bool pending = up_http_listen_hold_sigpipe(&before); /* the handshake writes */
    int why;

    ERR_clear_error();
    why = SSL_get_error(ssl, SSL_read_ex(ssl, out, size, &got));
    ERR_clear_error();
    up_http_listen_release_sigpipe(&before, pending);
    if (why == SSL_ERROR_NONE)
        return (ssize_t)got;
    if (why == SSL_ERROR_ZERO_RETURN)
        return 0;
    /* What the handshake says fits into any socket's buffer, so writing never has to wait. */
    errno = why == SSL_ERROR_WANT_READ ? EAGAIN : EPROTO;
    return -1;
}

bool up_exchange_tls_finish(SSL *ssl, const void *bytes, size_t len)
{
    size_t sent = 0;
    sigset_t before;
    bool pending = up_http_listen_hold_sigpipe(&before), fine;

    ERR_clear_error();
    fine = len == 0 || SSL_write_ex(ssl, bytes, len, &sent) == 1;
    SSL_shutdown(ssl);
    ERR_clear_error();
    up_http_listen_release_sigpipe(&before, pending);
    return fine;
}
