/*
 * history.h -- the last 256 events of a device, for people.
 *
 * A ring of fixed-size records in <state>/history, preallocated. Nothing
 * depends on it: a record that cannot be written, or was torn, is lost alone.
 */
#ifndef UP_HISTORY_H
#define UP_HISTORY_H

#include <stdint.h>

#include "error.h"
#include "manifest.h"

#define UP_HISTORY_RECORDS 256
#define UP_HISTORY_RECORD 384 /* bytes of one on the medium */

struct up_event {
    uint64_t number; /* rises by one; 0: unused */
    uint64_t time;   /* seconds since 1970 */
    uint64_t sequence;
    uint32_t transaction;
    int32_t code;
    char name[24]; /* "provisioned", "armed", "trial", "confirmed", "rolledback", ... */
    char release[UP_VERSION_SIZE];
    char message[200];
};

struct up_storage;

/* Preallocate <state_dir>/history. Errors: UP_WRITE, UP_NOSPACE. */
UP_MUST_CHECK int up_history_create(struct up_storage *storage, const char *state_dir, struct up_error *err);
/* Append; sets event->number. Errors: UP_WRITE, which callers ignore. */
UP_MUST_CHECK int up_history_add(struct up_storage *storage, const char *state_dir, struct up_event *event,
                                 struct up_error *err);
/* The same, but replaces the newest event if that has the same name and
 * release, so that a repeated event does not push out the others. */
UP_MUST_CHECK int up_history_add_again(struct up_storage *storage, const char *state_dir,
                                       struct up_event *event, struct up_error *err);
/* Up to UP_HISTORY_RECORDS events, oldest first; their number. Errors: UP_WRITE, UP_INTERNAL. */
UP_MUST_CHECK int up_history_read(struct up_storage *storage, const char *state_dir,
                                  struct up_event out[UP_HISTORY_RECORDS], struct up_error *err);

#endif
