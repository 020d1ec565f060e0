#include "files_stage.h"

#include <stdio.h>
#include <string.h>

#include "bytes.h"
#include "error.h"

#define FORM 2u
#define DIGESTS 8 /* where they begin: plan, found, ran */
#define VALUE (DIGESTS + 3 * UP_SHA256_SIZE + 37)
#define CAPACITY 512u

static bool fits(const uint8_t *value, size_t len)
{
    return len == VALUE && up_get32(value) == FORM && up_get32(value + 4) < UP_FILES_STEPS &&
           value[VALUE - 1] == '\0';
}

int up_files_stage_init(struct up_files_record *r, struct up_storage *s, const char *folder, const char *name,
                        struct up_error *err)
{
    *r =
        (struct up_files_record){.record = {.storage = s, .magic = {'M', 'O', 'U', 'L', 'T', 'F', 'S', '1'}}};
    if (snprintf(r->path, sizeof r->path, "%s/%s", folder, name) >= (int)sizeof r->path)
        return up_fail(err, UP_USAGE, "%s: path too long", folder);
    r->record.path = r->path;
    r->record.capacity = CAPACITY;
    r->record.fits = fits;
    return 0;
}

int up_files_stage_read(struct up_files_record *r, struct up_files_stage *out, struct up_error *err)
{
    uint8_t value[VALUE];
    size_t len;
    int rc = up_record_read(&r->record, value, sizeof value, &len, err);

    memset(out, 0, sizeof *out);
    if (rc == UP_NOTHING)
        return 0;
    if (rc < 0)
        return rc;
    out->step = (enum up_files_step)up_get32(value + 4);
    memcpy(out->plan, value + DIGESTS, UP_SHA256_SIZE);
    memcpy(out->found, value + DIGESTS + UP_SHA256_SIZE, UP_SHA256_SIZE);
    memcpy(out->ran, value + DIGESTS + 2 * UP_SHA256_SIZE, UP_SHA256_SIZE);
    memcpy(out->boot_id, value + DIGESTS + 3 * UP_SHA256_SIZE, sizeof out->boot_id);
    return 0;
}

int up_files_stage_write(struct up_files_record *r, const struct up_files_stage *stage, struct up_error *err)
{
    uint8_t value[VALUE];
    int rc;

    up_put32(value, FORM);
    up_put32(value + 4, stage->step);
    memcpy(value + DIGESTS, stage->plan, UP_SHA256_SIZE);
    memcpy(value + DIGESTS + UP_SHA256_SIZE, stage->found, UP_SHA256_SIZE);
    memcpy(value + DIGESTS + 2 * UP_SHA256_SIZE, stage->ran, UP_SHA256_SIZE);
    memcpy(value + DIGESTS + 3 * UP_SHA256_SIZE, stage->boot_id, sizeof stage->boot_id);
    rc = up_record_write(&r->record, value, VALUE, err);
    return rc == UP_NOTHING ? up_record_create(&r->record, value, VALUE, err) : rc;
}

int up_files_stage_write_both(struct up_files_record *r, const struct up_files_stage *stage,
                              struct up_error *err)
{
    if (up_files_stage_write(r, stage, err) < 0 || up_files_stage_write(r, stage, err) < 0)
        return err->code;
    return 0;
}

int up_files_stage_prepare(struct up_files_record *r, struct up_error *err)
{
    const struct up_files_stage none = {.step = UP_FILES_NONE};
    int rc = up_record_tend(&r->record, err);

    if (rc == UP_NOTHING && up_files_stage_write(r, &none, err) < 0)
        return err->code;
    return rc == UP_NOTHING ? up_record_tend(&r->record, err) : rc;
}

bool up_files_stage_is_between(enum up_files_step step)
{
    return step == UP_FILES_SWITCHING || step == UP_FILES_SWITCHED || step == UP_FILES_UNDOING;
}

const char *up_files_stage_step_name(enum up_files_step step)
{
    static const char *const names[UP_FILES_STEPS] = {"none",     "staging", "staged",       "switching",
                                                      "switched", "undoing", "sweeping_new", "sweeping_old"};

    return names[step];
}
