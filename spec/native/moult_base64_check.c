/*
 * moult_base64_check.c -- bytes in JSON, from an agent that may send anything.
 */
#include "moult_base64.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void every_digit_has_its_value(void **state)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint8_t out[48];
    unsigned value = 0;

    (void)state;
    assert_int_equal(moult_base64_decode(out, sizeof out, digits), 48);
    for (unsigned bit = 0; bit < 48 * 8; bit++) {
        value = value << 1 | (out[bit / 8] >> (7 - bit % 8) & 1u);
        if (bit % 6 == 5) {
            assert_int_equal(value & 63, bit / 6);
            value = 0;
        }
    }
}

static void what_is_none_or_too_much_is_refused(void **state)
{
    static const char *const wrong[] = {"Z", "Zm9", "Zm9=v", "Zm9v=", "Z===", "Zm 9v", "Zm9-", "Zm9vZm9v"};
    uint8_t out[5] = {0, 0, 0, 0, 7};

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        if (moult_base64_decode(out, 4, wrong[i]) != -1)
            fail_msg("%s is taken", wrong[i]);
    assert_int_equal(out[4], 7);
    assert_int_equal(moult_base64_decode(out, 4, ""), 0);
    assert_int_equal(moult_base64_decode(out, 4, "Zm8="), 2);
    assert_int_equal(moult_base64_decode(out, 4, "Zm9vZg=="), 4);
    assert_memory_equal(out, "foof", 4);
    assert_int_equal(out[4], 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_digit_has_its_value),
        cmocka_unit_test(what_is_none_or_too_much_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
