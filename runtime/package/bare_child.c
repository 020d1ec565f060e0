#include "bare_child.h"

#include <errno.h>
#include <locale.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "archive_reader.h"
#include "bare_look.h"
#include "bytes.h"
#include "error.h"
#include "sandbox_lock.h"
#include "storage.h"

/* The storage that libarchive reads from: descriptor 0, whatever the path. */
struct input {
    struct up_storage base; /* first */
    uint64_t size;          /* bytes */
};

static int open_input(struct up_storage *s, const char *path, unsigned flags, unsigned mode)
{
    (void)s, (void)path, (void)flags, (void)mode;
    return 0;
}

static int close_input(struct up_storage *s, int file)
{
    (void)s, (void)file;
    return 0;
}

static long long read_input(struct up_storage *s, int file, void *buf, size_t len, uint64_t offset)
{
    ssize_t n;

    (void)s;
    do
        n = pread(file, buf, len, (off_t)offset);
    while (n < 0 && errno == EINTR);
    return n;
}

static int tell_input(struct up_storage *s, int file, struct up_stat *out)
{
    (void)file;
    *out = (struct up_stat){.kind = UP_NODE_FILE, .size = ((struct input *)s)->size};
    return 0;
}

/* A write fails only if the reader is gone. */
static void put(const void *data, size_t len)
{
    const uint8_t *at = data;

    while (len > 0) {
        ssize_t n = write(1, at, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            _exit(1);
        at += n;
        len -= (size_t)n;
    }
}

static void put_record(char letter, const void *data, size_t len)
{
    uint8_t head[5] = {(uint8_t)letter};

    up_put32(head + 1, (uint32_t)len);
    put(head, sizeof head);
    put(data, len);
}

/* If a limit is exceeded the archive is at fault, not the space of the device. */
static int refuse(const struct up_error *err)
{
    char text[1 + sizeof err->message];
    size_t len = strlen(err->message);

    text[0] = err->code == UP_CORRUPT ? 'C' : 'I';
    if (err->code == UP_UNTRUSTED || err->code == UP_NOSPACE)
        text[0] = 'U';
    memcpy(text + 1, err->message, len);
    put_record('X', text, len + 1);
    return 1;
}

static int pass_content(struct up_archive_reader *reader, struct up_error *err)
{
    static uint8_t chunk[UP_BARE_RECORD];
    long n = up_archive_reader_read(reader, chunk, sizeof chunk, err);

    for (; n > 0; n = up_archive_reader_read(reader, chunk, sizeof chunk, err))
        put_record('D', chunk, (size_t)n);
    return (int)n;
}

static int pass_all(struct up_archive_reader *reader, bool hotfix, struct up_error *err)
{
    struct up_bare_look look = {.hotfix = hotfix};
    struct up_archive_entry entry;
    const char *name;
    int rc;

    for (rc = up_archive_reader_next(reader, &entry, err); rc > 0;
         rc = up_archive_reader_next(reader, &entry, err)) {
        if (up_bare_look_take(&look, &entry, &name, err) < 0)
            return err->code;
        if (!name)
            continue;
        put_record('N', name, strlen(name));
        if (pass_content(reader, err) < 0)
            return err->code;
    }
    return rc < 0 ? rc : up_bare_look_end(&look, err);
}

int up_bare_child_main(bool hotfix, const char *user)
{
    static const struct up_storage_ops ops = {
        .open = open_input, .close = close_input, .pread = read_input, .stat_file = tell_input};
    struct input input = {.base = {.ops = &ops}};
    struct up_archive_limits limits;
    struct up_archive_reader *reader;
    struct up_error err;
    /* libarchive needs it, and its file will be out of reach. */
    locale_t locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    off_t end = lseek(0, 0, SEEK_END);
    int rc;

    /* A zip has local times, and the file that describes the zone will be out of reach, too. */
    setenv("TZ", "UTC0", 1);
    tzset();
    up_bare_look_limits(&limits, hotfix);
    input.size = end > 0 ? (uint64_t)end : 0;
    rc = up_sandbox_lock_for(user, UP_BARE_CPU, &err);
    if (rc == 0)
        rc = up_archive_reader_open(&reader, &input.base, "archive", &limits, &err);
    if (rc == 0) {
        rc = pass_all(reader, hotfix, &err);
        up_archive_reader_close(reader);
    }
    if (locale)
        freelocale(locale);
    if (rc < 0)
        return refuse(&err);
    put_record('E', "", 0);
    return 0;
}
