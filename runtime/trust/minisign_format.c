/*
 * minisign_format.c -- lines, base64 and prehash of minisign's formats.
 */
#include "error.h"
#include "minisign_private.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>

bool up_minisign_next_line(struct up_text *t, struct up_text *line)
{
    const char *stop = t->at < t->end ? memchr(t->at, '\n', (size_t)(t->end - t->at)) : NULL;

    if (!stop)
        return false;
    line->at = t->at;
    line->end = stop;
    t->at = stop + 1;
    return true;
}

bool up_minisign_skip_prefix(struct up_text *line, const char *prefix)
{
    size_t len = strlen(prefix);

    if ((size_t)(line->end - line->at) < len || memcmp(line->at, prefix, len) != 0)
        return false;
    line->at += len;
    return true;
}

bool up_minisign_unbase64(const struct up_text *line, uint8_t *out, size_t len)
{
    uint8_t plain[BASE64_SIZE(SECRET_SIZE)];
    uint8_t again[BASE64_SIZE(SECRET_SIZE) + 1];
    size_t encoded = BASE64_SIZE(len);
    bool good;

    if ((size_t)(line->end - line->at) != encoded)
        return false;
    good = EVP_DecodeBlock(plain, (const uint8_t *)line->at, (int)encoded) >= (int)len &&
           EVP_EncodeBlock(again, plain, (int)len) == (int)encoded && memcmp(again, line->at, encoded) == 0;
    if (good)
        memcpy(out, plain, len);
    OPENSSL_cleanse(plain, sizeof plain);
    OPENSSL_cleanse(again, sizeof again);
    return good;
}

bool up_minisign_read_key(const char *text, size_t size, uint8_t *out, size_t len)
{
    struct up_text rest = {text, text + size}, line;

    if (size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
        rest.at += 3;
    if (!up_minisign_next_line(&rest, &line) || !up_minisign_skip_prefix(&line, UP_MINISIGN_UNTRUSTED))
        return false;
    while (rest.end > rest.at && strchr("\r\n \t", rest.end[-1]))
        rest.end--;
    return up_minisign_unbase64(&rest, out, len);
}

int up_minisign_prehash(const void *data, size_t len, uint8_t out[UP_DIGEST_MAX], struct up_error *err)
{
    struct up_digest *d;
    int rc = up_digest_new(&d, UP_BLAKE2B512, err);

    if (rc < 0)
        return rc;
    up_digest_update(d, data, len);
    up_digest_final(d, out);
    up_digest_free(d);
    return 0;
}
