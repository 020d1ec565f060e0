/*
 * transfer_state.c -- shared by the files of a transfer.
 */
#include <string.h>

#include "digest.h"
#include "package.h"
#include "transfer_private.h"

uint64_t up_transfer_before(const struct up_transfer *t, unsigned n)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < n; i++)
        sum += t->part[i].count;
    return sum;
}

bool up_transfer_matches(struct up_transfer *t, const void *data, size_t len, const uint8_t digest[32])
{
    uint8_t got[UP_DIGEST_MAX];

    up_digest_update(t->digest, data, len);
    up_digest_final(t->digest, got);
    return memcmp(got, digest, 32) == 0;
}
