/*
 * system_flash.h -- MTD and UBI for the system behind the storage seam.
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
 * The names by which /proc/self/mountinfo shows a mount of the flash that st
 * is, the block device made of it among them ("/dev/mtdblock3"), one after
 * another, each with its NUL, an empty one last. Returns how many; 0 when it
 * is no flash.
 */
int up_system_flash_names(const struct stat *st, char *out, size_t room);
/* Whether UBI has taken the MTD that st is: 1, 0, or -1 with errno. */
int up_system_flash_attached(const struct stat *st);

#endif
