#include "flash.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "slot_link.h"

#define STEP (1u << 20) /* bytes of one call */
#define BLOCK 65536

struct up_flash_image {
    struct up_slot *slot;
    struct up_slot_view view;
    uint64_t offset, size;
    uint64_t next;   /* bytes written in order, or zeroed by erasing */
    bool writes;     /* open for writing */
    bool written;    /* something was, since it was opened */
    bool unsynced;   /* something was, since the last sync */
    bool broken;     /* the slot is of no use any more */
    uint64_t hashed; /* bytes in `digest` */
    enum up_digest_kind kind;
    struct up_digest *digest; /* NULL: none begun */
    char path[UP_PATH_SIZE];
};

/* What slot.h says of it, said of no slot. */
static int as_flash(const char *path, struct up_error *err)
{
    char rest[sizeof err->message];
    const char *said = strncmp(err->message, "slot ", 5) == 0 ? err->message + 5 : err->message;
    bool named = strncmp(said, path, strlen(path)) == 0;

    if (strncmp(said, "flash ", 6) == 0)
        return err->code;
    memcpy(rest, said, strlen(said) + 1);
    return named ? up_fail(err, err->code, "flash %s", rest)
                 : up_fail(err, err->code, "flash %s: %s", path, rest);
}

/* Whether both names lead to one place at which there is nothing yet. */
static bool same_name(struct up_storage *storage, const char *node, const char *other)
{
    char behind[UP_PATH_SIZE];
    struct up_error ignored;
    struct up_stat st;

    return up_slot_link_follow(storage, other, behind, &st, &ignored) == 0 && strcmp(node, behind) == 0;
}

/* A path that is not there has no medium, but a folder that it is in. */
static int refuse_own(struct up_storage *storage, const char *path, const char *node, const char *own,
                      struct up_error *err)
{
    int rc = up_slot_inside(storage, node, own, err);

    if (rc > 0 || (rc == 0 && same_name(storage, node, own)))
        return up_fail(err, UP_USAGE, "flash %s: is part of %s, which this device runs from", path, own);
    if (rc == 0)
        rc = up_slot_shared(storage, node, own, err);
    if (rc > 0)
        return up_fail(err, UP_USAGE, "flash %s: is on the same medium as %s, which this device runs from",
                       path, own);
    return rc == UP_MISSING ? 0 : rc;
}

static int refuse_mounted(struct up_storage *storage, const char *path, const char *node,
                          struct up_error *err)
{
    int mounted = storage->ops->mounted(storage, node);

    if (mounted < 0)
        return up_fail(err, UP_WRITE, "flash %s: cannot tell whether it is mounted: %s", path,
                       strerror(errno));
    if (mounted)
        return up_fail(err, UP_BUSY, "flash %s: is mounted, or what lies on it is", path);
    return 0;
}

static int refuse_used(struct up_storage *storage, const struct up_flash_place *place,
                       char node[UP_PATH_SIZE], struct up_error *err)
{
    struct up_stat st;
    int there = up_slot_link_follow(storage, place->path, node, &st, err), rc;

    for (size_t i = 0; there >= 0 && place->own && place->own[i]; i++)
        if (refuse_own(storage, place->path, node, place->own[i], err) < 0)
            return err->code;
    if (there <= 0)
        return there;
    rc = up_slot_shared(storage, node, "/", err);
    if (rc > 0)
        return up_fail(err, UP_BUSY, "flash %s: the running system has its root on it", place->path);
    return rc < 0 ? rc : refuse_mounted(storage, place->path, node, err);
}

/* Where an image may begin and how long it may be. */
static int check_place(const struct up_flash_place *place, const struct up_slot_view *v, struct up_error *err)
{
    const struct up_slot_traits *t = v->traits;

    if (place->offset > 0 && (t->bad_blocks || t->atomic))
        return up_fail(err, UP_USAGE, "flash %s: an image on %s begins at byte 0, not at %llu", place->path,
                       t->title, (unsigned long long)place->offset);
    if (t->erasable && place->offset % v->flash.erase_size > 0)
        return up_fail(err, UP_USAGE, "flash %s: byte %llu is not the start of an erase block of %u bytes",
                       place->path, (unsigned long long)place->offset, (unsigned)v->flash.erase_size);
    if (place->offset > v->capacity || place->size > v->capacity - place->offset)
        return up_fail(err, UP_NOSPACE, "flash %s: %llu bytes from byte %llu on; it has room for %llu",
                       place->path, (unsigned long long)place->size, (unsigned long long)place->offset,
                       (unsigned long long)v->capacity);
    return 0;
}

/* What there is to read: of a file its bytes, of a device its good blocks. */
static uint64_t all_of(const struct up_slot_view *v, uint64_t offset)
{
    uint64_t end = v->traits->made ? v->size : v->capacity;

    return end > offset ? end - offset : 0;
}

static int open_slot(struct up_flash_image *f, struct up_storage *storage, const struct up_flash_place *place,
                     struct up_error *err)
{
    const struct up_slot_view *v = &f->view;
    char node[UP_PATH_SIZE];

    if (place->path[0] != '/' || strlen(place->path) >= sizeof f->path)
        return up_fail(err, UP_USAGE, "flash %.200s: not an absolute path of less than %u bytes", place->path,
                       UP_PATH_SIZE);
    memcpy(f->path, place->path, strlen(place->path) + 1);
    if (f->writes && refuse_used(storage, place, node, err) < 0)
        return as_flash(f->path, err);
    /* From here on the node that was judged, not a link that may lead elsewhere by now. */
    if (up_slot_inspect(&f->view, storage, f->writes ? node : f->path, err) < 0 ||
        (f->writes && check_place(place, v, err) < 0))
        return as_flash(f->path, err);
    f->offset = place->offset;
    f->size = place->size > 0 ? place->size : all_of(v, f->offset);
    if (up_slot_open(&f->slot, storage, v->node, f->writes ? UP_SLOT_WRITE : UP_SLOT_READ,
                     f->offset + f->size, err) < 0 ||
        (!f->writes && up_slot_drop_cache(f->slot, err) < 0))
        return as_flash(f->path, err);
    return 0;
}

static int open_as(struct up_flash_image **out, struct up_storage *storage,
                   const struct up_flash_place *place, bool writes, struct up_error *err)
{
    struct up_flash_image *f = calloc(1, sizeof *f);

    if (!f)
        return up_fail(err, UP_INTERNAL, "flash %s: out of memory", place->path);
    f->writes = writes;
    if (open_slot(f, storage, place, err) < 0) {
        up_flash_close(f);
        return err->code;
    }
    *out = f;
    return 0;
}

int up_flash_open(struct up_flash_image **out, struct up_storage *storage, const struct up_flash_place *place,
                  struct up_error *err)
{
    if (place->size == 0)
        return up_fail(err, UP_USAGE, "flash %s: an image of 0 bytes", place->path);
    return open_as(out, storage, place, true, err);
}

int up_flash_open_read(struct up_flash_image **out, struct up_storage *storage,
                       const struct up_flash_place *place, struct up_error *err)
{
    return open_as(out, storage, place, false, err);
}

void up_flash_close(struct up_flash_image *f)
{
    if (!f)
        return;
    up_slot_close(f->slot);
    up_digest_free(f->digest);
    free(f);
}

const struct up_slot_view *up_flash_view(const struct up_flash_image *f)
{
    return &f->view;
}

uint64_t up_flash_size(const struct up_flash_image *f)
{
    return f->size;
}

static int check_writable(const struct up_flash_image *f, struct up_error *err)
{
    if (!f->writes)
        return up_fail(err, UP_USAGE, "flash %s: is open to read only", f->path);
    if (f->broken)
        return up_fail(err, UP_USAGE, "flash %s: failed before; open it anew", f->path);
    return 0;
}

/* From now on the medium differs from what was synced and hashed. */
static void touch(struct up_flash_image *f)
{
    f->unsynced = true;
    up_digest_free(f->digest);
    f->digest = NULL;
}

static int zero_step(struct up_flash_image *f, struct up_error *err)
{
    uint64_t left = f->size - f->next;
    size_t n = left < STEP ? (size_t)left : STEP;

    if (n > 0 && up_slot_zero(f->slot, n, f->offset + f->next, err) < 0)
        return err->code;
    f->next += n;
    return f->next < f->size;
}

int up_flash_erase(struct up_flash_image *f, struct up_error *err)
{
    int rc;

    if (check_writable(f, err) < 0)
        return err->code;
    if (f->written)
        return up_fail(err, UP_USAGE, "flash %s: erased after something was written; open it anew", f->path);
    touch(f);
    rc = f->view.traits->in_order ? up_slot_erase(f->slot, f->offset, err) : zero_step(f, err);
    f->broken = rc < 0;
    return rc < 0 ? as_flash(f->path, err) : rc;
}

int up_flash_write(struct up_flash_image *f, const void *data, size_t len, uint64_t offset,
                   struct up_error *err)
{
    if (check_writable(f, err) < 0)
        return err->code;
    if (offset > f->size || len > f->size - offset)
        return up_fail(err, UP_USAGE, "flash %s: %zu bytes at byte %llu of an image of %llu", f->path, len,
                       (unsigned long long)offset, (unsigned long long)f->size);
    if (f->view.traits->in_order && offset != f->next)
        return up_fail(err, UP_USAGE, "flash %s: is written in order; byte %llu is next, not %llu", f->path,
                       (unsigned long long)f->next, (unsigned long long)offset);
    if (len == 0)
        return 0;
    touch(f);
    f->written = true;
    if (up_slot_write(f->slot, data, len, f->offset + offset, err) < 0) {
        f->broken = true;
        return as_flash(f->path, err);
    }
    f->next = offset + len;
    return 0;
}

int up_flash_sync(struct up_flash_image *f, struct up_error *err)
{
    if (check_writable(f, err) < 0)
        return err->code;
    if (f->view.traits->atomic && f->written && f->next < f->size)
        return up_fail(err, UP_USAGE, "flash %s: %llu of %llu bytes came; a volume is replaced as a whole",
                       f->path, (unsigned long long)f->next, (unsigned long long)f->size);
    if (up_slot_sync(f->slot, err) < 0 || up_slot_drop_cache(f->slot, err) < 0) {
        f->broken = true;
        return as_flash(f->path, err);
    }
    f->unsynced = false;
    return 0;
}

long long up_flash_read(struct up_flash_image *f, void *buf, size_t len, uint64_t offset,
                        struct up_error *err)
{
    long long got;

    if (f->unsynced)
        return up_fail(err, UP_USAGE, "flash %s: sync what was written before reading", f->path);
    if (offset >= f->size)
        return 0;
    if (len > f->size - offset)
        len = (size_t)(f->size - offset);
    got = up_slot_read(f->slot, buf, len, f->offset + offset, err);
    if (got < 0)
        return as_flash(f->path, err);
    if (got < (long long)len)
        return up_fail(err, UP_WRITE, "flash %s: byte %llu cannot be read", f->path,
                       (unsigned long long)(f->offset + offset) + (unsigned long long)got);
    return got;
}

static int begin_digest(struct up_flash_image *f, enum up_digest_kind kind, struct up_error *err)
{
    if (f->digest && f->kind == kind)
        return 0;
    up_digest_free(f->digest);
    f->digest = NULL;
    f->hashed = 0;
    f->kind = kind;
    return up_digest_new(&f->digest, kind, err);
}

int up_flash_digest(struct up_flash_image *f, enum up_digest_kind kind, uint8_t out[UP_DIGEST_MAX],
                    size_t *len, struct up_error *err)
{
    uint8_t block[BLOCK];
    long long n = 1;

    if (begin_digest(f, kind, err) < 0)
        return err->code;
    for (uint32_t done = 0; done < STEP && n > 0; done += BLOCK) {
        n = up_flash_read(f, block, sizeof block, f->hashed, err);
        if (n < 0)
            return err->code;
        up_digest_update(f->digest, block, (size_t)n);
        f->hashed += (uint64_t)n;
    }
    if (f->hashed < f->size)
        return 1;
    *len = up_digest_final(f->digest, out);
    f->hashed = 0;
    return 0;
}
