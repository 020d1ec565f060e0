/* A manifest that is taken can be written again and says the same. */
#include "error.h"
#include "fuzz.h"
#include "package.h"

#include <stdlib.h>
#include <string.h>

static void check_bounds(const struct up_manifest *m)
{
    struct up_package_layout layout;
    uint8_t frame[512];

    FUZZ_REQUIRE(m->part_count >= 1 && m->part_count <= UP_PART_KINDS);
    FUZZ_REQUIRE(m->hardware_count <= UP_HARDWARE_MAX);
    for (unsigned i = 0; i < m->part_count; i++) {
        FUZZ_REQUIRE(m->part[i].size >= 1 && m->part[i].size < UP_PART_MAX);
        FUZZ_REQUIRE(m->part[i].index_size <= UP_INDEX_MAX);
        FUZZ_REQUIRE(m->part[i].block_size >= UP_BLOCK_MIN && m->part[i].block_size <= UP_BLOCK_MAX);
        FUZZ_REQUIRE(m->part[i].data_size <= m->part[i].size);
    }
    up_package_layout_of(&layout, m, 1, 1);
    FUZZ_REQUIRE(layout.head_size < layout.size);
    /* Laying out any of its headers must be possible. */
    for (unsigned i = 0; i < m->part_count; i++)
        up_package_layout_fill(&layout, m, layout.data_offset[i] - sizeof frame, frame, sizeof frame);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct up_manifest m, again;
    struct up_error err;
    char *text, *second;
    size_t len, second_len;
    int rc = up_manifest_parse(&m, (const char *)data, size, &err);

    if (rc < 0) {
        FUZZ_REQUIRE(rc == UP_UNTRUSTED || rc == UP_INCOMPATIBLE);
        return 0;
    }
    check_bounds(&m);
    FUZZ_REQUIRE(up_manifest_format(&m, &text, &len, &err) == 0);
    FUZZ_REQUIRE(up_manifest_parse(&again, text, len, &err) == 0);
    FUZZ_REQUIRE(up_manifest_format(&again, &second, &second_len, &err) == 0);
    FUZZ_REQUIRE(len == second_len && memcmp(text, second, len) == 0);
    free(text);
    free(second);
    return 0;
}
