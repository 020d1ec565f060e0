/*
 * keyset.h -- what signed key lists decided about a directory of keys.
 *
 * A two-slot record (record.h) in the directory itself, <keys>/set.0 and set.1,
 * so that it belongs to the keys whatever state a device is in. A list takes
 * effect when the record is written: from then on revoked keys are not trusted,
 * even if somebody copies their files back, and pending ones are trusted,
 * although their files may not exist yet.
 *
 * One of the two files is enough; once the list is settled, both contain it.
 * The file <keys>/set says that there is a record: if it and both others are
 * missing, no list was ever applied; if only the others are, the record was
 * lost, and nobody is trusted.
 */
#ifndef UP_KEYSET_H
#define UP_KEYSET_H

#include <stdbool.h>
#include <stdint.h>

#include "error.h"

#define UP_KEY_ID_SIZE 8
#define UP_KEY_RAW_SIZE 42  /* "Ed", id, key: what a .pub file holds */
#define UP_KEY_NAME_SIZE 65 /* of a file without ".pub" */
#define UP_KEYS_ADD_MAX 16
#define UP_KEYS_REVOKE_MAX 64   /* of one list */
#define UP_KEYS_REVOKED_MAX 256 /* of all */

struct up_key_add {
    char name[UP_KEY_NAME_SIZE];
    uint8_t raw[UP_KEY_RAW_SIZE];
};

struct up_keyset {
    uint64_t serial;    /* of the last list; 0: none */
    uint8_t digest[32]; /* of its bytes */
    bool settled;       /* the files agree with it */
    unsigned revoked_count;
    uint8_t revoked[UP_KEYS_REVOKED_MAX][UP_KEY_ID_SIZE]; /* by all lists */
    unsigned pending_count;                               /* 0 once settled */
    struct up_key_add pending[UP_KEYS_ADD_MAX];
};

struct up_record_view;
struct up_storage;

/* All zeros if the directory never had a record. Errors: UP_UNTRUSTED the
 * record is unreadable or gone: who is revoked is not known, so nobody is
 * trusted; UP_INTERNAL. */
UP_MUST_CHECK int up_keyset_read(struct up_keyset *set, struct up_storage *storage, const char *dir,
                                 struct up_error *err);
/* Errors: UP_WRITE, UP_NOSPACE; UP_INTERNAL. */
UP_MUST_CHECK int up_keyset_write(const struct up_keyset *set, struct up_storage *storage, const char *dir,
                                  struct up_error *err);
/* Create <keys>/set, which says that there is a record, unless it exists.
 * Errors: UP_WRITE, UP_NOSPACE. */
UP_MUST_CHECK int up_keyset_mark(struct up_storage *storage, const char *dir, struct up_error *err);
/* Whether up_keyset_tend() would find something to do. */
bool up_keyset_needs_tending(struct up_storage *storage, const char *dir);
/* For a directory with a record: see up_record_tend(); also creates the mark.
 * Errors: those of write and mark. */
UP_MUST_CHECK int up_keyset_tend(struct up_storage *storage, const char *dir, struct up_error *err);
/* The state of the record's two files, for people. Errors: UP_WRITE no permission. */
UP_MUST_CHECK int up_keyset_inspect(struct up_record_view *view, struct up_storage *storage, const char *dir,
                                    struct up_error *err);
bool up_keyset_revoked(const struct up_keyset *set, const uint8_t id[UP_KEY_ID_SIZE]);

#endif
