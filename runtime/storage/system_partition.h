/*
 * system_partition.h -- the identity of a partition, from its partition table.
 *
 * Part of the system's storage; only that calls it.
 */
#ifndef UP_SYSTEM_PARTITION_H
#define UP_SYSTEM_PARTITION_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/*
 * The PARTUUID of a block device as the kernel writes it on its command line:
 * the GUID of a GPT entry in lower case, or disk signature and number
 * ("5e3da1c2-02") with an MBR. False when it is no partition or has none.
 */
bool up_system_partition_uuid(dev_t device, char *out, size_t room);

#endif
