/*
 * system_flash.h -- MTD and UBI, for the system's storage.
 */
#ifndef UP_SYSTEM_FLASH_H
#define UP_SYSTEM_FLASH_H

#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

struct up_flash;
struct up_storage;

/* flash_info, flash_bad, ... of storage.h. */
int up_system_flash_info(struct up_storage *s, int fd, struct up_flash *out);
int up_system_flash_bad(struct up_storage *s, int fd, uint64_t offset);
int up_system_flash_erase(struct up_storage *s, int fd, uint64_t offset, uint32_t erase_size);
int up_system_flash_mark_bad(struct up_storage *s, int fd, uint64_t offset);
int up_system_flash_update(struct up_storage *s, int fd, uint64_t size);

/*
 * The names with which /proc/self/mountinfo shows a mount of the flash st,
 * including the block device on it ("/dev/mtdblock3"), one after another, each
 * NUL-terminated, an empty one last. Returns their number; 0 if it is not
 * flash.
 */
int up_system_flash_names(const struct stat *st, char *out, size_t room);
/* Whether UBI is attached to the MTD st: 1, 0, or -1 with errno. */
int up_system_flash_attached(const struct stat *st);

#endif
