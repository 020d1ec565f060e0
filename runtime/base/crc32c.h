/*
 * crc32c.h -- CRC-32C (Castagnoli, reflected 0x82F63B78) of a buffer.
 */
#ifndef UP_CRC32C_H
#define UP_CRC32C_H

#include <stddef.h>
#include <stdint.h>

uint32_t up_crc32c(const void *data, size_t len);

#endif
