/* What a client writes into a request: ranges, tags, targets, queries. */
#include "fuzz.h"
#include "http_text.h"

#include <stdlib.h>
#include <string.h>

static void check_range(struct fuzz *in)
{
    uint64_t size = fuzz_u64(in);
    char *text = fuzz_text(in);
    struct up_range r = up_http_text_range_parse(text, size);

    if (r.kind == UP_RANGE_PART)
        FUZZ_REQUIRE(r.length > 0 && r.offset < size && r.length <= size - r.offset);
    if (r.kind == UP_RANGE_WHOLE)
        FUZZ_REQUIRE(r.offset == 0 && r.length == size);
    free(text);
}

static void check_tags(struct fuzz *in)
{
    char *tag = fuzz_text(in), *text = fuzz_text(in), *quoted = fuzz_memory(strlen(tag) + 3);

    strcpy(quoted, "\"");
    strcat(quoted, tag);
    strcat(quoted, "\"");
    FUZZ_REQUIRE(!up_http_text_if_range_holds(text, quoted) || strstr(text, quoted));
    FUZZ_REQUIRE(!up_http_text_tag_listed(text, quoted) || strstr(text, quoted) || strchr(text, '*'));
    free(tag);
    free(text);
    free(quoted);
}

static void check_target(struct fuzz *in)
{
    char *target = fuzz_text(in), *path, *query, *name, *value;
    size_t room = strlen(target);

    if (up_http_text_target_split(target, &path, &query)) {
        FUZZ_REQUIRE(path[0] == '/' && strlen(path) <= room);
        for (const char *p = strstr(path, "/.."); p; p = strstr(p + 1, "/.."))
            FUZZ_REQUIRE(p[3] != '\0' && p[3] != '/');
        for (const char *p = path; *p; p++)
            FUZZ_REQUIRE((unsigned char)*p >= 0x20 && *p != 0x7f);
    }
    for (unsigned n = 0; up_http_text_query_next(&query, &name, &value); n++)
        FUZZ_REQUIRE(n <= room && strlen(name) + strlen(value) <= room);
    free(target);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz in = {data, size};

    switch (fuzz_u8(&in) % 3) {
    case 0:
        check_range(&in);
        break;
    case 1:
        check_tags(&in);
        break;
    default:
        check_target(&in);
    }
    return 0;
}
