#include "waits.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

struct up_waits_page {
    _Atomic uint64_t total; /* ms, of waits that are over */
    _Atomic uint64_t since; /* ms of the monotonic clock; 0: nothing is waited for */
};

/* The page of this process, if it is a child. */
static struct {
    struct up_waits_page *page;
    unsigned depth;
} own;

static uint64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static struct up_waits_page *map(int fd)
{
    void *page = mmap(NULL, sizeof *own.page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    return page == MAP_FAILED ? NULL : page;
}

/* Sealed: a writer who could shrink the page could crash the reader. */
int up_waits_new(struct up_waits_page **out)
{
    int first = memfd_create("moult-waits", MFD_CLOEXEC | MFD_ALLOW_SEALING), fd;

    *out = NULL;
    if (first < 0)
        return -1;
    fd = fcntl(first, F_DUPFD_CLOEXEC, UP_WAITS_FD + 1);
    close(first);
    if (fd < 0)
        return -1;
    if (ftruncate(fd, (off_t)sizeof **out) == 0 && fcntl(fd, F_ADD_SEALS, SEALS) == 0)
        *out = map(fd);
    if (*out)
        return fd;
    close(fd);
    return -1;
}

void up_waits_free(struct up_waits_page *page)
{
    if (page)
        munmap(page, sizeof *page);
}

/* Read the sum first: a wait that ends in between is missed until the next
 * look, but never counted twice. */
uint64_t up_waits_read(const struct up_waits_page *page)
{
    uint64_t total, since, now;

    if (!page)
        return 0;
    total = atomic_load(&page->total);
    since = atomic_load(&page->since);
    now = now_ms();
    return since > 0 && since < now ? total + (now - since) : total;
}

void up_waits_adopt(void)
{
    struct stat st;

    if (fcntl(UP_WAITS_FD, F_GET_SEALS) != SEALS || fstat(UP_WAITS_FD, &st) < 0 ||
        st.st_size != (off_t)sizeof *own.page)
        return;
    own.page = map(UP_WAITS_FD);
    close(UP_WAITS_FD);
}

void up_waits_begin(void)
{
    if (own.page && own.depth++ == 0)
        atomic_store(&own.page->since, now_ms());
}

void up_waits_end(void)
{
    uint64_t since;

    if (!own.page || --own.depth > 0)
        return;
    since = atomic_load(&own.page->since);
    atomic_fetch_add(&own.page->total, now_ms() - since);
    atomic_store(&own.page->since, 0);
}
