/*
 * files_make.h -- the plan for an update.ini on this device.
 *
 * The path of each line must lie below exactly one of the device's roots. What a line
 * adds below a directory that an earlier line makes is staged inside it. A directory
 * that exists already is not made. Programs to stop and start are collected in the
 * plan's programs; a line that only stops or starts is no operation.
 */
#ifndef UP_FILES_MAKE_H
#define UP_FILES_MAKE_H

#include <stddef.h>
#include <stdint.h>

#include "digest.h"
#include "error.h"
#include "files_plan.h"
#include "storage.h"
#include "update_ini.h"

/* A file of the package; its number is its place in the list. */
struct up_files_content {
    const char *name;
    uint64_t size; /* bytes */
    uint8_t digest[UP_SHA256_SIZE];
};

/*
 * `roots` are absolute paths, none below another. The plan points into ini and roots, which must
 * outlive it, and is released with up_files_plan_free(). It gets a random id, and a random value
 * for each root, and has room for UP_FILES_OPS operations. If there is nothing to do, op_count is 0.
 * Errors, with the line: UP_INCOMPATIBLE it lies below no root, or a file or link stands where a
 * directory must be; UP_MISSING no such directory, or no such file in the package;
 * UP_WRITE it cannot be looked at; UP_INTERNAL.
 */
UP_MUST_CHECK int up_files_make(struct up_files_plan *plan, struct up_storage *s,
                                const struct up_update_ini *ini, const struct up_files_content *content,
                                size_t content_count, const struct up_files_root *roots, uint32_t root_count,
                                struct up_error *err);

#endif
