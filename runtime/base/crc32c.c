#include "crc32c.h"

#include "bytes.h"

#define LONG_BUFFER 1024u

/* Four bits at a time: the table of the 16 remainders. */
static const uint32_t remainders[16] = {
    0x00000000u, 0x105ec76fu, 0x20bd8edeu, 0x30e349b1u, 0x417b1dbcu, 0x5125dad3u, 0x61c69362u, 0x7198540du,
    0x82f63b78u, 0x92a8fc17u, 0xa24bb5a6u, 0xb21572c9u, 0xc38d26c4u, 0xd3d3e1abu, 0xe330a81au, 0xf36e6f75u};

static uint32_t crc_byte(uint32_t crc, uint8_t byte)
{
    crc ^= byte;
    crc = crc >> 4 ^ remainders[crc & 15];
    return crc >> 4 ^ remainders[crc & 15];
}

/* For eight bytes at a time, 8 KiB: made at the first long buffer, so that a
 * program without one does not carry them; short buffers use them from then on. */
static uint32_t table[8][256];

static bool has_table(void)
{
    return table[0][1] != 0;
}

/* `len` is a multiple of eight. */
static uint32_t crc_words(uint32_t crc, const uint8_t *p, size_t len)
{
    if (!has_table()) {
        for (unsigned i = 0; i < 256; i++)
            table[0][i] = crc_byte(0, (uint8_t)i);
        for (unsigned i = 0; i < 256; i++)
            for (int t = 1; t < 8; t++)
                table[t][i] = table[t - 1][i] >> 8 ^ table[0][table[t - 1][i] & 255];
    }
    for (; len > 0; p += 8, len -= 8) {
        uint32_t next = up_get32(p + 4);

        crc ^= up_get32(p);
        crc =
            table[7][crc & 255] ^ table[6][crc >> 8 & 255] ^ table[5][crc >> 16 & 255] ^ table[4][crc >> 24];
        crc ^= table[3][next & 255] ^ table[2][next >> 8 & 255] ^ table[1][next >> 16 & 255] ^
               table[0][next >> 24];
    }
    return crc;
}

uint32_t up_crc32c(const void *data, size_t len)
{
    const uint8_t *p = data;
    uint32_t crc = 0xffffffffu;

    if (len >= LONG_BUFFER || has_table()) {
        size_t whole = len / 8 * 8;

        crc = crc_words(crc, p, whole);
        p += whole;
        len -= whole;
    }
    while (len--)
        crc = crc_byte(crc, *p++);
    return ~crc;
}
