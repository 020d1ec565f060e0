/*
 * records.h -- the state of a device's two-file records, for doctor: the
 * journal, the boot record of driver `file`, the record of revoked keys, the ledger of hotfixes.
 */
#ifndef UP_RECORDS_H
#define UP_RECORDS_H

#include "error.h"
#include "record.h"

struct up_config;

#define UP_RECORDS 4

struct up_records_view {
    const char *name; /* "journal", "boot", "keys", "hotfixes" */
    struct up_record_view file[2];
};

/* The records of this device, in that order; returns how many. Changes nothing.
 * Errors: UP_WRITE no permission to look; UP_USAGE, UP_INTERNAL. */
UP_MUST_CHECK int up_records_inspect(struct up_records_view out[UP_RECORDS], struct up_storage *storage,
                                     const struct up_config *config, struct up_error *err);

#endif
