/*
 * boot_no_uboot.c -- replaces boot_uboot.c in a build without U-Boot.
 */
#include "boot_private.h"

const struct up_boot_driver_ops *const up_boot_uboot_ops = NULL;
