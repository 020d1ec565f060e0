/*
 * checksums.c -- CRC-32C by the processor, where it has an instruction for it:
 * a life reads its records again and again, and an eighth of its time was that.
 *
 * Linked in place of up_crc32c() by --wrap. What is tried is not the checksum:
 * record_check has its vectors.
 */
#include "crc32c.h"

#include <string.h>

uint32_t __real_up_crc32c(const void *data, size_t len);
uint32_t __wrap_up_crc32c(const void *data, size_t len);

#ifdef __x86_64__
__attribute__((target("sse4.2"))) static uint32_t by_instruction(const void *data, size_t len)
{
    const uint8_t *p = data;
    uint64_t crc = 0xffffffffu;

    for (; len >= sizeof(uint64_t); p += sizeof(uint64_t), len -= sizeof(uint64_t)) {
        uint64_t word;

        memcpy(&word, p, sizeof word);
        crc = __builtin_ia32_crc32di(crc, word);
    }
    for (; len > 0; p++, len--)
        crc = __builtin_ia32_crc32qi((uint32_t)crc, *p);
    return ~(uint32_t)crc;
}

uint32_t __wrap_up_crc32c(const void *data, size_t len)
{
    return __builtin_cpu_supports("sse4.2") ? by_instruction(data, len) : __real_up_crc32c(data, len);
}
#else
uint32_t __wrap_up_crc32c(const void *data, size_t len)
{
    return __real_up_crc32c(data, len);
}
#endif
