/*
 * storage.h -- the interface for every durable effect and every clock in C.
 *
 * Other code never calls the system for these directly but goes through this
 * table, so that the crash simulator (spec/crash) can take the system's place
 * and cut the power at every single operation. What is not durable (sockets,
 * processes, memory) does not go through here.
 *
 * All functions return 0 (or a count), or -1 with errno set. Paths are
 * NUL-terminated; a file is a small non-negative number that is valid only for
 * the storage that returned it. Bytes are not durable until sync() of the file,
 * names not until sync_dir() of their directory.
 */
#ifndef UP_STORAGE_H
#define UP_STORAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"

/* Size of a path, NUL included. Code that joins paths checks that they fit, or
 * says why they always do. */
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
    bool mount_point; /* set only by stat_at(), also for a bind mount */
    bool fixed;       /* immutable or append-only; set by stat_at(), and by stat_file() of a directory */
};

/* The name of an entry of a directory handle: one component, no '/', neither "." nor "..". */
#define UP_ENTRY_SIZE 256

struct up_space {
    uint64_t bytes; /* for an unprivileged writer */
    uint64_t files; /* how many more there may be; UINT64_MAX where the file system does not count them */
    bool moves;     /* even renaming takes room: what is there is never written over */
    bool copies;    /* an overlay: what gets another name is copied before */
};

#define UP_NO_DIR (-1) /* for open_dir() */

/* One variable of the boot loader's environment. "": there is none with this name. */
#define UP_BOOT_VALUE_SIZE 64
struct up_boot_variable {
    const char *name;
    char value[UP_BOOT_VALUE_SIZE];
};

enum up_flash_kind {
    UP_FLASH_NONE, /* not flash: a file, a block device, another character device */
    UP_FLASH_NOR,  /* raw MTD: erase, then write; no bad blocks */
    UP_FLASH_NAND, /* raw MTD: erase, then write whole pages once and in order; some blocks are bad */
    UP_FLASH_UBI   /* a UBI volume, replaced as a whole */
};

struct up_flash {
    enum up_flash_kind kind;
    uint64_t size;       /* bytes, those of bad blocks included */
    uint32_t erase_size; /* bytes of an erase block; UBI: of a logical block */
    uint32_t write_size; /* smallest unit of writing in bytes */
    bool writable;
};

enum up_mounted {
    UP_NOT_MOUNTED,
    UP_MOUNTED,         /* all its mounts are read-only: its content does not change */
    UP_MOUNTED_WRITABLE /* its content may change at any time */
};

/*
 * What a path is on: the medium itself, then what is below it, down to the
 * whole disk or flash. Two paths share a medium if one of them is in the
 * other's list, or if both show overlapping parts of one file or device, as two
 * loop devices can. Numbers are those of this boot of the kernel.
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
    /* The same at every boot, in whatever order devices are found:
     * "PARTUUID=...", "DM=...", "MTD=..." or "UBI=..." and a name; "" if there
     * is none, as for files. Cut to fit. */
    char identity[UP_IDENTITY_SIZE];
    uint64_t from,
        to; /* a loop device: the bytes of on[1] that it shows, `to` is beyond them; 0, 0: no loop device */
    unsigned count;
    struct up_medium_part {
        enum up_medium_kind kind;
        uint64_t number, second;
    } on[UP_MEDIUM_DEPTH];
};

/* How reads after drop_cache() get the medium's content. */
enum up_read_back {
    UP_READ_DIRECT = 0, /* past the cache (O_DIRECT) */
    UP_READ_DROPPED,    /* through the cache, after everything in the range was dropped */
    UP_READ_CACHED      /* part of it could not be dropped, or that is not known */
};

struct up_storage; /* passed to all functions; first member of an implementation */

/* Called for each name; return 0 to go on, anything else to stop. */
typedef int up_list_fn(void *user, const char *name, enum up_node_kind kind);

struct up_storage_ops {
    int (*open)(struct up_storage *s, const char *path, unsigned flags, unsigned mode);
    int (*close)(struct up_storage *s, int file);
    /* Bytes read, fewer than requested only at the end of the file. */
    long long (*pread)(struct up_storage *s, int file, void *buf, size_t len, uint64_t offset);
    /* Everything or -1: a short write is continued or reported (ENOSPC). */
    int (*pwrite)(struct up_storage *s, int file, const void *buf, size_t len, uint64_t offset);
    int (*sync)(struct up_storage *s, int file);
    int (*sync_dir)(struct up_storage *s, const char *path);
    int (*rename)(struct up_storage *s, const char *from, const char *to);
    int (*link)(struct up_storage *s, const char *from, const char *to);
    int (*unlink)(struct up_storage *s, const char *path);
    int (*mkdir)(struct up_storage *s, const char *path, unsigned mode);
    int (*rmdir)(struct up_storage *s, const char *path);
    int (*symlink)(struct up_storage *s, const char *target, const char *path);
    /* Length of the target; cut to len - 1 and NUL-terminated. */
    int (*readlink)(struct up_storage *s, const char *path, char *buf, size_t len);
    int (*chmod)(struct up_storage *s, const char *path, unsigned mode);
    /* Does not follow a final symbolic link. */
    int (*stat)(struct up_storage *s, const char *path, struct up_stat *out);
    /* The same for an open file. */
    int (*stat_file)(struct up_storage *s, int file, struct up_stat *out);
    /* Free bytes for an unprivileged writer in the file system of path. */
    int (*space)(struct up_storage *s, const char *path, uint64_t *free_bytes);
    /* In no particular order, without "." and "..". fn may remove the entry it was given. */
    int (*list)(struct up_storage *s, const char *path, up_list_fn *fn, void *user);

    /*
     * For trees that others may change: by directory handle, so that a change
     * meanwhile cannot redirect a step to another place. No link is followed,
     * not even as the last name (ELOOP). sync(), stat_file(), close() and
     * set_attributes() accept such a handle, too.
     */

    /* The directory at `path` below `dir` ("" or "." is dir itself). It cannot
     * leave dir: EXDEV for "..". EXDEV also if `one_mount` is set and there is
     * a mount on the way or at its end. With `dir` UP_NO_DIR: an absolute path,
     * where links are followed. */
    int (*open_dir)(struct up_storage *s, int dir, const char *path, bool one_mount);
    int (*open_at)(struct up_storage *s, int dir, const char *name, unsigned flags, unsigned mode);
    int (*stat_at)(struct up_storage *s, int dir, const char *name, struct up_stat *out);
    int (*list_at)(struct up_storage *s, int dir, up_list_fn *fn, void *user);
    /* Within the directory. Renaming one of two names of one file to the other does nothing. */
    int (*rename_at)(struct up_storage *s, int dir, const char *from, const char *to);
    int (*link_at)(struct up_storage *s, int dir, const char *from, const char *to);
    int (*unlink_at)(struct up_storage *s, int dir, const char *name);
    int (*rmdir_at)(struct up_storage *s, int dir, const char *name);
    int (*mkdir_at)(struct up_storage *s, int dir, const char *name, unsigned mode);
    /* The link `name` in another directory, with its owner. */
    int (*copy_link_at)(struct up_storage *s, int dir, const char *name, int to);
    /* What is free in the file system of the handle. */
    int (*space_at)(struct up_storage *s, int dir, struct up_space *out);
    /* Set owner, group and mode of an open file or directory. */
    int (*set_attributes)(struct up_storage *s, int file, uint32_t owner, uint32_t group, unsigned mode);
    /* The same as of another file, with all extended attributes that can be read,
     * including access lists, and no others: 1 something had to be changed, 0 nothing. */
    int (*copy_attributes)(struct up_storage *s, int file, int from);

    int (*truncate)(struct up_storage *s, int file, uint64_t size);
    /* Make a range read as zeros; the file grows if the range ends past it. */
    int (*zero_range)(struct up_storage *s, int file, uint64_t offset, uint64_t len);
    /* Write back, and let every pread of the range through this file come from
     * the medium until something is written through it. Returns an enum
     * up_read_back, because some file systems can only read through the cache;
     * or -1. */
    int (*drop_cache)(struct up_storage *s, int file, uint64_t offset, uint64_t len);
    /* Start writing the range back without waiting: a hint, does not make it durable. */
    int (*start_writeback)(struct up_storage *s, int file, uint64_t offset, uint64_t len);
    /* Exclusive, ends with the process; EWOULDBLOCK if another process holds it. */
    int (*lock)(struct up_storage *s, int file);
    /* Whether the block device, regular file or flash at path is mounted,
     * directly or through a device on top of it: an enum up_mounted, or -1. */
    int (*mounted)(struct up_storage *s, const char *path);
    /* What the file, directory or device at path (links are followed) is on. */
    int (*medium)(struct up_storage *s, const char *path, struct up_medium *out);

    /* Variables of the U-Boot environment described by the file `config`, see
     * fw_env.config(5). Get fills in the values of all given names, from one
     * state of the environment; set changes all of them in one durable write:
     * after a power cut either all are old or all are new. ENODATA no copy of
     * the environment is valid; EOPNOTSUPP (set) there is only one copy, so
     * that an interrupted write would lose it; ERANGE an existing value is
     * longer than UP_BOOT_VALUE_SIZE - 1. */
    int (*boot_get)(struct up_storage *s, const char *config, struct up_boot_variable *variables,
                    size_t count);
    int (*boot_set)(struct up_storage *s, const char *config, const struct up_boot_variable *variables,
                    size_t count);

    /*
     * Raw flash and UBI volumes, as open character devices. What was erased or
     * written is on the medium when the call returns; there is no cache. A
     * range that cannot be corrected reads as garbage or fails (EIO, EBADMSG).
     */

    /* The kind of flash; UP_FLASH_NONE and 0 if it is none. */
    int (*flash_info)(struct up_storage *s, int file, struct up_flash *out);
    /* Whether the erase block at offset is bad: 1, 0 or -1. */
    int (*flash_bad)(struct up_storage *s, int file, uint64_t offset);
    /* Erase one block; EIO if it has gone bad. */
    int (*flash_erase)(struct up_storage *s, int file, uint64_t offset, uint32_t erase_size);
    /* Mark the block bad, so that it is never used again; EOPNOTSUPP where blocks cannot go bad. */
    int (*flash_mark_bad)(struct up_storage *s, int file, uint64_t offset);
    /* Begin to replace a UBI volume by `size` bytes, which follow in order by
     * pwrite. Until the last of them the volume reads as damaged (EBADF,
     * EBUSY). */
    int (*flash_update)(struct up_storage *s, int file, uint64_t size);

    /* The identifier of this boot of the kernel, NUL-terminated, at most 36 characters. */
    int (*boot_id)(struct up_storage *s, char out[37]);
    uint64_t (*now)(struct up_storage *s); /* system clock, seconds since 1970 */
    /* Whether the kernel reports that the system clock is synchronised (NTP, GPS). */
    bool (*synchronised)(struct up_storage *s);
    uint64_t (*monotonic)(struct up_storage *s); /* milliseconds from an arbitrary origin */
    /* Milliseconds since the system started; goes on while it is suspended, in contrast to monotonic(). */
    uint64_t (*uptime)(struct up_storage *s);
    int (*random)(struct up_storage *s, void *buf, size_t len);
    /* Run the restart command (NULL-terminated); -1 with ECANCELED if it fails within a
     * second. One that takes longer goes on. The device may go down before this returns. */
    int (*restart)(struct up_storage *s, char *const argv[]);
};

struct up_storage {
    const struct up_storage_ops *ops;
};

/* The operating system. Static, shared, never freed. */
struct up_storage *up_storage_system(void);

/* "past the cache" and the like, for a log and for people. */
const char *up_storage_read_back_text(enum up_read_back how);

/*
 * Helper functions on top of the table. They fill err with the path and the
 * cause.
 */

/* Read a whole file of at most `limit` bytes into a fresh NUL-terminated
 * buffer, which the caller frees; *len may be NULL. Errors: UP_MISSING no such
 * file; UP_USAGE larger than limit; UP_INTERNAL out of memory; UP_WRITE other
 * failures. err may be NULL. */
UP_MUST_CHECK int up_storage_read_file(struct up_storage *s, const char *path, size_t limit, char **out,
                                       size_t *len, struct up_error *err);

/* Create `path` complete and durable, or not at all: written as path.new,
 * synced, renamed, directory synced. The umask applies to mode. If only the
 * last sync fails, the new content is in place but a power cut may undo it.
 * Errors: UP_NOSPACE, UP_WRITE. */
UP_MUST_CHECK int up_storage_write_file(struct up_storage *s, const char *path, const void *data, size_t len,
                                        unsigned mode, struct up_error *err);

/* The same without a sync: complete unless the power fails; after a power cut
 * the file may have its old content, or not exist. */
UP_MUST_CHECK int up_storage_replace_file(struct up_storage *s, const char *path, const void *data,
                                          size_t len, unsigned mode, struct up_error *err);

/* Test a directory for doctor: a file of 4 KiB is created in it, synced, read
 * back and removed. *sync_ms is how long the sync took, by the storage's clock.
 * Returns an enum up_read_back. Errors: UP_NOSPACE no bytes or no inode;
 * UP_WRITE, also if other content was read back. */
UP_MUST_CHECK int up_storage_try(struct up_storage *s, const char *dir, uint64_t *sync_ms,
                                 struct up_error *err);

/* Remove a tree; does nothing if path does not exist; links are not followed.
 * Not durable until the parent is synced. Errors: UP_WRITE. */
UP_MUST_CHECK int up_storage_remove_tree(struct up_storage *s, const char *path, struct up_error *err);

/* mkdir unless it exists as a directory; the parent is synced if it was created. */
UP_MUST_CHECK int up_storage_make_dir(struct up_storage *s, const char *path, unsigned mode,
                                      struct up_error *err);

/* Sync the directory that holds `path`. */
UP_MUST_CHECK int up_storage_sync_parent(struct up_storage *s, const char *path, struct up_error *err);

#endif
