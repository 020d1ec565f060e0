/*
 * printable_check.c -- every character and every broken sequence of up to four
 * bytes: what comes out is UTF-8 that drives nothing, and stays as it is then.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "printable.h"

static size_t put(char *out, uint32_t c)
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xc0 | c >> 6);
        out[1] = (char)(0x80 | (c & 0x3f));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (char)(0xe0 | c >> 12);
        out[1] = (char)(0x80 | (c >> 6 & 0x3f));
        out[2] = (char)(0x80 | (c & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | c >> 18);
    out[1] = (char)(0x80 | (c >> 12 & 0x3f));
    out[2] = (char)(0x80 | (c >> 6 & 0x3f));
    out[3] = (char)(0x80 | (c & 0x3f));
    return 4;
}

static void each_character_stays_or_becomes_one_mark(void **state)
{
    unsigned hidden = 0;

    (void)state;
    for (uint32_t c = 0; c < 0x110000; c++) {
        char text[4], copy[4];
        size_t len = put(text, c), left;

        memcpy(copy, text, len);
        if (c >= 0xd800 && c < 0xe000) { /* no character: half of one in UTF-16 */
            assert_false(up_is_printable(text, len));
            assert_int_equal(up_printable(copy, len), 3);
            assert_memory_equal(copy, "???", 3);
            continue;
        }
        left = up_printable(copy, len);
        if (left == len && memcmp(copy, text, len) == 0) {
            assert_true(up_is_printable(text, len));
            continue;
        }
        assert_false(up_is_printable(text, len));
        assert_int_equal(left, 1);
        assert_int_equal(copy[0], '?');
        hidden++;
    }
    assert_int_equal(hidden, 32 + 33 + 15); /* C0; DEL and C1; direction, separators, byte order */
}

static void bytes_that_are_no_text_become_marks(void **state)
{
    static const char *const broken[] = {
        "\x80",         "\xc0\xaf",         "\xc1\xbf",         "\xe0\x80\x80",
        "\xed\xa0\x80", "\xf0\x80\x80\x80", "\xf4\x90\x80\x80", "\xf8",
        "\xff",         "\xe2\x82"};

    (void)state;
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        char text[8];
        size_t len = strlen(broken[i]);

        memcpy(text, broken[i], len);
        assert_false(up_is_printable(text, len));
        assert_int_equal(up_printable(text, len), len);
        for (size_t k = 0; k < len; k++)
            assert_int_equal(text[k], '?');
    }
}

static void a_copy_is_cut_between_characters(void **state)
{
    char out[4];

    (void)state;
    up_printable_copy(out, sizeof out, "a\xc3\xa9\xc3\xa9");
    assert_string_equal(out, "a\xc3\xa9");
    up_printable_copy(out, sizeof out, "abc\xc3");
    assert_string_equal(out, "abc");
    up_printable_copy(out, sizeof out, "\x80\x80\x80\x80\x80");
    assert_string_equal(out, "");
    up_printable_copy(out, sizeof out, "\n\x1b");
    assert_string_equal(out, "??");
}

/* What cannot be shown is shown byte by byte; nothing is cut in the middle. */
static void bytes_are_written_as_numbers(void **state)
{
    static const struct {
        const char *text, *shown;
    } cases[] = {
        {"", ""},
        {"plain.txt", "plain.txt"},
        {"m\xc3\xa4\xc3\x9f", "m\xc3\xa4\xc3\x9f"},
        {"\xb2\xe2.txt", "\\xB2\\xE2.txt"},
        {"a\nb\x7f", "a\\x0Ab\\x7F"},
        {"\xe2\x80\xaex", "\\xE2\\x80\\xAEx"},
        {"\xc2\x9b", "\\xC2\\x9B"},
        {"cut\xc3", "cut\\xC3"},
    };
    char out[64];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t len = strlen(cases[i].shown);

        up_printable_escape(out, sizeof out, cases[i].text);
        assert_string_equal(out, cases[i].shown);
        up_printable_escape(out, len + 1, cases[i].text);
        assert_string_equal(out, cases[i].shown);
        if (len == 0)
            continue;
        up_printable_escape(out, len, cases[i].text);
        assert_true(strlen(out) < len && strncmp(out, cases[i].shown, strlen(out)) == 0);
        assert_true(up_is_printable(out, strlen(out)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_character_stays_or_becomes_one_mark),
        cmocka_unit_test(bytes_that_are_no_text_become_marks),
        cmocka_unit_test(bytes_are_written_as_numbers),
        cmocka_unit_test(a_copy_is_cut_between_characters),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
