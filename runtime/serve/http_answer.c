#include "http_answer.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "error.h"
#include "http_text.h"

int up_http_answer_add_header(struct MHD_Response *response, const char *line)
{
    const char *colon = strchr(line, ':');
    char name[64];

    if (!colon || (size_t)(colon - line) >= sizeof name)
        return -1;
    memcpy(name, line, (size_t)(colon - line));
    name[colon - line] = '\0';
    colon++;
    colon += strspn(colon, " ");
    return MHD_add_response_header(response, name, colon) == MHD_YES ? 0 : -1;
}

/* Open a regular file for serving: a descriptor, or a negative code. */
static int open_served(const char *path, struct stat *st, struct up_error *err)
{
    /* Opening a fifo in the folder must not block the server. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

    if (fd < 0 && (errno == EMFILE || errno == ENFILE))
        return up_fail(err, UP_BUSY, "%s: %s", path, strerror(errno));
    if (fd < 0)
        return up_fail(err, errno == ENOENT || errno == ENOTDIR ? UP_MISSING : UP_WRITE, "%s: %s", path,
                       strerror(errno));
    if (fstat(fd, st) < 0 || !S_ISREG(st->st_mode)) {
        close(fd);
        return up_fail(err, UP_MISSING, "%s: not a regular file", path);
    }
    return fd;
}

/* The response for the open file fd, which it takes over; -1 if out of memory. */
static int make(struct up_http_answer *out, int fd, uint64_t size, const char *tag,
                const struct up_http_conditions *asked)
{
    bool ranged = asked->get && up_http_text_if_range_holds(asked->if_range, tag);
    struct up_range range = up_http_text_range_parse(ranged ? asked->range : NULL, size);
    char where[80];
    int rc = 0;

    out->length = 0;
    out->fd = -1;
    out->end = range.offset + range.length;
    if (up_http_text_tag_listed(asked->if_none_match, tag))
        out->status = 304;
    else if (range.kind == UP_RANGE_OUTSIDE)
        out->status = 416;
    else
        out->status = range.kind == UP_RANGE_PART ? 206 : 200;

    if (out->status >= 300) {
        out->response = MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
    } else {
        out->length = range.length;
        out->fd = fd;
        out->response = MHD_create_response_from_fd_at_offset64(range.length, fd, range.offset);
    }
    if (!out->response || out->status >= 300)
        close(fd);
    if (!out->response)
        return -1;

    if (out->status == 206)
        snprintf(where, sizeof where, "Content-Range: bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64, range.offset,
                 range.offset + range.length - 1, size);
    else
        snprintf(where, sizeof where, "Content-Range: bytes */%" PRIu64, size);
    if (out->status == 206 || out->status == 416)
        rc = up_http_answer_add_header(out->response, where);
    if (rc == 0 && (MHD_add_response_header(out->response, "ETag", tag) != MHD_YES ||
                    MHD_add_response_header(out->response, "Accept-Ranges", "bytes") != MHD_YES))
        rc = -1;
    if (rc < 0)
        MHD_destroy_response(out->response);
    return rc;
}

bool up_http_answer_cut(int fd, uint64_t end)
{
    struct stat st;

    return fstat(fd, &st) == 0 && (uint64_t)st.st_size < end;
}

int up_http_answer_file(struct up_http_answer *out, const char *path, const char *tag,
                        const struct up_http_conditions *asked, struct up_error *err)
{
    struct stat st;
    char quoted[160];
    int fd = open_served(path, &st, err);

    if (fd < 0)
        return fd;
    if (tag)
        snprintf(quoted, sizeof quoted, "\"%.150s\"", tag);
    else
        snprintf(quoted, sizeof quoted, "\"%" PRIx64 "-%" PRIx64 "%08lx\"", (uint64_t)st.st_size,
                 (uint64_t)st.st_mtim.tv_sec, (unsigned long)st.st_mtim.tv_nsec);
    if (make(out, fd, (uint64_t)st.st_size, quoted, asked) < 0)
        return up_fail(err, UP_INTERNAL, "%s: cannot create the response", path);
    return 0;
}
