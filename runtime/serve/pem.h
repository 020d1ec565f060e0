/*
 * pem.h -- certificates and private keys out of PEM texts, for a server that nobody sits at.
 *
 * OpenSSL would ask for a password on the terminal and wait for it. Here what is
 * encrypted cannot be read.
 */
#ifndef UP_PEM_H
#define UP_PEM_H

#include <openssl/bio.h>
#include <openssl/x509.h>

/* The next one in the text, which may be NULL. NULL: there is none, or it cannot be read. Release them with
 * X509_free() and EVP_PKEY_free(). */
X509 *up_pem_certificate(BIO *text);
EVP_PKEY *up_pem_key(BIO *text);

#endif
