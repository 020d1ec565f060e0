/*
 * database.h -- opens a server's SQLite database, private and durable, and says in our words what failed.
 *
 * What a statement does is SQLite's own: bindings/database.c.
 */
#ifndef UP_DATABASE_H
#define UP_DATABASE_H

#include <stdbool.h>

#include "error.h"

struct sqlite3;

struct up_database {
    struct sqlite3 *db; /* NULL: not open */
    int timeout;        /* ms to wait for a lock; set before open */
};

/*
 * Open it; created if missing, unless read-only, with mode 0600, for the folder's owner. Every commit is
 * durable. `wal`: with a write-ahead log. ":memory:" is one that ends with its handle. `d` must stay where it
 * is until close; db is NULL after an error.
 *
 * Errors: UP_BUSY the lock was held for longer than the timeout; UP_CORRUPT; UP_WRITE; UP_NOSPACE;
 * UP_INTERNAL no memory.
 */
UP_MUST_CHECK int up_database_open(struct up_database *d, const char *path, bool readonly, bool wal,
                                   struct up_error *err);

/* Fill err for what SQLite answered, and give its code: "<file>: <cause>". UP_CORRUPT is also what a prepared
 * statement finds when its tables have changed. */
int up_database_failed(struct sqlite3 *db, int rc, struct up_error *err);

/* Safe to call twice. Statements that are left keep the file and its locks. */
void up_database_close(struct up_database *d);

#endif
