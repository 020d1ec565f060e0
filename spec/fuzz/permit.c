/* A permit that is taken names what it is for, and each device that it names. */
#include "permit.h"

#include "error.h"
#include "fuzz.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct up_permit p;
    struct up_error err;
    int rc = up_permit_parse(&p, (const char *)data, size, &err);

    if (rc < 0) {
        FUZZ_REQUIRE(rc == UP_UNTRUSTED || rc == UP_INCOMPATIBLE);
        return 0;
    }
    FUZZ_REQUIRE(p.project[0] && memchr(p.project, 0, sizeof p.project));
    FUZZ_REQUIRE(p.not_after > 0 && p.device_count <= UP_PERMIT_DEVICES);
    for (unsigned i = 0; i < p.device_count; i++)
        FUZZ_REQUIRE(p.device[i][0] && memchr(p.device[i], 0, sizeof p.device[i]) &&
                     up_permit_names(&p, p.device[i]));
    FUZZ_REQUIRE(up_permit_names(&p, "a device that nobody named") == (p.device_count == 0));
    return 0;
}
