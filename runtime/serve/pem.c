#include "pem.h"

#include <openssl/pem.h>

static int no_password(char *buf, int size, int writing, void *user)
{
    (void)buf;
    (void)size;
    (void)writing;
    (void)user;
    return -1;
}

X509 *up_pem_certificate(BIO *text)
{
    return text ? PEM_read_bio_X509(text, NULL, no_password, NULL) : NULL;
}

EVP_PKEY *up_pem_key(BIO *text)
{
    return text ? PEM_read_bio_PrivateKey(text, NULL, no_password, NULL) : NULL;
}
