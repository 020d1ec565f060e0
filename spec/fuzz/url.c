/* Addresses: which are taken, how they are shown, where a redirect leads. */
#include "url.h"

#include "error.h"
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static bool is_web(const char *url)
{
    return strncasecmp(url, "http://", 7) == 0 || strncasecmp(url, "https://", 8) == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz in = {data, size};
    char *base = fuzz_text(&in), *location = fuzz_text(&in), *prefix = fuzz_text(&in), *to = NULL;
    char shown[UP_URL_SHOWN];
    struct up_error err;

    memset(shown, 'x', sizeof shown);
    up_url_show(location, shown);
    FUZZ_REQUIRE(memchr(shown, 0, sizeof shown));
    up_url_same_origin(base, location);
    if (up_url_check(base, &err) == 0 &&
        up_url_follow(&to, base, location, *prefix ? prefix : NULL, &err) == 0) {
        FUZZ_REQUIRE(is_web(to));
        FUZZ_REQUIRE(strncasecmp(base, "https", 5) != 0 || strncasecmp(to, "https", 5) == 0);
        /* What a redirect leads to is an address that is taken. */
        FUZZ_REQUIRE(up_url_check(to, &err) == 0);
        to[strcspn(to, "?#")] = '\0';
        FUZZ_REQUIRE(!*prefix || !strstr(to, "/../"));
    }
    free(to);
    free(base);
    free(location);
    free(prefix);
    return 0;
}
