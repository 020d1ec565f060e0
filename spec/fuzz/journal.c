/* A journal that is understood is the one that is written; a ring of history
 * of any length and content is read without harm. */
#include "journal.h"

#include "error.h"
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t again[UP_JOURNAL_CAPACITY];
    struct up_journal_state s;
    struct up_error err;
    int rc;

    if (size > sizeof again)
        size = sizeof again;
    rc = up_journal_decode(&s, data, size, &err);
    if (rc < 0) {
        FUZZ_REQUIRE(rc == UP_CORRUPT || rc == UP_INCOMPATIBLE);
        return 0;
    }
    FUZZ_REQUIRE(s.phase < UP_PHASES && s.tx.target < UP_SLOTS);
    FUZZ_REQUIRE(memchr(s.tx.why, 0, sizeof s.tx.why) && memchr(s.last.message, 0, sizeof s.last.message));
    FUZZ_REQUIRE(up_journal_encode(&s, again) == size && memcmp(again, data, size) == 0);
    return 0;
}
