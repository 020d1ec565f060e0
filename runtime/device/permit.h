/*
 * permit.h -- a signed permission to install one package below the floor.
 *
 * A JSON object, format "moult-permit-1", signed by a release key with the
 * trusted comment "moult permit":
 *
 *     project    string
 *     devices    "*", or a list of 1 to 256 device ids
 *     manifest   SHA-256 of the package's manifest, 64 lower-case hex digits
 *     not_after  seconds since 1970; the last second it is valid
 *
 * It passes the gate `floor`, the limit of sequences (manifest.h) and policy's
 * rule `version`, and nothing else; for that package and once: it is used up
 * when the release is confirmed. A device remembers UP_PERMITS_MAX used permits
 * until they expire, and accepts no others meanwhile, so let them expire soon.
 */
#ifndef UP_PERMIT_H
#define UP_PERMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"
#include "manifest.h"

#define UP_PERMIT_MAX 65536 /* bytes */
#define UP_PERMIT_COMMENT "moult permit"
#define UP_PERMIT_DEVICES 256
#define UP_DEVICE_ID_SIZE 65

struct up_permit {
    uint8_t digest[32]; /* SHA-256 of the permit's bytes: names it */
    char project[UP_NAME_SIZE];
    uint8_t manifest[32];
    uint64_t not_after;
    unsigned device_count; /* 0: every device */
    char device[UP_PERMIT_DEVICES][UP_DEVICE_ID_SIZE];
};

struct up_keyring;
struct up_storage;

/* Errors: UP_UNTRUSTED malformed; UP_INCOMPATIBLE a newer format. */
UP_MUST_CHECK int up_permit_parse(struct up_permit *p, const char *text, size_t len, struct up_error *err);
bool up_permit_names(const struct up_permit *p, const char *device_id);

/* Read and verify the permit at path, whose signature is path.minisig.
 * Errors: UP_MISSING one of the two; UP_UNTRUSTED; UP_INCOMPATIBLE; UP_USAGE too large. */
UP_MUST_CHECK int up_permit_load(struct up_permit *p, struct up_storage *storage,
                                 const struct up_keyring *ring, const char *path, struct up_error *err);

#endif
