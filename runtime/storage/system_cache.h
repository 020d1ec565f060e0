/*
 * system_cache.h -- reading what the medium holds and not what the page cache does.
 *
 * Advice to drop pages is not enough: the kernel keeps a large folio of which
 * a part lies past the range, and one that somebody has mapped. So a descriptor
 * is switched to O_DIRECT until something is written through it; where that is
 * not honoured everything up to the end of the file is dropped, and what is
 * left is counted.
 *
 * Part of the operating system behind the storage seam; nothing else calls it.
 */
#ifndef UP_SYSTEM_CACHE_H
#define UP_SYSTEM_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* As storage.h says of drop_cache: an enum up_read_back, or -1 with errno. */
int up_system_cache_drop(int fd, uint64_t offset, uint64_t len);

/* Whether reads of fd go past the cache, so that up_system_cache_pread() must make them. */
bool up_system_cache_is_bypassed(int fd);
/* As pread of storage.h, in aligned pieces by way of a buffer where it must be. */
long long up_system_cache_pread(int fd, void *buf, size_t len, uint64_t offset);
/* Before a write: through the cache again. */
void up_system_cache_use(int fd);

#endif
