/*
 * cache_check.c -- what was written is read back from the medium, on the kernel
 * that this runs on, and on file systems that are played: one that refuses
 * O_DIRECT, one that takes it and uses the cache all the same, and one whose
 * pages stay.
 *
 * The kernel has to show what it is about: a page that posix_fadvise() leaves in
 * the cache, because its folio goes on past the end of the range. Where it
 * does not, the program exits 77.
 */
#include "system_cache.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "scratch.h"
#include "storage.h"

#define FILE_SIZE (24u << 20)
#define CHUNK (256u << 10)
#define SKIPPED 77

static struct scratch *place;

/* The file system. */
static struct {
    bool refuses; /* O_DIRECT */
    bool ignores; /* it, and reads through the cache */
    bool blind;   /* nobody may ask what is in the cache */
    int error;    /* of posix_fadvise() */
} played;

int __real_fcntl(int fd, int command, ...);
int __wrap_fcntl(int fd, int command, ...);
ssize_t __real_pread(int fd, void *buf, size_t len, off_t offset);
ssize_t __wrap_pread(int fd, void *buf, size_t len, off_t offset);
int __real_mincore(void *map, size_t len, unsigned char *seen);
int __wrap_mincore(void *map, size_t len, unsigned char *seen);
int __real_posix_fadvise(int fd, off_t offset, off_t len, int advice);
int __wrap_posix_fadvise(int fd, off_t offset, off_t len, int advice);

int __wrap_fcntl(int fd, int command, ...)
{
    va_list args;
    int value;

    va_start(args, command);
    value = command == F_SETFL ? va_arg(args, int) : 0;
    va_end(args);
    if (played.refuses && command == F_SETFL && value & O_DIRECT) {
        errno = EINVAL;
        return -1;
    }
    return __real_fcntl(fd, command, value);
}

ssize_t __wrap_pread(int fd, void *buf, size_t len, off_t offset)
{
    int flags = __real_fcntl(fd, F_GETFL);
    ssize_t n;

    if (!played.ignores || !(flags & O_DIRECT))
        return __real_pread(fd, buf, len, offset);
    __real_fcntl(fd, F_SETFL, flags & ~O_DIRECT);
    n = __real_pread(fd, buf, len, offset);
    __real_fcntl(fd, F_SETFL, flags);
    return n;
}

int __wrap_mincore(void *map, size_t len, unsigned char *seen)
{
    if (!played.blind)
        return __real_mincore(map, len, seen);
    errno = EPERM;
    return -1;
}

int __wrap_posix_fadvise(int fd, off_t offset, off_t len, int advice)
{
    return played.error ? played.error : __real_posix_fadvise(fd, offset, len, advice);
}

/* Pages of the first `size` bytes that are in the cache. */
static unsigned cached(int fd, size_t size)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), count = (size + page - 1) / page;
    void *map = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
    unsigned char *seen = malloc(count);
    unsigned found = 0;

    assert_true(map != MAP_FAILED);
    assert_int_equal(__real_mincore(map, size, seen), 0);
    munmap(map, size);
    for (size_t i = 0; i < count; i++)
        found += seen[i] & 1;
    free(seen);
    return found;
}

static uint8_t byte_at(size_t at, unsigned seed)
{
    return (uint8_t)(at * 7 + at / 4093 + seed);
}

static void write_range(struct up_storage *s, int file, size_t size, unsigned seed)
{
    uint8_t *data = malloc(CHUNK);

    for (size_t at = 0; at < size; at += CHUNK) {
        size_t n = size - at < CHUNK ? size - at : CHUNK;

        for (size_t i = 0; i < n; i++)
            data[i] = byte_at(at + i, seed);
        assert_int_equal(s->ops->pwrite(s, file, data, n, at), 0);
    }
    free(data);
}

/* A file with large folios where the kernel makes such: read from the front, as
 * one that is looked through, then overwritten up to `size`. */
static int file_with(size_t size)
{
    struct up_storage *s = up_storage_system();
    char path[512];
    uint8_t *data = malloc(65536);
    int file = s->ops->open(s, scratch_path(place, "slot", path), UP_CREATE, 0600);

    assert_true(file >= 0);
    write_range(s, file, FILE_SIZE, 1);
    assert_int_equal(s->ops->sync(s, file), 0);
    assert_int_equal(__real_posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED), 0);
    for (size_t at = 0; at < size; at += 65536)
        assert_true(__real_pread(file, data, 65536, (off_t)at) > 0);
    write_range(s, file, size, 2);
    assert_int_equal(s->ops->sync(s, file), 0);
    free(data);
    return file;
}

static const size_t sizes[] = {10 * 1024 * 1024 + 123456, 7 * 1024 * 1024 + 5000, 5000000};
#define SIZES (sizeof sizes / sizeof sizes[0])

/* Whether advice alone leaves something of the range in the cache. */
static bool advice_is_not_enough(void)
{
    unsigned left = 0;

    for (size_t i = 0; i < SIZES; i++) {
        int file = file_with(sizes[i]);

        __real_posix_fadvise(file, 0, (off_t)((sizes[i] + 4095) / 4096 * 4096), POSIX_FADV_DONTNEED);
        left += cached(file, sizes[i]);
        close(file);
    }
    return left > 0;
}

static void assert_reads(int file, size_t size, size_t step, size_t from)
{
    struct up_storage *s = up_storage_system();
    uint8_t *data = malloc(step);

    for (size_t at = from; at < size; at += step) {
        size_t want = size - at < step ? size - at : step;

        assert_int_equal(s->ops->pread(s, file, data, want, at), want);
        for (size_t i = 0; i < want; i++)
            if (data[i] != byte_at(at + i, 2))
                fail_msg("byte %zu differs", at + i);
    }
    free(data);
}

/* Neither before nor after it was read is a page of it in the cache. */
static void nothing_is_read_from_the_cache(void **state)
{
    struct up_storage *s = up_storage_system();

    (void)state;
    for (size_t i = 0; i < SIZES; i++) {
        int file = file_with(sizes[i]);
        int how = s->ops->drop_cache(s, file, 0, sizes[i]);

        if (how != UP_READ_DIRECT)
            print_message("O_DIRECT is not honoured here: %s\n",
                          up_storage_read_back_text((enum up_read_back)how));
        assert_int_not_equal(how, UP_READ_CACHED);
        assert_int_equal(cached(file, sizes[i]), 0);
        assert_reads(file, sizes[i], CHUNK, 0);
        assert_reads(file, sizes[i], 100000, 3);
        if (how == UP_READ_DIRECT)
            assert_int_equal(cached(file, sizes[i]), 0);
        s->ops->close(s, file);
    }
}

static void any_piece_reads_right_to_the_end_of_the_file(void **state)
{
    static const size_t lengths[] = {1, 511, 512, 4095, 4096, 4097, 70000, 3 << 20};
    struct up_storage *s = up_storage_system();
    uint8_t *data = malloc(4 << 20);
    char path[512];
    size_t size = (3 << 20) + 1234;
    int file = s->ops->open(s, scratch_path(place, "odd", path), UP_CREATE, 0600);

    (void)state;
    write_range(s, file, size, 2);
    assert_true(s->ops->drop_cache(s, file, 0, size) >= 0);
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++)
        for (size_t offset = 0; offset < size + 5000; offset += 400003) {
            size_t left = offset < size ? size - offset : 0, expected = left < lengths[i] ? left : lengths[i];

            assert_int_equal(s->ops->pread(s, file, data, lengths[i], offset), expected);
            for (size_t k = 0; k < expected; k++)
                if (data[k] != byte_at(offset + k, 2))
                    fail_msg("byte %zu differs", offset + k);
        }
    assert_int_equal(s->ops->pread(s, file, data, 10, size - 3), 3);
    assert_int_equal(s->ops->pread(s, file, data, 10, size), 0);
    s->ops->close(s, file);
    free(data);
}

/* By bytes of any place in memory and file, and what follows is seen at once. */
static void a_write_ends_it(void **state)
{
    struct up_storage *s = up_storage_system();
    int file = file_with(100000);
    uint8_t data[3] = "ab", back[3];

    (void)state;
    assert_true(s->ops->drop_cache(s, file, 0, 100000) >= 0);
    assert_int_equal(s->ops->pwrite(s, file, data, 2, 77777), 0);
    assert_false(up_system_cache_is_bypassed(file));
    assert_int_equal(s->ops->pread(s, file, back, 2, 77777), 2);
    assert_memory_equal(back, data, 2);
    assert_true(s->ops->drop_cache(s, file, 0, 100000) >= 0); /* not synced before: it is written back */
    assert_int_equal(s->ops->pread(s, file, back, 2, 77777), 2);
    assert_memory_equal(back, data, 2);
    s->ops->close(s, file);
}

/* Then the pages are gone, those at the tail too. */
static void without_o_direct_all_is_dropped(void **state)
{
    struct up_storage *s = up_storage_system();

    (void)state;
    for (int ignores = 0; ignores < 2; ignores++)
        for (size_t i = 0; i < SIZES; i++) {
            int file = file_with(sizes[i]);

            played.refuses = !ignores;
            played.ignores = ignores;
            assert_int_equal(s->ops->drop_cache(s, file, 0, sizes[i]), UP_READ_DROPPED);
            assert_int_equal(cached(file, sizes[i]), 0);
            assert_reads(file, sizes[i], CHUNK, 0);
            memset(&played, 0, sizeof played);
            s->ops->close(s, file);
        }
}

/* Pages that a program has mapped stay; it is not said that they went. */
static void what_stays_is_said(void **state)
{
    struct up_storage *s = up_storage_system();
    int file = file_with(1 << 20);
    void *map = mmap(NULL, FILE_SIZE, PROT_READ, MAP_SHARED | MAP_POPULATE, file, 0);

    (void)state;
    assert_true(map != MAP_FAILED);
    played.refuses = true;
    assert_int_equal(s->ops->drop_cache(s, file, 0, 1 << 20), UP_READ_CACHED);
    assert_reads(file, 1 << 20, CHUNK, 0);
    played.refuses = false;
    assert_int_equal(s->ops->drop_cache(s, file, 0, 1 << 20), UP_READ_CACHED); /* no page can show it */
    assert_true(up_system_cache_is_bypassed(file));
    assert_reads(file, 1 << 20, CHUNK, 0);
    munmap(map, FILE_SIZE);
    played.blind = true;
    assert_int_equal(s->ops->drop_cache(s, file, 0, 1 << 20), UP_READ_CACHED);
    memset(&played, 0, sizeof played);
    s->ops->close(s, file);
}

/* A page behind those that were asked about shows nothing of them. */
static void what_stays_is_said_of_a_part(void **state)
{
    const size_t part = 4 << 20; /* no folio goes on past it */
    struct up_storage *s = up_storage_system();
    int file = file_with(FILE_SIZE);
    void *map = mmap(NULL, part, PROT_READ, MAP_SHARED | MAP_POPULATE, file, 0);

    (void)state;
    assert_true(map != MAP_FAILED);
    assert_int_equal(s->ops->drop_cache(s, file, 0, part), UP_READ_CACHED);
    assert_true(cached(file, FILE_SIZE) < FILE_SIZE / (size_t)sysconf(_SC_PAGESIZE));
    munmap(map, part);
    s->ops->close(s, file);
}

static void what_is_no_file_has_no_cache_to_drop(void **state)
{
    struct up_storage *s = up_storage_system();
    int file = file_with(4096);

    (void)state;
    played.error = EIO;
    assert_int_equal(s->ops->drop_cache(s, file, 0, 4096), -1);
    assert_int_equal(errno, EIO);
    played.error = ESPIPE;
    assert_true(s->ops->drop_cache(s, file, 0, 4096) >= 0);
    played.error = 0;
    assert_int_equal(s->ops->drop_cache(s, file, 0, 0), UP_READ_DIRECT);
    s->ops->close(s, file);
    assert_int_equal(s->ops->drop_cache(s, file, 0, 4096), -1);
    assert_int_equal(errno, EBADF);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_read_from_the_cache),
        cmocka_unit_test(any_piece_reads_right_to_the_end_of_the_file),
        cmocka_unit_test(a_write_ends_it),
        cmocka_unit_test(without_o_direct_all_is_dropped),
        cmocka_unit_test(what_stays_is_said),
        cmocka_unit_test(what_stays_is_said_of_a_part),
        cmocka_unit_test(what_is_no_file_has_no_cache_to_drop),
    };
    void *state = NULL;
    int failed;
    bool shown;

    if (scratch_set_up(&state) < 0)
        return 1;
    place = state;
    if (in_memory(place->dir)) {
        printf("skipped: %s lies in memory, so nothing can be read back from a medium\n", place->dir);
        scratch_tear_down(&state);
        return SKIPPED;
    }
    shown = advice_is_not_enough();
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    scratch_tear_down(&state);
    if (failed == 0 && !shown) {
        printf("skipped: this kernel has no large folio here, so nothing can be left at the tail\n");
        return SKIPPED;
    }
    return failed;
}
