/*
 * signatures.c -- signatures that were verified before, by key, message and
 * signature: the same few packages are read in each life, a hundred times.
 *
 * Linked in place of up_ed25519_verify() by --wrap.
 */
#include "ed25519.h"

#include <stdint.h>
#include <string.h>

#define KNOWN 1024
#define LONGEST 256

struct question {
    uint8_t key[UP_ED25519_KEY], signature[UP_ED25519_SIGNATURE], data[LONGEST];
    size_t len;
};

static struct {
    struct question question; /* len 0: none */
    bool answer;
} known[KNOWN];

bool __real_up_ed25519_verify(const uint8_t key[UP_ED25519_KEY], const void *data, size_t len,
                              const uint8_t signature[UP_ED25519_SIGNATURE]);
bool __wrap_up_ed25519_verify(const uint8_t key[UP_ED25519_KEY], const void *data, size_t len,
                              const uint8_t signature[UP_ED25519_SIGNATURE]);

bool __wrap_up_ed25519_verify(const uint8_t key[UP_ED25519_KEY], const void *data, size_t len,
                              const uint8_t signature[UP_ED25519_SIGNATURE])
{
    struct question q;
    unsigned place = 0;

    if (len == 0 || len > LONGEST)
        return __real_up_ed25519_verify(key, data, len, signature);
    memset(&q, 0, sizeof q);
    memcpy(q.key, key, sizeof q.key);
    memcpy(q.signature, signature, sizeof q.signature);
    memcpy(q.data, data, len);
    q.len = len;
    for (size_t i = 0; i < 8; i++)
        place = place * 31 + signature[i] + q.data[i];
    place %= KNOWN;
    if (memcmp(&known[place].question, &q, sizeof q) != 0) {
        known[place].question = q;
        known[place].answer = __real_up_ed25519_verify(key, data, len, signature);
    }
    return known[place].answer;
}
