#include "files_ran.h"

#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "error.h"

#define MAGIC "MOULTFR1"
#define HEAD 12
#define ONE 20 /* and groups, and the folder */

static size_t size_of(const struct up_files_ran *ran)
{
    return ONE + (size_t)ran->as.group_count * 4 + strlen(ran->as.folder) + 1;
}

int up_files_ran_encode(const struct up_files_ran *ran, uint32_t count, uint8_t **out, size_t *len,
                        struct up_error *err)
{
    uint8_t *at;

    *len = HEAD;
    for (uint32_t i = 0; i < count; i++)
        *len += size_of(&ran[i]);
    at = *out = malloc(*len);
    if (!at)
        return up_fail(err, UP_INTERNAL, "programs of files: out of memory");
    memcpy(at, MAGIC, 8);
    up_put32(at + 8, count);
    at += HEAD;
    for (uint32_t i = 0; i < count; i++) {
        const struct up_running *as = &ran[i].as;

        up_put32(at, ran[i].program);
        up_put32(at + 4, as->owner);
        up_put32(at + 8, as->group);
        up_put32(at + 12, as->group_count);
        up_put32(at + 16, (uint32_t)strlen(as->folder) + 1);
        for (uint32_t n = 0; n < as->group_count; n++)
            up_put32(at + ONE + 4 * (size_t)n, as->groups[n]);
        memcpy(at + ONE + 4 * (size_t)as->group_count, as->folder, strlen(as->folder) + 1);
        at += size_of(&ran[i]);
    }
    return 0;
}

/* The number of bytes read; 0: malformed. */
static size_t take(struct up_files_ran *ran, const struct up_files_plan *plan, const uint8_t *at, size_t left)
{
    size_t folder, groups;

    if (left < ONE)
        return 0;
    ran->program = up_get32(at);
    ran->as.owner = up_get32(at + 4);
    ran->as.group = up_get32(at + 8);
    ran->as.group_count = up_get32(at + 12);
    folder = up_get32(at + 16);
    if (ran->program >= plan->program_count || ran->as.group_count > UP_RUNNING_GROUPS || folder == 0 ||
        folder > UP_PATH_SIZE)
        return 0;
    groups = 4 * (size_t)ran->as.group_count;
    if (left < ONE + groups + folder)
        return 0;
    for (uint32_t n = 0; n < ran->as.group_count; n++)
        ran->as.groups[n] = up_get32(at + ONE + 4 * (size_t)n);
    memcpy(ran->as.folder, at + ONE + groups, folder);
    return memchr(ran->as.folder, '\0', folder) == ran->as.folder + folder - 1 ? ONE + groups + folder : 0;
}

static int wrong(struct up_error *err)
{
    return up_fail(err, UP_INCOMPATIBLE, "programs of files: the record cannot be read");
}

int up_files_ran_decode(struct up_files_ran **out, uint32_t *count, const struct up_files_plan *plan,
                        const uint8_t *data, size_t len, struct up_error *err)
{
    size_t at = HEAD, took = 1;

    if (len < HEAD || memcmp(data, MAGIC, 8) != 0 || up_get32(data + 8) > UP_FILES_PROGRAMS)
        return wrong(err);
    *count = up_get32(data + 8);
    *out = calloc(*count + 1, sizeof **out);
    if (!*out)
        return up_fail(err, UP_INTERNAL, "programs of files: out of memory");
    for (uint32_t i = 0; i < *count && took > 0; i++, at += took)
        took = take(&(*out)[i], plan, data + at, len - at);
    if (took > 0 && at == len)
        return 0;
    free(*out);
    return wrong(err);
}
