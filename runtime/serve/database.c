#include "database.h"

#include <fcntl.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "error.h"

static int code_of(int rc)
{
    switch (rc & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return UP_BUSY;
    case SQLITE_FULL:
        return UP_NOSPACE;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_ERROR:
        return UP_CORRUPT;
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_IOERR:
        return UP_WRITE;
    default:
        return UP_INTERNAL;
    }
}

static const char *name_of(sqlite3 *db)
{
    const char *name = sqlite3_db_filename(db, "main");

    return name && *name ? name : "database";
}

int up_database_failed(sqlite3 *db, int rc, struct up_error *err)
{
    return up_fail(err, code_of(rc), "%s: %s", name_of(db), sqlite3_errmsg(db));
}

/* Look every millisecond. SQLite's own handler waits up to 100 ms between two
 * looks, and would miss the moments in which a busy depot lets others write. */
static int wait_for_lock(void *arg, int looks)
{
    const struct up_database *d = arg;
    const struct timespec pause = {.tv_nsec = 1000000};

    if (looks >= d->timeout)
        return 0;
    nanosleep(&pause, NULL);
    return 1;
}

static int configure(sqlite3 *db, bool readonly, bool wal)
{
    int rc = sqlite3_extended_result_codes(db, 1);

    sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    if (rc == SQLITE_OK && wal && !readonly)
        rc = sqlite3_exec(db, "PRAGMA journal_mode = WAL", NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(db, "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON", NULL, NULL, NULL);
    return rc;
}

/* A database created by root belongs to the folder's owner: an action by hand
 * must not lock out the service. */
static void give_to_owner(int fd, const char *path)
{
    const char *slash = strrchr(path, '/');
    char folder[PATH_MAX] = ".";
    struct stat st;

    if (slash && (size_t)(slash - path) < sizeof folder)
        snprintf(folder, sizeof folder, "%.*s/", (int)(slash - path), path);
    if (geteuid() == 0 && stat(folder, &st) == 0 && fchown(fd, st.st_uid, st.st_gid) < 0)
        return; /* a file system without owners */
}

/* An empty file is an empty database; it is created here, so that nobody else
 * may read what is written to it. An existing file is not opened, because
 * closing it would give up the locks that this process holds on it. */
static void make_private(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (fd >= 0) {
        give_to_owner(fd, path);
        close(fd);
    }
}

int up_database_open(struct up_database *d, const char *path, bool readonly, bool wal, struct up_error *err)
{
    int flags = readonly ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, rc;

    if (!readonly && strcmp(path, ":memory:") != 0)
        make_private(path);
    rc = sqlite3_open_v2(path, &d->db, flags, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_busy_handler(d->db, wait_for_lock, d);
    if (rc == SQLITE_OK)
        rc = configure(d->db, readonly, wal);
    if (rc == SQLITE_OK)
        return 0;
    up_fail(err, code_of(rc), "%s: %s", path, d->db ? sqlite3_errmsg(d->db) : "out of memory");
    up_database_close(d);
    return err->code;
}

void up_database_close(struct up_database *d)
{
    sqlite3_close_v2(d->db);
    d->db = NULL;
}
