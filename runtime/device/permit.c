#include "permit.h"

#include "digest.h"
#include "error.h"
#include "json_fields.h"
#include "signed.h"

#include <stdlib.h>
#include <string.h>

static void take_devices(struct up_json_fields *f, struct up_permit *p)
{
    json_t *list = up_json_fields_take(f, "devices");
    size_t count = json_array_size(list); /* 0 for a string */
    bool all = json_is_string(list) && strcmp(json_string_value(list), "*") == 0;

    if (!list)
        up_json_fields_refuse(f, "devices is missing");
    else if (!all && (count == 0 || count > UP_PERMIT_DEVICES))
        up_json_fields_refuse(f, "devices must be \"*\" or a list of 1 to %d ids", UP_PERMIT_DEVICES);
    for (size_t i = 0; f->rc == 0 && i < count; i++) {
        up_json_fields_copy(f, "devices", json_array_get(list, i), p->device[i], sizeof p->device[i]);
        for (size_t j = 0; f->rc == 0 && j < i; j++)
            if (strcmp(p->device[j], p->device[i]) == 0)
                up_json_fields_refuse(f, "devices names %s twice", p->device[i]);
    }
    p->device_count = (unsigned)count;
    json_decref(list);
}

int up_permit_parse(struct up_permit *p, const char *text, size_t len, struct up_error *err)
{
    struct up_json_fields f;

    memset(p, 0, sizeof *p);
    if (len > UP_PERMIT_MAX)
        return up_fail(err, UP_UNTRUSTED, "permit: larger than %d bytes", UP_PERMIT_MAX);
    up_json_fields_open(&f, "permit", text, len, err);
    up_json_fields_string(&f, "project", true, p->project, sizeof p->project);
    take_devices(&f, p);
    up_json_fields_digest(&f, "manifest", p->manifest);
    p->not_after = up_json_fields_integer(&f, "not_after", true, 1, UP_JSON_FIELDS_TIME_MAX);
    up_json_fields_rest(&f);
    up_sha256(text, len, p->digest);
    return up_json_fields_close(&f);
}

bool up_permit_names(const struct up_permit *p, const char *device_id)
{
    for (unsigned i = 0; i < p->device_count; i++)
        if (strcmp(p->device[i], device_id) == 0)
            return true;
    return p->device_count == 0;
}

int up_permit_load(struct up_permit *p, struct up_storage *storage, const struct up_keyring *ring,
                   const char *path, struct up_error *err)
{
    char comment[UP_TRUSTED_COMMENT_MAX], *text;
    size_t len;
    int rc = up_signed_load(&text, &len, comment, storage, ring, path, UP_PERMIT_MAX, err);

    if (rc < 0)
        return rc;
    if (strcmp(comment, UP_PERMIT_COMMENT) != 0)
        rc = up_fail(err, UP_UNTRUSTED, "signed as \"%s\", not as \"%s\"", comment, UP_PERMIT_COMMENT);
    if (rc == 0)
        rc = up_permit_parse(p, text, len, err);
    free(text);
    return rc < 0 ? up_fail_in(err, path) : 0;
}
