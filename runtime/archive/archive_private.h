/*
 * archive_private.h -- what reading (archive_reader.c) and extracting (archive_extract.c) share.
 */
#ifndef UP_ARCHIVE_PRIVATE_H
#define UP_ARCHIVE_PRIVATE_H

#include "archive_reader.h"

/* Entries that were begun. */
uint64_t up_archive_reader_entries(const struct up_archive_reader *a);

#endif
