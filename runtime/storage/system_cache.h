/*
 * system_cache.h -- read what is on the medium and not what is in the page
 * cache.
 *
 * Advising the kernel to drop pages is not enough: it keeps a large folio that
 * extends beyond the range, and a page that somebody has mapped. So a
 * descriptor is switched to O_DIRECT until something is written through it;
 * where that is not supported, everything up to the end of the file is dropped,
 * and what remains is counted.
 *
 * Part of the system's storage; only that calls it.
 */
#ifndef UP_SYSTEM_CACHE_H
#define UP_SYSTEM_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* See drop_cache in storage.h: an enum up_read_back, or -1 with errno. */
int up_system_cache_drop(int fd, uint64_t offset, uint64_t len);

/* Whether reads of fd bypass the cache, so that they must use up_system_cache_pread(). */
bool up_system_cache_is_bypassed(int fd);
/* See pread in storage.h; in aligned pieces through a buffer where necessary. */
long long up_system_cache_pread(int fd, void *buf, size_t len, uint64_t offset);
/* Before a write: use the cache again. */
void up_system_cache_use(int fd);

#endif
