/*
 * system_uboot_env.h -- the U-Boot environment, through libubootenv
 * (system_no_uboot_env.c in a build without).
 *
 * Part of the system's storage; only that calls it.
 */
#ifndef UP_SYSTEM_UBOOT_ENV_H
#define UP_SYSTEM_UBOOT_ENV_H

#include <stddef.h>

struct up_boot_variable;

/* See boot_get and boot_set in storage.h; 0, or -1 with errno. */
int up_system_uboot_env_get(const char *config, struct up_boot_variable *variables, size_t count);
int up_system_uboot_env_set(const char *config, const struct up_boot_variable *variables, size_t count);

#endif
