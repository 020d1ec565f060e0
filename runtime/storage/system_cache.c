#include "system_cache.h"

#include "storage.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define ALIGN 4096u        /* of memory, offset and length; enough for all but a few devices, which refuse */
#define PIECE (1u << 20)   /* the most that is read through the buffer at once */
#define WINDOW (64u << 20) /* mapped at once for counting pages */
#define PAGE_LEAST 4096u
#define WHOLE UINT64_C(0) /* length up to the end of the file, for the kernel */

static bool unsupported(int error)
{
    return error == EINVAL || error == ENOSYS || error == ESPIPE || error == EOPNOTSUPP;
}

static uint64_t page_size(void)
{
    return (uint64_t)sysconf(_SC_PAGESIZE);
}

static int write_back(int fd)
{
    const unsigned all = SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER;
    int r;

    do
        r = sync_file_range(fd, 0, WHOLE, all);
    while (r < 0 && errno == EINTR);
    if (r == 0 || !unsupported(errno))
        return r;
    do
        r = fsync(fd);
    while (r < 0 && errno == EINTR);
    return r;
}

/* A dirty page cannot be dropped, so write everything back. And the whole file
 * goes: a folio across the end of a range would stay. */
static int drop(int fd)
{
    int r;

    if (write_back(fd) < 0)
        return -1;
    r = posix_fadvise(fd, 0, (off_t)WHOLE, POSIX_FADV_DONTNEED);
    if (r == 0 || unsupported(r))
        return 0;
    errno = r;
    return -1;
}

/*
 * The first page from `start` on that is in the cache, or with `absent` the
 * first that is not; `end` if there is none. -1 if that cannot be determined. A
 * page beyond the end of the file is not in the cache.
 */
static long long find_page(int fd, uint64_t start, uint64_t end, bool absent)
{
    unsigned char seen[WINDOW / PAGE_LEAST];
    uint64_t page = page_size();

    for (uint64_t at = start; at < end; at += WINDOW) {
        size_t len = end - at < WINDOW ? (size_t)(end - at) : WINDOW;
        void *map = mmap(NULL, len, PROT_READ, MAP_SHARED, fd, (off_t)at);
        int r = map == MAP_FAILED ? -1 : mincore(map, len, seen);

        if (map != MAP_FAILED)
            munmap(map, len);
        if (r < 0)
            return -1;
        for (size_t i = 0; i < (len + page - 1) / page; i++)
            if ((seen[i] & 1) != absent)
                return (long long)(at + i * page);
    }
    return (long long)end;
}

bool up_system_cache_is_bypassed(int fd)
{
    int flags = fcntl(fd, F_GETFL);

    return flags >= 0 && flags & O_DIRECT;
}

void up_system_cache_use(int fd)
{
    int flags = fcntl(fd, F_GETFL);

    if (flags >= 0 && flags & O_DIRECT)
        fcntl(fd, F_SETFL, flags & ~O_DIRECT);
}

static bool bypass(int fd)
{
    int flags = fcntl(fd, F_GETFL);

    return flags >= 0 && fcntl(fd, F_SETFL, flags | O_DIRECT) == 0;
}

static ssize_t read_once(int fd, void *buf, size_t len, uint64_t offset)
{
    ssize_t n;

    do
        n = pread(fd, buf, len, (off_t)offset);
    while (n < 0 && errno == EINTR);
    return n;
}

static void *aligned(size_t len)
{
    void *p = NULL;

    errno = posix_memalign(&p, ALIGN, len);
    return errno ? NULL : p;
}

/* Whether reading a page leaves it out of the cache, as O_DIRECT promises and
 * some file systems do not keep. False also if no page can show it. */
static bool is_honoured(int fd, uint64_t start, uint64_t end)
{
    long long page = find_page(fd, start, end, true);
    void *buf;
    ssize_t n;

    if (page < 0 || (uint64_t)page >= end)
        return false;
    buf = aligned(ALIGN);
    if (!buf)
        return false;
    n = read_once(fd, buf, ALIGN, (uint64_t)page);
    free(buf);
    if (n < 0)
        up_system_cache_use(fd);
    return n >= 0 && find_page(fd, (uint64_t)page, (uint64_t)page + 1, false) == page + 1;
}

int up_system_cache_drop(int fd, uint64_t offset, uint64_t len)
{
    uint64_t page = page_size(), start = offset / page * page;
    long long left;

    if (len == 0)
        return UP_READ_DIRECT;
    up_system_cache_use(fd);
    if (drop(fd) < 0)
        return -1;
    if (bypass(fd) && is_honoured(fd, start, offset + len))
        return UP_READ_DIRECT;
    /* Drop the page that was tried, too. */
    if (drop(fd) < 0)
        return -1;
    left = find_page(fd, start, offset + len, false);
    return left >= 0 && (uint64_t)left >= offset + len ? UP_READ_DROPPED : UP_READ_CACHED;
}

/* A piece that begins or ends inside an aligned one. Bytes read, 0 at the end. */
static ssize_t read_piece(int fd, void *buf, size_t len, uint64_t offset, void *bounce)
{
    size_t skip = (size_t)(offset % ALIGN);
    size_t want = skip + len < PIECE ? (skip + len + ALIGN - 1) / ALIGN * ALIGN : PIECE;
    ssize_t n = read_once(fd, bounce, want, offset - skip);

    if (n < 0)
        return n;
    if ((size_t)n <= skip)
        return 0;
    n -= (ssize_t)skip;
    if ((size_t)n > len)
        n = (ssize_t)len;
    memcpy(buf, (char *)bounce + skip, (size_t)n);
    return n;
}

long long up_system_cache_pread(int fd, void *buf, size_t len, uint64_t offset)
{
    size_t room = len + 2 * ALIGN < PIECE ? (len + 2 * ALIGN) / ALIGN * ALIGN : PIECE, done = 0;
    void *bounce = aligned(room);

    if (!bounce)
        return -1;
    while (done < len) {
        ssize_t n = read_piece(fd, (char *)buf + done, len - done, offset + done, bounce);

        if (n < 0) {
            free(bounce);
            return -1;
        }
        if (n == 0)
            break;
        done += (size_t)n;
    }
    free(bounce);
    return (long long)done;
}
