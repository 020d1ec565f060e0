/*
 * slot_media.c -- the table of the media.
 *
 * A new medium is one file and one row here. Callers ask for traits; only here
 * are the kinds of nodes and flash compared that distinguish media.
 */
#include "slot_private.h"

#include <errno.h>
#include <string.h>

#include "error.h"

static const struct up_slot_medium *const media[] = {
    &up_slot_file, &up_slot_block, &up_slot_nor, &up_slot_nand, &up_slot_ubi,
};

#define MEDIA (sizeof media / sizeof *media)

int up_slot_no_medium(const char *path, struct up_error *err)
{
    return up_fail(err, UP_USAGE, "slot %s: must be a regular file, a block device, an MTD or a UBI volume",
                   path);
}

const struct up_slot_medium *up_slot_medium_of(enum up_node_kind node)
{
    for (size_t i = 0; i < MEDIA; i++)
        if (media[i]->node == node)
            return media[i];
    return NULL;
}

int up_slot_tell(const struct up_slot_medium **m, struct up_slot_node *n, struct up_error *err)
{
    if ((*m)->flash == UP_FLASH_NONE)
        return 0;
    if (n->storage->ops->flash_info(n->storage, n->file, &n->flash) < 0)
        return up_fail(err, UP_WRITE, "slot %s: cannot tell its kind: %s", n->path, strerror(errno));
    for (size_t i = 0; i < MEDIA; i++)
        if (media[i]->node == n->st.kind && media[i]->flash == n->flash.kind) {
            *m = media[i];
            return 0;
        }
    return up_slot_no_medium(n->path, err);
}
