/*
 * system_no_uboot_env.c -- replaces system_uboot_env.c in a build without
 * libubootenv.
 */
#include <errno.h>

#include "system_uboot_env.h"

int up_system_uboot_env_get(const char *config, struct up_boot_variable *variables, size_t count)
{
    (void)config, (void)variables, (void)count;
    errno = ENOTSUP;
    return -1;
}

int up_system_uboot_env_set(const char *config, const struct up_boot_variable *variables, size_t count)
{
    (void)config, (void)variables, (void)count;
    errno = ENOTSUP;
    return -1;
}
