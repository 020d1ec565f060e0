/*
 * storage_boot.h -- the U-Boot environment, by libubootenv.
 *
 * Part of the operating system behind the storage seam; nothing else calls it.
 */
#ifndef UP_STORAGE_BOOT_H
#define UP_STORAGE_BOOT_H

#include <stddef.h>

struct up_boot_variable;

/* As storage.h says of boot_get and boot_set; 0, or -1 with errno. */
int up_storage_boot_get(const char *config, struct up_boot_variable *variables, size_t count);
int up_storage_boot_set(const char *config, const struct up_boot_variable *variables, size_t count);

#endif
