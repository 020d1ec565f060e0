/*
 * files_plan.h -- what an update of files will do: the record of its steps.
 *
 * A plan is an ordered list of operations below roots that the device's
 * configuration names. It holds only names and new digests, so it does not depend
 * on what an application does meanwhile. Every temporary name follows from the
 * plan's id and the operation's number, so all of them are on record before the
 * first is created.
 *
 * The encoded form lies in <state>/files (files_twin.h). It is not trusted when
 * it is read: names must be single names, folders must not lead upwards, and no
 * operation may lie at or below what another one makes or removes.
 */
#ifndef UP_FILES_PLAN_H
#define UP_FILES_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "digest.h"
#include "error.h"

#define UP_FILES_ROOTS 8
#define UP_FILES_OPS 1024
#define UP_FILES_PROGRAMS 256
#define UP_FILES_PLAN_LIMIT (1u << 20) /* bytes of an encoded plan */
#define UP_FILES_NAME_SIZE 256         /* NUL included */
#define UP_FILES_ID_SIZE 8
#define UP_FILES_HERE_SIZE 16

enum up_files_kind {
    UP_FILES_PUT = 1,    /* a file, whether there is one or not */
    UP_FILES_MAKE_DIR,   /* a directory, where nothing is */
    UP_FILES_INSIDE,     /* a file in the directory that operation `parent` makes */
    UP_FILES_INSIDE_DIR, /* a directory in it */
    UP_FILES_DELETE      /* a file, a link or a whole directory, if it is there */
};

struct up_files_root {
    const char *path; /* absolute */
    bool weak;        /* its file system may have no hard links */
    bool plain;       /* nobody signed it: no setuid bits of what is replaced, no capabilities */
    uint8_t here[UP_FILES_HERE_SIZE]; /* what its .here file holds */
};

struct up_files_op {
    enum up_files_kind kind;
    uint32_t root;                  /* index of a root */
    uint32_t parent;                /* of what lies inside: an earlier UP_FILES_MAKE_DIR */
    const char *dir;                /* below the root, or below the new directory; "" is itself */
    const char *name;               /* one name */
    unsigned mode;                  /* of what is new; what was there keeps its own */
    uint32_t content;               /* PUT, INSIDE: number of the file in the package */
    uint64_t size;                  /* of it, bytes */
    uint8_t digest[UP_SHA256_SIZE]; /* of it */
};

/* An executable that is stopped before the switch, started after it, or both. */
struct up_files_program {
    uint32_t root;    /* index of a root */
    const char *dir;  /* below the root, also where an operation makes it; "" is itself */
    const char *name; /* letters, digits and _.@+-, and no - first: it is an argument of commands */
    bool stop, start;
};

struct up_files_plan {
    uint8_t id[UP_FILES_ID_SIZE]; /* random */
    const char
        *keep; /* folder below the state where the old content stays (files_kept.h); "", NULL: it goes */
    uint32_t root_count, op_count, program_count;
    struct up_files_root root[UP_FILES_ROOTS];
    struct up_files_op *op;
    struct up_files_program *program;
    char *text; /* what strings point into, of a plan that was read or made */
};

/* Whether the old content stays. */
static inline bool up_files_plan_keeps(const struct up_files_plan *plan)
{
    return plan->keep && *plan->keep;
}

/* Into a fresh buffer that the caller frees. Whatever is encoded can be read.
 * Errors: UP_INCOMPATIBLE it breaks a rule; UP_NOSPACE too large; UP_INTERNAL no memory. */
UP_MUST_CHECK int up_files_plan_encode(const struct up_files_plan *plan, uint8_t **out, size_t *len,
                                       struct up_error *err);

/* `plan` is released with up_files_plan_free() unless this fails. Errors:
 * UP_INCOMPATIBLE malformed, or of another version; UP_INTERNAL no memory. */
UP_MUST_CHECK int up_files_plan_decode(struct up_files_plan *plan, const uint8_t *data, size_t len,
                                       struct up_error *err);
void up_files_plan_free(struct up_files_plan *plan);

/* Whether an operation is a step on the tree by itself, not a part of a new directory. */
bool up_files_plan_is_step(const struct up_files_op *op);

/* The temporary names of operation `n`: ".moult-<id>-<n>" and a suffix. The last is never swept. */
enum up_files_plan_temporary {
    UP_FILES_NEW,
    UP_FILES_OLD,
    UP_FILES_OLD_PART,
    UP_FILES_TRIED, /* of a try; a leftover has no meaning */
    UP_FILES_TEMPORARIES,
    UP_FILES_FOREIGN = UP_FILES_TEMPORARIES
};
#define UP_FILES_TEMPORARY_SIZE 48
void up_files_plan_temporary(const struct up_files_plan *plan, uint32_t n, enum up_files_plan_temporary which,
                             char out[UP_FILES_TEMPORARY_SIZE]);
/* ".moult-<id>.spare": room for going back (files_here.h). */
void up_files_plan_spare(const struct up_files_plan *plan, char out[UP_FILES_TEMPORARY_SIZE]);
/* ".moult-<id>.here": lies in each root while the plan is open. */
void up_files_plan_here(const struct up_files_plan *plan, char out[UP_FILES_TEMPORARY_SIZE]);

#endif
