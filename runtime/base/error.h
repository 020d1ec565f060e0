/*
 * error.h -- the one way in which C functions report failure.
 *
 * A function that can fail returns 0 (or a count) or one of the negative codes
 * below, and fills the caller's struct up_error with a sentence that names the
 * object and the cause. Code words and exit codes are one table, also read by
 * the command line and by `moult doctor CODE`. What a vendor's cloud is told
 * instead of a word is up to its dialect.
 */
#ifndef UP_ERROR_H
#define UP_ERROR_H

#include <stddef.h>

enum {
    UP_OK = 0,
    UP_INTERNAL = -1,
    UP_USAGE = -2,
    UP_NOTHING = -3,
    UP_RESTART = -4,
    UP_BUSY = -5,
    UP_NETWORK = -10,
    UP_MISSING = -11,
    UP_EXPIRED = -12,
    UP_CORRUPT = -13,
    UP_UNTRUSTED = -14,
    UP_INCOMPATIBLE = -15,
    UP_NOSPACE = -16,
    UP_WRITE = -17,
    UP_ROLLEDBACK = -18,
    UP_REFUSED = -19,
    UP_DEFERRED = -20,
    UP_STATELOST = -21,

    /* Not a failure and never shown to people: the call would have to wait.
     * Poll the loop and call again. */
    UP_AGAIN = -100
};

struct up_error {
    int code;
    char message[512]; /* one sentence, NUL-terminated, cut when too long */
};

/* One row of the table. `exit` is the process exit code (-code). */
struct up_code_info {
    int code;
    const char *word;
    int exit;
    const char *meaning; /* what happened, for `moult doctor CODE` */
    const char *advice;  /* what to do next */
};

/* A function that can fail: its result must be checked. `(void)!` before the
 * call says that the result does not matter. `err` is not NULL unless the
 * header says that it may be, so a caller whose call failed may return
 * `err->code`. */
#define UP_MUST_CHECK __attribute__((warn_unused_result))

/* Fill *err (may be NULL) and return `code`. The message is formatted as by
 * printf and made printable, bytes of names as \xNN (printable.h). */
int up_fail(struct up_error *err, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Put "prefix: " before the message, for a stage boundary; returns err->code. */
int up_fail_in(struct up_error *err, const char *prefix);

/* UP_NOSPACE for ENOSPC and EDQUOT, `otherwise` for the rest. */
int up_code_of_errno(int error, int otherwise);

/* The row of a code or of a word; NULL when there is none. Rows are static. */
const struct up_code_info *up_code_info(int code);
const struct up_code_info *up_code_find(const char *word);
/* Row `i` from 0, NULL past the last: for listings. */
const struct up_code_info *up_code_row(size_t i);
/* The word of a code; "internal" for one that is not in the table. */
const char *up_code_word(int code);

#endif
