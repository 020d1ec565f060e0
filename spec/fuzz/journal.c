/* A journal that is understood can be written again and says the same; one of
 * the form that is written now is the very bytes. */
#include "journal.h"

#include "error.h"
#include "fuzz.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t again[UP_JOURNAL_CAPACITY], third[UP_JOURNAL_CAPACITY];
    static struct up_journal_state s, same;
    struct up_error err;
    size_t len;
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
    len = up_journal_encode(&s, again);
    if (memcmp(again, data, 8) == 0) /* the form */
        FUZZ_REQUIRE(len == size && memcmp(again, data, size) == 0);
    FUZZ_REQUIRE(up_journal_decode(&same, again, len, &err) == 0);
    FUZZ_REQUIRE(up_journal_encode(&same, third) == len && memcmp(again, third, len) == 0);
    return 0;
}
