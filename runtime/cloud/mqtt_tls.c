#include "mqtt_tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "mqtt.h"
#include "resolver.h"

struct up_mqtt_tls {
    SSL_CTX *context;
    char *name;     /* NULL: the broker is given by address, so no name is sent or checked */
    uint64_t floor; /* 0 none */
    char *identity; /* the identity for psk; NULL: certificates are used */
    unsigned char psk[UP_MQTT_PSK];
    size_t psk_len;
    bool lenient;     /* the clock was never set: see fetch_options.h */
    int verify_error; /* X509_V_OK, or why the broker's certificate was refused */
    int alert;        /* the TLS alert with which the broker refused our certificate; -1: none */
    bool complete;    /* the handshake */
    char reason[100]; /* from OpenSSL; "": none */
};

static int fail_file(struct up_error *err, const char *what, const char *path)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());

    up_fail(err, UP_USAGE, "%s %s: %s", what, path, reason ? reason : "it cannot be used");
    ERR_clear_error();
    return UP_USAGE;
}

/* A key with a passphrase is refused: nobody is there to enter it. */
static int no_passphrase(char *buf, int size, int writing, void *user)
{
    (void)buf, (void)size, (void)writing, (void)user;
    return -1;
}

static int judge(int good, X509_STORE_CTX *chain)
{
    SSL *ssl = X509_STORE_CTX_get_ex_data(chain, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct up_mqtt_tls *t = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));

    if (good)
        return 1;
    if (t->lenient && X509_STORE_CTX_get_error(chain) == X509_V_ERR_CERT_NOT_YET_VALID) {
        X509_STORE_CTX_set_error(chain, X509_V_OK);
        return 1;
    }
    t->verify_error = X509_STORE_CTX_get_error(chain);
    return 0;
}

/* The library has just set the address as SNI; the handshake has sent nothing yet. */
static void on_info(const SSL *ssl, int where, int value)
{
    struct up_mqtt_tls *t = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));

    if (where & SSL_CB_HANDSHAKE_START && !SSL_is_init_finished(ssl))
        SSL_set_tlsext_host_name((SSL *)ssl, t->name);
    if ((where & SSL_CB_READ_ALERT) == SSL_CB_READ_ALERT && (value & 0xff) != SSL_AD_CLOSE_NOTIFY)
        t->alert = value & 0xff;
    if (where & SSL_CB_HANDSHAKE_DONE)
        t->complete = true;
}

static int load_files(SSL_CTX *c, const struct up_mqtt_options *o, struct up_error *err)
{
    if (o->ca && SSL_CTX_load_verify_file(c, o->ca) != 1)
        return fail_file(err, "certificates", o->ca);
    if (!o->ca && SSL_CTX_set_default_verify_paths(c) != 1)
        return up_fail(err, UP_INTERNAL, "mqtt: cannot load the system's certificates");
    if (!o->cert != !o->key)
        return up_fail(err, UP_USAGE, "mqtt: a certificate needs its key, and a key its certificate");
    if (o->cert && SSL_CTX_use_certificate_chain_file(c, o->cert) != 1)
        return fail_file(err, "certificate", o->cert);
    if (o->key && SSL_CTX_use_PrivateKey_file(c, o->key, SSL_FILETYPE_PEM) != 1)
        return fail_file(err, "key", o->key);
    if (o->key && SSL_CTX_check_private_key(c) != 1)
        return fail_file(err, "key", o->key);
    return 0;
}

static int set_expectations(struct up_mqtt_tls *t, const struct up_mqtt_options *o, struct up_error *err)
{
    const char *name = o->server_name ? o->server_name : o->host;
    X509_VERIFY_PARAM *param = SSL_CTX_get0_param(t->context);
    bool numeric = up_resolver_numeric(name);

    t->name = numeric ? NULL : strdup(name);
    if (!numeric && !t->name)
        return up_fail(err, UP_INTERNAL, "mqtt: out of memory");
    if ((numeric ? X509_VERIFY_PARAM_set1_ip_asc(param, name)
                 : X509_VERIFY_PARAM_set1_host(param, name, 0)) != 1)
        return up_fail(err, UP_USAGE, "mqtt: %s cannot be a server's name", name);
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    t->floor = o->time_floor;
    SSL_CTX_set_verify(t->context, o->insecure ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, judge);
    return 0;
}

static unsigned give_psk(SSL *ssl, const char *hint, char *identity, unsigned identity_room,
                         unsigned char *psk, unsigned psk_room)
{
    const struct up_mqtt_tls *t = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));

    (void)hint;
    if (strlen(t->identity) >= identity_room || t->psk_len > psk_room)
        return 0;
    snprintf(identity, identity_room, "%s", t->identity);
    memcpy(psk, t->psk, t->psk_len);
    return (unsigned)t->psk_len;
}

/* Certificates are not used: every remaining cipher needs the key at both ends.
 * TLS 1.3 negotiates keys outside its ciphers, so it is disabled. */
static int set_psk(struct up_mqtt_tls *t, const struct up_mqtt_options *o, struct up_error *err)
{
    if (!o->psk_identity || !*o->psk_identity || o->psk_len < 1 || o->psk_len > UP_MQTT_PSK)
        return up_fail(err, UP_USAGE, "mqtt: a shared key has 1 to %d bytes and an identity", UP_MQTT_PSK);
    if (o->ca || o->cert || o->key || o->server_name || o->insecure)
        return up_fail(err, UP_USAGE, "mqtt: a shared key and certificates exclude each other");
    t->identity = strdup(o->psk_identity);
    if (!t->identity || SSL_CTX_set_max_proto_version(t->context, TLS1_2_VERSION) != 1 ||
        SSL_CTX_set_cipher_list(t->context, "PSK:!kRSAPSK:!eNULL") != 1)
        return up_fail(err, UP_INTERNAL, "mqtt: cannot set up TLS with a shared key");
    memcpy(t->psk, o->psk, o->psk_len);
    t->psk_len = o->psk_len;
    SSL_CTX_set_psk_client_callback(t->context, give_psk);
    return 0;
}

static int set_certificates(struct up_mqtt_tls *t, const struct up_mqtt_options *o, struct up_error *err)
{
    int rc = load_files(t->context, o, err);

    return rc < 0 ? rc : set_expectations(t, o, err);
}

int up_mqtt_tls_new(struct up_mqtt_tls **out, const struct up_mqtt_options *o, struct up_error *err)
{
    struct up_mqtt_tls *t = calloc(1, sizeof *t);
    int rc;

    if (t)
        t->context = SSL_CTX_new(TLS_client_method());
    if (!t || !t->context || SSL_CTX_set_min_proto_version(t->context, TLS1_2_VERSION) != 1) {
        up_mqtt_tls_free(t);
        return up_fail(err, UP_INTERNAL, "mqtt: cannot set up TLS");
    }
    SSL_CTX_set_app_data(t->context, t);
    SSL_CTX_set_default_passwd_cb(t->context, no_passphrase);
    SSL_CTX_set_info_callback(t->context, on_info);
    /* The rest of a partial write stays in the library's packet, which may move when more is queued. */
    SSL_CTX_set_mode(t->context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    rc = o->psk ? set_psk(t, o, err) : set_certificates(t, o, err);
    if (rc < 0) {
        up_mqtt_tls_free(t);
        return rc;
    }
    *out = t;
    return 0;
}

void *up_mqtt_tls_context(struct up_mqtt_tls *t)
{
    return t->context;
}

void up_mqtt_tls_begin(struct up_mqtt_tls *t, uint64_t now)
{
    X509_VERIFY_PARAM *param = SSL_CTX_get0_param(t->context);

    t->lenient = now < t->floor;
    if (t->lenient)
        X509_VERIFY_PARAM_set_time(param, (time_t)t->floor);
    else
        X509_VERIFY_PARAM_clear_flags(param, X509_V_FLAG_USE_CHECK_TIME);
    t->verify_error = X509_V_OK;
    t->alert = -1;
    t->complete = false;
    t->reason[0] = '\0';
}

void up_mqtt_tls_note(struct up_mqtt_tls *t, const char *reason)
{
    if (!t->reason[0])
        snprintf(t->reason, sizeof t->reason, "%s", reason);
}

static bool about_our_certificate(int alert)
{
    static const int those[] = {SSL_AD_BAD_CERTIFICATE,     SSL_AD_UNSUPPORTED_CERTIFICATE,
                                SSL_AD_CERTIFICATE_REVOKED, SSL_AD_CERTIFICATE_EXPIRED,
                                SSL_AD_CERTIFICATE_UNKNOWN, SSL_AD_UNKNOWN_CA,
                                SSL_AD_ACCESS_DENIED,       SSL_AD_CERTIFICATE_REQUIRED};

    for (size_t i = 0; i < sizeof those / sizeof *those; i++)
        if (those[i] == alert)
            return true;
    return false;
}

/* A wrong key shows as a failed MAC or decryption. */
static bool about_our_key(int alert)
{
    return alert == SSL_AD_UNKNOWN_PSK_IDENTITY || alert == SSL_AD_DECRYPT_ERROR ||
           alert == SSL_AD_BAD_RECORD_MAC;
}

int up_mqtt_tls_failure(const struct up_mqtt_tls *t, bool cut, struct up_error *err)
{
    if (t->verify_error != X509_V_OK)
        return up_fail(err, UP_UNTRUSTED, "the certificate of the broker: %s",
                       X509_verify_cert_error_string(t->verify_error));
    if (t->identity && about_our_key(t->alert))
        return up_fail(err, UP_UNTRUSTED, "the broker knows no such device, or another key for it: %s",
                       SSL_alert_desc_string_long(t->alert));
    if (t->alert >= 0)
        return up_fail(err, about_our_certificate(t->alert) ? UP_UNTRUSTED : UP_NETWORK,
                       "the broker ended TLS: %s", SSL_alert_desc_string_long(t->alert));
    if (cut && t->complete)
        return up_fail(
            err, UP_NETWORK,
            "the broker ended the connection once there was TLS; does it want another certificate?");
    if (cut)
        return up_fail(err, UP_NETWORK, "no TLS with the broker: %s",
                       t->reason[0] ? t->reason : "it ended the connection");
    return 0;
}

void up_mqtt_tls_free(struct up_mqtt_tls *t)
{
    if (!t)
        return;
    SSL_CTX_free(t->context);
    free(t->name);
    free(t->identity);
    explicit_bzero(t->psk, sizeof t->psk);
    free(t);
}
