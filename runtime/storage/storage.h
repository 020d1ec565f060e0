/*
 * storage.h -- the seam: every durable effect and every clock of the C side.
 *
 * Mechanism never calls the system for these directly; it goes through this
 * table, so that the crash simulator (spec/crash) can take the system's place
 * and cut the power at every single operation. What is not durable (sockets,
 * processes, memory) does not pass here.
 *
 * All functions return 0 (or a count) or -1 with errno set. Paths are
 * NUL-terminated; a file is a small non-negative number that is only
 * meaningful to the storage that gave it. Bytes are not durable until
 * sync() of the file, names not until sync_dir() of their directory.
 */
#ifndef UP_STORAGE_H
#define UP_STORAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"

/* Paths, NUL included. Whoever joins one sees that it fits, or says why it always does. */
#define UP_PATH_SIZE 4096

enum up_open_flags {
    UP_READ = 0,
    UP_WRITE_ONLY_NEW = 1, /* read and write; create, fail with EEXIST */
    UP_UPDATE = 2,         /* read and write; must exist */
    UP_CREATE = 4,         /* read and write; create when missing, keep content */
    UP_EXCLUSIVE = 8       /* with UP_UPDATE, on a block device: O_EXCL */
};

enum up_node_kind { UP_NODE_FILE, UP_NODE_DIR, UP_NODE_LINK, UP_NODE_BLOCK, UP_NODE_CHAR, UP_NODE_OTHER };

struct up_stat {
    enum up_node_kind kind;
    uint64_t size;   /* bytes; for a block device, its capacity */
    unsigned mode;   /* permission bits */
    uint64_t device; /* of the file system it lies on */
    uint64_t inode;
    uint32_t owner, group;
    bool mount_point; /* stat_at() alone tells it: of a bind mount, too */
    bool fixed;       /* immutable or append-only; stat_at(), and stat_file() of a directory, tell it */
};

/* What an entry of a directory handle is called: one name, no '/', neither "." nor "..". */
#define UP_ENTRY_SIZE 256

#define UP_NO_DIR (-1) /* for open_dir() */

/* One variable of the boot loader's environment. "" means that there is none of this name. */
#define UP_BOOT_VALUE_SIZE 64
struct up_boot_variable {
    const char *name;
    char value[UP_BOOT_VALUE_SIZE];
};

enum up_flash_kind {
    UP_FLASH_NONE, /* no flash: a file, a block device, another character device */
    UP_FLASH_NOR,  /* raw MTD: erase, then write; no bad blocks */
    UP_FLASH_NAND, /* raw MTD: erase, then write whole pages once and in order; some blocks are bad */
    UP_FLASH_UBI   /* a UBI volume, replaced as a whole */
};

struct up_flash {
    enum up_flash_kind kind;
    uint64_t size;       /* bytes, those of bad blocks included */
    uint32_t erase_size; /* bytes that are erased together; UBI: of a logical block */
    uint32_t write_size; /* least bytes that are written together */
    bool writable;
};

enum up_mounted {
    UP_NOT_MOUNTED,
    UP_MOUNTED,         /* every mount of it is read-only: its content stays what it is */
    UP_MOUNTED_WRITABLE /* its content may change at any time */
};

/*
 * What a path lies on: itself, then what is below it, down to the whole disk or
 * flash. Two paths have a medium in common when one of them is in the other's
 * list, or when both show overlapping parts of one file or device, as two loop
 * devices may. Numbers are those of this boot of the kernel.
 */
enum up_medium_kind {
    UP_ON_FILE,  /* number: of the file system; second: inode */
    UP_ON_BLOCK, /* number: of the device */
    UP_ON_MTD,   /* number: n of mtd<n> */
    UP_ON_UBI,   /* number, second: of ubi<number>_<second> */
    UP_ON_OTHER  /* number: of a character device */
};

#define UP_MEDIUM_DEPTH 24
#define UP_IDENTITY_SIZE 160 /* NUL included */

struct up_medium {
    /* The same at every boot, whatever order devices are found in: "PARTUUID=...", "DM=...",
     * "MTD=..." or "UBI=..." and a name; "" where there is none, as of files. Cut to fit. */
    char identity[UP_IDENTITY_SIZE];
    uint64_t from,
        to; /* a loop device: the bytes of on[1] that it shows, `to` is beyond them; 0, 0: no loop device */
    unsigned count;
    struct up_medium_part {
        enum up_medium_kind kind;
        uint64_t number, second;
    } on[UP_MEDIUM_DEPTH];
};

/* How reads after drop_cache() come by what the medium holds. */
enum up_read_back {
    UP_READ_DIRECT = 0, /* past the cache (O_DIRECT) */
    UP_READ_DROPPED,    /* through the cache, of which nothing in the range was left */
    UP_READ_CACHED      /* part of it could not be dropped, or that cannot be told */
};

struct up_storage; /* what the functions are handed; first member of an implementation */

/* Called once a name; return 0 to go on, anything else to stop. */
typedef int up_list_fn(void *user, const char *name, enum up_node_kind kind);

struct up_storage_ops {
    int (*open)(struct up_storage *s, const char *path, unsigned flags, unsigned mode);
    int (*close)(struct up_storage *s, int file);
    /* Bytes read, fewer than asked only at the end of the file. */
    long long (*pread)(struct up_storage *s, int file, void *buf, size_t len, uint64_t offset);
    /* All of it or -1: a short write is finished or reported (ENOSPC). */
    int (*pwrite)(struct up_storage *s, int file, const void *buf, size_t len, uint64_t offset);
    int (*sync)(struct up_storage *s, int file);
    int (*sync_dir)(struct up_storage *s, const char *path);
    int (*rename)(struct up_storage *s, const char *from, const char *to);
    int (*link)(struct up_storage *s, const char *from, const char *to);
    int (*unlink)(struct up_storage *s, const char *path);
    int (*mkdir)(struct up_storage *s, const char *path, unsigned mode);
    int (*rmdir)(struct up_storage *s, const char *path);
    int (*symlink)(struct up_storage *s, const char *target, const char *path);
    /* Length of the target, cut to len - 1 and NUL-terminated. */
    int (*readlink)(struct up_storage *s, const char *path, char *buf, size_t len);
    int (*chmod)(struct up_storage *s, const char *path, unsigned mode);
    /* Does not follow a final symbolic link. */
    int (*stat)(struct up_storage *s, const char *path, struct up_stat *out);
    /* The same of an open file, which was found through links. */
    int (*stat_file)(struct up_storage *s, int file, struct up_stat *out);
    /* Free bytes for an unprivileged writer in the file system that holds path. */
    int (*space)(struct up_storage *s, const char *path, uint64_t *free_bytes);
    /* In no order, without "." and "..". fn may remove the entry it was given. */
    int (*list)(struct up_storage *s, const char *path, up_list_fn *fn, void *user);

    /*
     * Trees of others: by a directory handle, so that nobody who changes the
     * tree meanwhile leads a step elsewhere. No link is followed, the last name's
     * neither (ELOOP). sync(), stat_file(), close() and set_attributes() take such a
     * handle, too.
     */

    /* The directory at `path` below `dir` ("" or "." is dir itself). It does not leave dir: EXDEV
     * for "..". EXDEV, too, when `one_mount` and a mount lies on the way, or at its end. `dir`
     * UP_NO_DIR: an absolute path, where links are followed. */
    int (*open_dir)(struct up_storage *s, int dir, const char *path, bool one_mount);
    int (*open_at)(struct up_storage *s, int dir, const char *name, unsigned flags, unsigned mode);
    int (*stat_at)(struct up_storage *s, int dir, const char *name, struct up_stat *out);
    int (*list_at)(struct up_storage *s, int dir, up_list_fn *fn, void *user);
    /* Within the directory. A rename of one of two names of one file onto the other does nothing. */
    int (*rename_at)(struct up_storage *s, int dir, const char *from, const char *to);
    int (*link_at)(struct up_storage *s, int dir, const char *from, const char *to);
    int (*unlink_at)(struct up_storage *s, int dir, const char *name);
    int (*rmdir_at)(struct up_storage *s, int dir, const char *name);
    int (*mkdir_at)(struct up_storage *s, int dir, const char *name, unsigned mode);
    /* Free bytes in the file system that holds the handle. */
    int (*space_at)(struct up_storage *s, int dir, uint64_t *free_bytes);
    /* Owner, group and mode of an open file or directory. */
    int (*set_attributes)(struct up_storage *s, int file, uint32_t owner, uint32_t group, unsigned mode);
    /* The same as another file has them, and all its extended attributes that can be read, access
     * lists among them. */
    int (*copy_attributes)(struct up_storage *s, int file, int from);

    int (*truncate)(struct up_storage *s, int file, uint64_t size);
    /* Make a range read as zeros; the file grows when the range ends past it. */
    int (*zero_range)(struct up_storage *s, int file, uint64_t offset, uint64_t len);
    /* Write back, and have every pread of the range through this file come from
     * the medium until something is written through it. An enum up_read_back:
     * some file systems have no other way than the cache; or -1. */
    int (*drop_cache)(struct up_storage *s, int file, uint64_t offset, uint64_t len);
    /* Start writing the range back without waiting: a hint, never durable. */
    int (*start_writeback)(struct up_storage *s, int file, uint64_t offset, uint64_t len);
    /* Exclusive, dies with the process; EWOULDBLOCK when another holds it. */
    int (*lock)(struct up_storage *s, int file);
    /* Whether the block device, regular file or flash at path is mounted
     * (itself or through what lies on it): an enum up_mounted, or -1. */
    int (*mounted)(struct up_storage *s, const char *path);
    /* What the file, directory or device at path (links are followed) lies on. */
    int (*medium)(struct up_storage *s, const char *path, struct up_medium *out);

    /* Variables of the U-Boot environment that the file at `config` describes, as
     * fw_env.config(5) does. Get fills the values of all that are named, from
     * one state of the environment; set changes all of them in one durable
     * write: after a power cut either all are as they were or all are new.
     * ENODATA no copy of the environment is valid; EOPNOTSUPP (set) there is but
     * one copy, so that a write cut short would lose it; ERANGE a value that is
     * there is longer than UP_BOOT_VALUE_SIZE - 1. */
    int (*boot_get)(struct up_storage *s, const char *config, struct up_boot_variable *variables,
                    size_t count);
    int (*boot_set)(struct up_storage *s, const char *config, const struct up_boot_variable *variables,
                    size_t count);

    /*
     * Raw flash and UBI volumes: open character devices. What was erased or
     * written when a call returned is on the medium; there is no cache. A
     * range that cannot be corrected reads as garbage or fails (EIO, EBADMSG).
     */

    /* What kind of flash it is; kind UP_FLASH_NONE and 0 when it is none. */
    int (*flash_info)(struct up_storage *s, int file, struct up_flash *out);
    /* Whether the erase block at offset is bad: 1, 0 or -1. */
    int (*flash_bad)(struct up_storage *s, int file, uint64_t offset);
    /* Erase one block; EIO when it has gone bad. */
    int (*flash_erase)(struct up_storage *s, int file, uint64_t offset, uint32_t erase_size);
    /* Never use the block again; EOPNOTSUPP where blocks cannot go bad. */
    int (*flash_mark_bad)(struct up_storage *s, int file, uint64_t offset);
    /* Begin to replace a UBI volume by `size` bytes, which follow in order by
     * pwrite. Until the last of them the volume reads as damaged (EBADF, EBUSY). */
    int (*flash_update)(struct up_storage *s, int file, uint64_t size);

    /* Identity of this boot of the kernel, NUL-terminated, at most 36 characters. */
    int (*boot_id)(struct up_storage *s, char out[37]);
    uint64_t (*now)(struct up_storage *s); /* system clock, seconds since 1970 */
    /* Whether the kernel says that somebody (NTP, GPS) keeps the system clock right. */
    bool (*synchronised)(struct up_storage *s);
    uint64_t (*monotonic)(struct up_storage *s); /* milliseconds, from any origin */
    int (*random)(struct up_storage *s, void *buf, size_t len);
    /* Run the restart command (NULL-terminated) and wait for it to end; -1 with
     * ECANCELED when it fails. The device may go down before this returns. */
    int (*restart)(struct up_storage *s, char *const argv[]);
};

struct up_storage {
    const struct up_storage_ops *ops;
};

/* The operating system. Static, shared, never freed. */
struct up_storage *up_storage_system(void);

/* "past the cache" and the like, for a log and for people. */
const char *up_read_back_text(enum up_read_back how);

/*
 * Conveniences over the table. They fill err with the path and the cause.
 */

/* Read a whole file of at most `limit` bytes into a fresh NUL-terminated
 * buffer; *len may be NULL. The caller frees it.
 * Errors: UP_MISSING no such file; UP_USAGE larger than limit; UP_INTERNAL no
 * memory; UP_WRITE else. err may be NULL. */
UP_MUST_CHECK int up_storage_read_file(struct up_storage *s, const char *path, size_t limit, char **out,
                                       size_t *len, struct up_error *err);

/* Create `path` whole and durable, or not at all: written as path.new, synced,
 * renamed, directory synced. The umask applies to mode. When only the last
 * sync fails, the new content is in place but a power cut may undo it.
 * Errors: UP_NOSPACE, UP_WRITE. */
UP_MUST_CHECK int up_storage_write_file(struct up_storage *s, const char *path, const void *data, size_t len,
                                        unsigned mode, struct up_error *err);

/* The same without a sync: whole as long as the power stays, and after a power
 * cut perhaps the old content, or none. */
UP_MUST_CHECK int up_storage_replace_file(struct up_storage *s, const char *path, const void *data,
                                          size_t len, unsigned mode, struct up_error *err);

/* What doctor asks of a directory: a file of 4 KiB is made in it, synced, read
 * back and removed. *sync_ms is how long the sync took, by the storage's clock.
 * An enum up_read_back. Errors: UP_NOSPACE no bytes or no inode; UP_WRITE, also
 * when something else came back. */
UP_MUST_CHECK int up_storage_try(struct up_storage *s, const char *dir, uint64_t *sync_ms,
                                 struct up_error *err);

/* Remove a tree, or nothing when path does not exist; links are not followed.
 * Not durable until the parent is synced. Errors: UP_WRITE. */
UP_MUST_CHECK int up_storage_remove_tree(struct up_storage *s, const char *path, struct up_error *err);

/* mkdir unless it is there as a directory; the parent is synced when made. */
UP_MUST_CHECK int up_storage_make_dir(struct up_storage *s, const char *path, unsigned mode,
                                      struct up_error *err);

/* Sync the directory that holds `path`. */
UP_MUST_CHECK int up_storage_sync_parent(struct up_storage *s, const char *path, struct up_error *err);

#endif
