#include "boot.h"

#include <stdio.h>
#include <stdlib.h>

#include "boot_private.h"
#include "error.h"
#include "storage.h"

/*
 * No slots: one pair, kept as slot 0.
 */

static int none_started(struct up_boot *b, int *slot, struct up_error *err)
{
    (void)b, (void)err;
    *slot = -1;
    return 0;
}

static int none_write(struct up_boot *b, const struct up_boot_state *s, struct up_error *err)
{
    (void)b, (void)s, (void)err;
    return 0;
}

static int none_read(struct up_boot *b, struct up_boot_state *out, struct up_error *err)
{
    (void)b, (void)err;
    *out = (struct up_boot_state){.count = 1, .good = {true, false}};
    return 0;
}

void up_boot_kernel_id(struct up_boot *b, const struct up_boot_state *s, char out[37])
{
    (void)s;
    if (b->storage->ops->boot_id(b->storage, out) < 0)
        out[0] = '\0';
}

void up_boot_stays(struct up_boot *b, struct up_boot_state *s)
{
    (void)b, (void)s;
}

static const struct up_boot_driver_ops none_ops = {none_started, none_write,    none_read,        none_write,
                                                   none_read,    up_boot_stays, up_boot_kernel_id};

static const struct up_boot_driver_ops *driver(enum up_boot_driver which)
{
    switch (which) {
    case UP_BOOT_FILE:
        return &up_boot_file_ops;
    case UP_BOOT_UBOOT:
        return up_boot_uboot_ops;
    default:
        return &none_ops;
    }
}

int up_boot_open(struct up_boot **out, struct up_storage *storage, struct up_boot_place place,
                 struct up_error *err)
{
    const struct up_boot_driver_ops *ops = driver(place.driver);
    struct up_boot *b;

    if (!ops)
        return up_fail(err, UP_USAGE, "core.boot: this program was built without U-Boot (MOULT_UBOOT)");
    b = calloc(1, sizeof *b);
    if (!b)
        return up_fail(err, UP_INTERNAL, "boot: out of memory");
    b->ops = ops;
    b->storage = storage;
    b->fw_env = place.fw_env;
    b->cmdline = place.cmdline;
    if (snprintf(b->path, sizeof b->path, "%s/boot", place.state) >= (int)sizeof b->path) {
        free(b);
        return up_fail(err, UP_USAGE, "state %.100s...: the path is too long", place.state);
    }
    b->record = (struct up_record){
        .storage = storage, .path = b->path, .magic = "MOULTBT1", .fits = up_boot_file_fits, .capacity = 512};
    *out = b;
    return 0;
}

void up_boot_close(struct up_boot *b)
{
    free(b);
}

int up_boot_started(struct up_boot *b, int *slot, struct up_error *err)
{
    return b->ops->started(b, slot, err);
}

int up_boot_create(struct up_boot *b, const struct up_boot_state *first, struct up_error *err)
{
    return b->ops->create(b, first, err);
}

int up_boot_read(struct up_boot *b, struct up_boot_state *out, struct up_error *err)
{
    return b->ops->read(b, out, err);
}

int up_boot_write(struct up_boot *b, const struct up_boot_state *s, struct up_error *err)
{
    return b->ops->write(b, s, err);
}

int up_boot_select(struct up_boot *b, struct up_boot_state *out, struct up_error *err)
{
    return b->ops->select(b, out, err);
}

void up_boot_unwritable(struct up_boot *b, struct up_boot_state *s)
{
    b->ops->unwritable(b, s);
}

int up_boot_tend(struct up_boot *b, struct up_error *err)
{
    return b->ops == &up_boot_file_ops ? up_record_tend(&b->record, err) : 0;
}

int up_boot_inspect(struct up_boot *b, struct up_record_view *out, struct up_error *err)
{
    return up_record_inspect(&b->record, out, err);
}

void up_boot_id(struct up_boot *b, const struct up_boot_state *s, char out[37])
{
    b->ops->id(b, s, out);
}
