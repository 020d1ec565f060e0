#include "public_address.h"

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

struct range {
    uint8_t start[4];
    unsigned bits;
};

/* The registry of special-purpose IPv4 addresses, RFC 6890 and its updates. */
static const struct range not_public[] = {
    {{0, 0, 0, 0}, 8},      {{10, 0, 0, 0}, 8},     {{100, 64, 0, 0}, 10}, {{127, 0, 0, 0}, 8},
    {{169, 254, 0, 0}, 16}, {{172, 16, 0, 0}, 12},  {{192, 0, 0, 0}, 24},  {{192, 0, 2, 0}, 24},
    {{192, 88, 99, 0}, 24}, {{192, 168, 0, 0}, 16}, {{198, 18, 0, 0}, 15}, {{198, 51, 100, 0}, 24},
    {{203, 0, 113, 0}, 24}, {{224, 0, 0, 0}, 4},    {{240, 0, 0, 0}, 4},
};

static bool begins(const uint8_t *address, const uint8_t *start, unsigned bits)
{
    unsigned whole = bits / 8, rest = bits % 8;
    uint8_t mask = (uint8_t)(0xff00u >> rest);

    return memcmp(address, start, whole) == 0 && (rest == 0 || ((address[whole] ^ start[whole]) & mask) == 0);
}

static bool is_public_four(const uint8_t *a)
{
    for (size_t i = 0; i < sizeof not_public / sizeof *not_public; i++)
        if (begins(a, not_public[i].start, not_public[i].bits))
            return false;
    return true;
}

static bool is_public_six(const uint8_t *a)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};   /* ::ffff:a.b.c.d */
    static const uint8_t translated[12] = {0x00, 0x64, 0xff, 0x9b}; /* 64:ff9b::a.b.c.d */
    static const uint8_t unicast[1] = {0x20};                       /* 2000::/3 */
    static const uint8_t protocols[3] = {0x20, 0x01, 0x00};         /* 2001::/23, Teredo too */
    static const uint8_t documents[4] = {0x20, 0x01, 0x0d, 0xb8};   /* 2001:db8::/32 */
    static const uint8_t examples[3] = {0x3f, 0xff, 0x00};          /* 3fff::/20 */
    static const uint8_t six_to_four[2] = {0x20, 0x02};             /* 2002:a.b.c.d::/48 */

    if (begins(a, mapped, 96) || begins(a, translated, 96))
        return is_public_four(a + 12);
    if (begins(a, six_to_four, 16))
        return is_public_four(a + 2);
    return begins(a, unicast, 3) && !begins(a, protocols, 23) && !begins(a, documents, 32) &&
           !begins(a, examples, 20);
}

bool up_public_address(const struct sockaddr *address)
{
    struct sockaddr_in four;
    struct sockaddr_in6 six;
    uint8_t bytes[4];

    if (address->sa_family == AF_INET) {
        memcpy(&four, address, sizeof four);
        memcpy(bytes, &four.sin_addr, sizeof bytes);
        return is_public_four(bytes);
    }
    if (address->sa_family != AF_INET6)
        return false;
    memcpy(&six, address, sizeof six);
    return is_public_six(six.sin6_addr.s6_addr);
}
