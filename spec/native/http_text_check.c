/*
 * http_text_check.c -- what strangers write, cut at every byte and garbled.
 *
 * Every text lies at the end of an allocation of its own size, so that a read
 * past it is caught by the sanitizer.
 */
#include "http_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "http_limits.h"

static char *cut(const char *text, size_t len)
{
    char *copy = malloc(len + 1);

    assert_non_null(copy);
    memcpy(copy, text, len);
    copy[len] = '\0';
    return copy;
}

static void check_target(char *text)
{
    char *path, *query, *name, *value;
    size_t len = strlen(text);
    bool fine = up_http_text_target_split(text, &path, &query);

    assert_true(query >= text && query <= text + len);
    if (fine) {
        assert_int_equal(path[0], '/');
        assert_null(strstr(path, "/../"));
        for (const char *p = path; *p; p++)
            assert_true((unsigned char)*p >= 0x20 && *p != 0x7f);
    }
    while (up_http_text_query_next(&query, &name, &value)) {
        assert_true(name >= text && name + strlen(name) <= text + len);
        assert_true(value >= text && value + strlen(value) <= text + len);
    }
}

static const char *const targets[] = {
    "/api/site/firmware_upgrade?project_key=k%2D123&imei=866714040000001&&x&=%&%2&%zz&a%3Db=c%26d",
    "http://proxy.host:8080/a%20b/c%2Fd?e=f?g=h#i",
    "https://",
    "/%2e%2e/%2E./.%2e/..%2f",
    "/%00%0a%7f%ff",
};

static void targets_cut_anywhere(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
        for (size_t len = 0; len <= strlen(targets[i]); len++) {
            char *text = cut(targets[i], len);

            check_target(text);
            free(text);
        }
    }
}

static void targets_garbled_anywhere(void **state)
{
    static const char bytes[] = "%./?&=:\x01\x7f\xff";

    (void)state;
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
        for (size_t at = 0; at < strlen(targets[i]); at++) {
            for (size_t b = 0; b < sizeof bytes - 1; b++) {
                char *text = cut(targets[i], strlen(targets[i]));

                text[at] = bytes[b];
                check_target(text);
                free(text);
            }
        }
    }
}

static void ranges_stay_inside(void **state)
{
    static const char *const texts[] = {
        "bytes=0-",
        "bytes=5-9",
        "bytes=-5",
        "bytes=18446744073709551615-18446744073709551616",
        "bytes=-18446744073709551616",
        "bytes= 0 - 1 ",
        "bytes=0-1,2-3",
    };
    static const uint64_t sizes[] = {0, 1, 5, 10, UINT64_C(1) << 40, INT64_MAX, UINT64_MAX};

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        for (size_t len = 0; len <= strlen(texts[i]); len++) {
            for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
                char *text = cut(texts[i], len);
                struct up_range range = up_http_text_range_parse(text, sizes[s]);

                free(text);
                if (range.kind != UP_RANGE_PART)
                    continue;
                assert_true(range.length > 0 && range.offset < sizes[s]);
                assert_true(range.length <= sizes[s] - range.offset);
            }
        }
    }
}

static void tags_cut_anywhere(void **state)
{
    static const char list[] = "W/\"a\" , \"b\",\"tag\" , *";

    (void)state;
    for (size_t len = 0; len <= strlen(list); len++) {
        char *text = cut(list, len);

        assert_int_equal(up_http_text_tag_listed(text, "\"tag\""), len >= 17);
        assert_false(up_http_text_if_range_holds(text, "\"tag\""));
        free(text);
    }
    assert_true(up_http_text_if_range_holds(NULL, "\"tag\""));
    assert_true(up_http_text_if_range_holds(" \"tag\" ", "\"tag\""));
    assert_false(up_http_text_if_range_holds("W/\"tag\"", "\"tag\""));
    assert_false(up_http_text_if_range_holds("\"tag\"x", "\"tag\""));
}

static void first_bytes_cut_anywhere(void **state)
{
    static const char request[] = "\r\nGET /a?b=c HTTP/1.1\r\nHost: \x01\r\n\r\n";

    (void)state;
    for (size_t len = 0; len < sizeof request; len++) {
        char *bytes = malloc(len ? len : 1); /* no NUL: this is what a socket gives */

        assert_non_null(bytes);
        memcpy(bytes, request, len);
        assert_true(up_http_limits_looks_like_http(bytes, (unsigned)len));
        free(bytes);
    }
    assert_true(up_http_limits_looks_like_http("VERSION-CONTROL /", 17));
    assert_false(up_http_limits_looks_like_http("VERSION-CONTROLX /", 18));
    assert_false(up_http_limits_looks_like_http(" GET /", 6));
    assert_false(up_http_limits_looks_like_http("GET\t/", 5));
    assert_false(up_http_limits_looks_like_http("GET /\x1b", 6));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(targets_cut_anywhere),     cmocka_unit_test(targets_garbled_anywhere),
        cmocka_unit_test(ranges_stay_inside),       cmocka_unit_test(tags_cut_anywhere),
        cmocka_unit_test(first_bytes_cut_anywhere),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
