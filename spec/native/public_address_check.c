/* Which addresses are public, at both ends of each range that is not. */

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cmocka.h>

#include "public_address.h"

static bool is_public(const char *text)
{
    union {
        struct sockaddr any;
        struct sockaddr_in four;
        struct sockaddr_in6 six;
    } address;

    memset(&address, 0, sizeof address);
    if (inet_pton(AF_INET, text, &address.four.sin_addr) == 1) {
        address.four.sin_family = AF_INET;
    } else {
        assert_int_equal(inet_pton(AF_INET6, text, &address.six.sin6_addr), 1);
        address.six.sin6_family = AF_INET6;
    }
    return up_public_address(&address.any);
}

static void check_kept_off(void **state)
{
    static const char *const list[] = {
        "0.0.0.0",
        "0.255.255.255",
        "10.0.0.0",
        "10.255.255.255",
        "100.64.0.0",
        "100.127.255.255",
        "127.0.0.1",
        "127.255.255.255",
        "169.254.0.0",
        "169.254.169.254",
        "172.16.0.0",
        "172.31.255.255",
        "192.0.0.8",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.0.0",
        "192.168.255.255",
        "198.18.0.0",
        "198.19.255.255",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::ffff:127.0.0.1",
        "::ffff:10.1.2.3",
        "64:ff9b::7f00:1",
        "64:ff9b::c0a8:1",
        "64:ff9b:1::1",
        "100::1",
        "fc00::1",
        "fdff::1",
        "fe80::1",
        "febf::1",
        "fec0::1",
        "ff02::1",
        "2001::1",
        "2001:1ff:ffff::1",
        "2001:db8::1",
        "2001:db8:ffff::1",
        "2002:7f00:1::1",
        "2002:a00:1::1",
        "3fff::1",
        "3fff:fff::1",
        "4000::1",
        "1fff::1",
        "::127.0.0.1",
    };

    (void)state;
    for (size_t i = 0; i < sizeof list / sizeof *list; i++)
        if (is_public(list[i]))
            fail_msg("%s counts as public", list[i]);
}

static void check_let_through(void **state)
{
    static const char *const list[] = {
        "1.0.0.0",         "9.255.255.255",   "11.0.0.0",        "100.63.255.255",   "100.128.0.0",
        "126.255.255.255", "128.0.0.0",       "169.253.255.255", "169.255.0.0",      "172.15.255.255",
        "172.32.0.0",      "192.0.1.0",       "192.0.3.0",       "192.88.98.1",      "192.167.255.255",
        "192.169.0.0",     "198.17.255.255",  "198.20.0.0",      "198.51.99.1",      "203.0.112.1",
        "223.255.255.255", "2000::1",         "2001:200::1",     "2001:db7::1",      "2001:db9::1",
        "2606:4700::1",    "2002:808:808::1", "::ffff:8.8.8.8",  "64:ff9b::808:808", "3fff:1000::1",
        "3ffe::1",
    };

    (void)state;
    for (size_t i = 0; i < sizeof list / sizeof *list; i++)
        if (!is_public(list[i]))
            fail_msg("%s does not count as public", list[i]);
}

static void check_other_family(void **state)
{
    struct sockaddr_un local = {.sun_family = AF_UNIX, .sun_path = "/run/x"};

    (void)state;
    assert_false(up_public_address((const struct sockaddr *)&local));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(check_kept_off),
        cmocka_unit_test(check_let_through),
        cmocka_unit_test(check_other_family),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
