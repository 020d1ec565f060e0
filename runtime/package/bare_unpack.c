#include "bare_unpack.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bare_child.h"
#include "bare_look.h"
#include "bytes.h"
#include "confined.h"
#include "error.h"
#include "manifest.h"
#include "printable.h"
#include "program.h"
#include "storage.h"
#include "update_ini.h"

#define RECORDS_A_CALL 32 /* before the caller gets a turn */
#define HEAD 5            /* bytes before those of a record */
#define END_MS 1000       /* to exit in, once its pipe is closed */

struct up_bare_unpack {
    struct up_storage *storage;
    char dir[UP_PATH_SIZE];
    bool hotfix;
    pid_t pid; /* 0 once reaped */
    int status;
    int from;       /* our end of its pipe; -1 once closed */
    uint64_t heard; /* monotonic milliseconds of the last byte */
    int file;       /* the one that is written; -1: none */
    uint64_t at;    /* its next byte */
    uint64_t bytes; /* of all files */
    unsigned files;
    bool whole; /* the process has sent the end */
    size_t have;
    uint8_t record[HEAD + UP_BARE_RECORD];
};

static int cannot(struct up_bare_unpack *u, const char *what, struct up_error *err)
{
    return up_fail(err, up_code_of_errno(errno, UP_WRITE), "%s: %s: %s", u->dir, what, strerror(errno));
}

static int make_dir(struct up_bare_unpack *u, struct up_error *err)
{
    int rc = up_storage_remove_tree(u->storage, u->dir, err);

    if (rc == 0 && u->storage->ops->mkdir(u->storage, u->dir, 0700) < 0)
        rc = cannot(u, "mkdir", err);
    return rc;
}

static int start(struct up_bare_unpack *u, const char *program, const char *user, const char *archive,
                 struct up_error *err)
{
    int in = u->storage->ops->open(u->storage, archive, UP_READ, 0), ends[2] = {-1, -1}, flags;
    int why = 0;

    if (in < 0)
        return up_fail(err, errno == ENOENT ? UP_MISSING : UP_WRITE, "%s: %s", archive, strerror(errno));
    if (up_confined_pipe(ends) < 0)
        why = errno;
    u->from = ends[0];
    flags = why ? 0 : fcntl(u->from, F_GETFL);
    if (!why && (flags < 0 || fcntl(u->from, F_SETFL, flags | O_NONBLOCK) < 0))
        why = errno;
    if (!why)
        why = up_confined_start(&u->pid, program, u->hotfix ? "--unpack-hotfix" : "--unpack", user, in,
                                ends[1]);
    if (why)
        u->pid = 0;
    if (ends[1] >= 0)
        close(ends[1]);
    u->storage->ops->close(u->storage, in);
    return why ? up_fail(err, UP_INTERNAL, "unpacking: %s: %s", program, strerror(why)) : 0;
}

int up_bare_unpack_start(struct up_bare_unpack **out, struct up_storage *storage, const char *program,
                         const char *user, const char *archive, const char *dir, bool hotfix,
                         struct up_error *err)
{
    struct up_bare_unpack *u = calloc(1, sizeof *u);
    int rc = 0;

    if (!u)
        return up_fail(err, UP_INTERNAL, "%s: out of memory", archive);
    u->storage = storage;
    u->hotfix = hotfix;
    u->from = u->file = -1;
    u->heard = storage->ops->monotonic(storage);
    if ((size_t)snprintf(u->dir, sizeof u->dir, "%s", dir) >= sizeof u->dir)
        rc = up_fail(err, UP_USAGE, "%s: the path is too long", dir);
    if (rc == 0)
        rc = make_dir(u, err);
    if (rc == 0)
        rc = start(u, program, user, archive, err);
    if (rc < 0)
        up_bare_unpack_close(u);
    else
        *out = u;
    return rc;
}

int up_bare_unpack_fd(const struct up_bare_unpack *u)
{
    return u->from;
}

static int close_file(struct up_bare_unpack *u, struct up_error *err)
{
    int file = u->file;

    u->file = -1;
    if (file >= 0 && u->storage->ops->close(u->storage, file) < 0)
        return cannot(u, "close", err);
    return 0;
}

/* Whether the folder of a files part, or of a hotfix, can have this name. */
static bool is_name(const struct up_bare_unpack *u, const char *name, size_t len)
{
    if (u->hotfix)
        return strlen(name) == len && up_bare_look_is_hotfix_name(name);
    return len > 0 && len <= UP_UPDATE_INI_NAME_MAX && strlen(name) == len && !strchr(name, '/') &&
           strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

/* The directories above a file. */
static int make_dirs(struct up_bare_unpack *u, char *path, struct up_error *err)
{
    for (char *at = strchr(path + strlen(u->dir) + 1, '/'); at; at = strchr(at + 1, '/')) {
        int made;

        *at = '\0';
        made = u->storage->ops->mkdir(u->storage, path, 0700);
        if (made < 0 && errno != EEXIST)
            return cannot(u, path, err);
        *at = '/';
    }
    return 0;
}

static int take_name(struct up_bare_unpack *u, const uint8_t *bytes, size_t len, struct up_error *err)
{
    char name[UP_BARE_NAME_MAX + 1] = "", path[UP_PATH_SIZE + sizeof name];

    if (close_file(u, err) < 0)
        return err->code;
    if (len < sizeof name)
        memcpy(name, bytes, len);
    if (!is_name(u, name, len) || ++u->files > UP_UPDATE_INI_LINES_MAX + 1)
        return up_fail(err, UP_UNTRUSTED, "%s: a name that no %s can have, or too many", name,
                       u->hotfix ? "hotfix" : UP_UPDATE_INI);
    snprintf(path, sizeof path, "%s/%s", u->dir, name);
    if (make_dirs(u, path, err) < 0)
        return err->code;
    u->file = u->storage->ops->open(u->storage, path, UP_WRITE_ONLY_NEW, 0600);
    u->at = 0;
    if (u->file < 0 && (errno == EEXIST || errno == EISDIR || errno == ENOTDIR))
        return up_fail(err, UP_UNTRUSTED, "%s: two files of that name", name);
    return u->file < 0 ? cannot(u, name, err) : 0;
}

static int take_content(struct up_bare_unpack *u, const uint8_t *bytes, size_t len, struct up_error *err)
{
    u->bytes += len;
    if (u->file < 0 || u->bytes > (u->hotfix ? UP_HOTFIX_MAX : UP_BARE_BYTES))
        return up_fail(err, UP_UNTRUSTED, "content without a file, or too much of it");
    if (u->storage->ops->pwrite(u->storage, u->file, bytes, len, u->at) < 0)
        return cannot(u, "write", err);
    u->at += len;
    return 0;
}

/* The reason that the process gives, if it is valid. */
static int take_refusal(const uint8_t *bytes, size_t len, struct up_error *err)
{
    char text[sizeof err->message] = "";

    if (len > 1)
        memcpy(text, bytes + 1, len - 1 < sizeof text ? len - 1 : sizeof text - 1);
    if (len > 0 && bytes[0] == 'C')
        return up_fail(err, UP_CORRUPT, "%s", text);
    return up_fail(err, len > 0 && bytes[0] == 'I' ? UP_INTERNAL : UP_UNTRUSTED, "%s", text);
}

static int take_record(struct up_bare_unpack *u, char letter, const uint8_t *bytes, size_t len,
                       struct up_error *err)
{
    if (u->whole)
        return up_fail(err, UP_UNTRUSTED, "more after the end");
    switch (letter) {
    case 'N':
        return take_name(u, bytes, len, err);
    case 'D':
        return take_content(u, bytes, len, err);
    case 'X':
        return take_refusal(bytes, len, err);
    case 'E':
        u->whole = true;
        return close_file(u, err);
    default:
        return up_fail(err, UP_UNTRUSTED, "the process that unpacks sent an invalid record");
    }
}

static void reap(struct up_bare_unpack *u)
{
    if (u->pid == 0)
        return;
    up_program_kill(u->pid, false, &u->status);
    u->pid = 0;
}

/* Its pipe has ended. The process gets some time to exit by itself. */
static int finish(struct up_bare_unpack *u, struct up_error *err)
{
    if (u->pid && up_program_wait(u->pid, END_MS, &u->status) < 0) {
        if (errno == ETIMEDOUT)
            return up_fail(err, UP_UNTRUSTED, "the process that unpacks closed its pipe and does not exit");
        return up_fail(err, UP_INTERNAL, "unpacking: %s", strerror(errno));
    }
    u->pid = 0;
    if (WIFSIGNALED(u->status))
        return up_fail(err, UP_UNTRUSTED, "the process that unpacks was killed: %s",
                       WTERMSIG(u->status) == SIGSYS ? "a system call that it may not make"
                                                     : strsignal(WTERMSIG(u->status)));
    if (!u->whole || u->have > 0 || WEXITSTATUS(u->status) != 0)
        return up_fail(err, UP_UNTRUSTED, "the process that unpacks ended too early");
    return 0;
}

/* More of the current record: its number of bytes, 0 at the end, UP_AGAIN, or an error. */
static int receive(struct up_bare_unpack *u, size_t need, struct up_error *err)
{
    uint64_t now = u->storage->ops->monotonic(u->storage);
    ssize_t n;

    do
        n = read(u->from, u->record + u->have, need - u->have);
    while (n < 0 && errno == EINTR);
    if (n > 0) {
        u->heard = now;
        u->have += (size_t)n;
        return (int)n;
    }
    if (n < 0 && errno != EAGAIN)
        return up_fail(err, UP_INTERNAL, "unpacking: %s", strerror(errno));
    if (n < 0 && now - u->heard > UP_BARE_WALL_MS)
        return up_fail(err, UP_UNTRUSTED, "the process that unpacks does not respond");
    return n < 0 ? UP_AGAIN : 0;
}

/* One record, or a piece of it: 1, 0 at the end, UP_AGAIN, or an error. */
static int step(struct up_bare_unpack *u, struct up_error *err)
{
    uint32_t len = u->have >= HEAD ? up_get32(u->record + 1) : 0;
    size_t need = HEAD + (size_t)len;
    int rc;

    if (len > UP_BARE_RECORD)
        return up_fail(err, UP_UNTRUSTED, "the process that unpacks sent a record that is too long");
    if (u->have < need) {
        rc = receive(u, need, err);
        if (rc <= 0 || u->have < need || (need == HEAD && up_get32(u->record + 1) > 0))
            return rc > 0 ? 1 : rc;
    }
    rc = take_record(u, (char)u->record[0], u->record + HEAD, len, err);
    u->have = 0;
    return rc < 0 ? rc : 1;
}

int up_bare_unpack_step(struct up_bare_unpack *u, struct up_error *err)
{
    int rc = 1;

    for (int n = 0; n < RECORDS_A_CALL && rc > 0; n++)
        rc = step(u, err);
    if (rc == 0)
        rc = finish(u, err);
    if (rc > 0)
        return UP_AGAIN;
    if (rc < 0 && rc != UP_AGAIN)
        reap(u);
    return rc;
}

void up_bare_unpack_close(struct up_bare_unpack *u)
{
    struct up_error ignored;

    if (!u)
        return;
    reap(u);
    (void)!close_file(u, &ignored);
    if (u->from >= 0)
        close(u->from);
    free(u);
}
