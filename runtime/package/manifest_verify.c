/* manifest_verify.c -- a manifest with its signature, which is verified before anything is parsed. */
#include "manifest.h"

#include "error.h"
#include "minisign.h"

#include <stdio.h>
#include <string.h>

int up_manifest_verify(struct up_manifest *m, const struct up_keyring *ring, const char *text, size_t size,
                       const char *sig, size_t sig_size, struct up_error *err)
{
    static const char line[] = UP_UNTRUSTED_COMMENT;
    char comment[UP_TRUSTED_COMMENT_MAX], expected[64];
    int rc = up_keyring_verify(ring, text, size, sig, sig_size, comment, err);

    if (rc < 0)
        return rc;
    if (memcmp(sig, line, sizeof line - 1) != 0)
        return up_fail(err, UP_UNTRUSTED, "package: the untrusted comment must be minisign's default");
    if (up_manifest_parse(m, text, size, err) < 0)
        return err->code;
    snprintf(expected, sizeof expected, "moult manifest sequence %llu", (unsigned long long)m->sequence);
    if (strcmp(comment, expected) != 0)
        return up_fail(err, UP_UNTRUSTED, "package: the trusted comment must be \"%s\"", expected);
    return 0;
}
