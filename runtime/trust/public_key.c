/*
 * public_key.c -- read and show public keys and their ids.
 */
#include "minisign_private.h"

#include "error.h"
#include "storage.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int check(const uint8_t raw[PUBLIC_SIZE], const char *what, struct up_error *err)
{
    if (memcmp(raw, "Ed", 2) != 0)
        return up_fail(err, UP_UNTRUSTED, "%s: not a minisign public key", what);
    if (!up_ed25519_good_point(raw + 2 + ID_SIZE))
        return up_fail(err, UP_UNTRUSTED, "%s: a key of small order, which would accept forgeries", what);
    return 0;
}

int up_public_key_load(uint8_t raw[UP_KEY_RAW_SIZE], struct up_storage *storage, const char *path,
                       struct up_error *err)
{
    char *text;
    size_t size;
    bool good, wide;
    int rc = up_storage_read_file(storage, path, KEY_FILE_MAX, &text, &size, err);

    if (rc < 0)
        return rc;
    good = up_minisign_read_key(text, size, raw, PUBLIC_SIZE);
    wide = size >= 2 && (memcmp(text, "\xff\xfe", 2) == 0 || memcmp(text, "\xfe\xff", 2) == 0);
    free(text);
    if (!good)
        return up_fail(err, UP_UNTRUSTED, "%s: not a minisign public key%s", path,
                       wide ? ": it is UTF-16 text; save it as UTF-8" : "");
    return check(raw, path, err);
}

int up_public_key_parse(uint8_t raw[UP_KEY_RAW_SIZE], const char *base64, struct up_error *err)
{
    struct up_text line = {base64, base64 + strlen(base64)};

    if (!up_minisign_unbase64(&line, raw, PUBLIC_SIZE))
        return up_fail(err, UP_UNTRUSTED, "\"%.60s\": not a minisign public key", base64);
    return check(raw, base64, err);
}

void up_public_key_format(const uint8_t raw[UP_KEY_RAW_SIZE], char out[UP_PUBLIC_KEY_TEXT])
{
    char text[BASE64_SIZE(PUBLIC_SIZE) + 1], id[UP_KEY_ID_TEXT];

    EVP_EncodeBlock((uint8_t *)text, raw, PUBLIC_SIZE);
    up_minisign_id_format(raw + 2, id);
    snprintf(out, UP_PUBLIC_KEY_TEXT, "%sminisign public key %s\n%s\n", UP_MINISIGN_UNTRUSTED, id, text);
}

const uint8_t *up_public_key_id(const uint8_t raw[UP_KEY_RAW_SIZE])
{
    return raw + 2;
}

/* minisign shows a key id as one number, so its bytes are reversed. */
void up_minisign_id_format(const uint8_t id[UP_KEY_ID_SIZE], char out[UP_KEY_ID_TEXT])
{
    for (int i = 0; i < ID_SIZE; i++)
        snprintf(out + 2 * i, 3, "%02X", id[ID_SIZE - 1 - i]);
}

bool up_minisign_id_parse(uint8_t id[UP_KEY_ID_SIZE], const char *text)
{
    uint8_t turned[UP_KEY_ID_SIZE];

    if (up_unhex(text, turned, sizeof turned) < 0)
        return false;
    for (int i = 0; i < ID_SIZE; i++)
        id[i] = turned[ID_SIZE - 1 - i];
    return true;
}
