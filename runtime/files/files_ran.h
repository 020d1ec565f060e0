/*
 * files_ran.h -- which programs of a plan ran before the first of them was stopped,
 * and how: going back starts exactly those.
 */
#ifndef UP_FILES_RAN_H
#define UP_FILES_RAN_H

#include <stddef.h>
#include <stdint.h>

#include "error.h"
#include "files_plan.h"
#include "running.h"

struct up_files_ran {
    uint32_t program;     /* its number in the plan */
    struct up_running as; /* pid and parent are not kept */
};

/* Into a fresh buffer that the caller frees. Errors: UP_INTERNAL. */
UP_MUST_CHECK int up_files_ran_encode(const struct up_files_ran *ran, uint32_t count, uint8_t **out,
                                      size_t *len, struct up_error *err);
/* *out is a fresh list that the caller frees. Errors: UP_INCOMPATIBLE malformed, or it names a program
 * that the plan has not; UP_INTERNAL. */
UP_MUST_CHECK int up_files_ran_decode(struct up_files_ran **out, uint32_t *count,
                                      const struct up_files_plan *plan, const uint8_t *data, size_t len,
                                      struct up_error *err);

/* Most bytes of one. */
#define UP_FILES_RAN_LIMIT (UP_FILES_PROGRAMS * (20u + 4u * UP_RUNNING_GROUPS + UP_PATH_SIZE) + 16u)

#endif
