#include "tar.h"

#include "error.h"

#include <stdio.h>
#include <string.h>

#define NAME_FIELD 100
#define PREFIX_AT 345
#define PREFIX_FIELD 155
#define SIZE_LIMIT ((uint64_t)8 << 30) /* eleven octal digits */

/* Relative, printable, and without empty, "." and ".." parts. */
static bool good_name(const char *name)
{
    const char *part = name;

    if (!*name || strlen(name) > UP_TAR_NAME_MAX)
        return false;
    for (const char *p = name;; p++) {
        if (*p && *p != '/') {
            if ((unsigned char)*p < 0x20 || *p == 0x7f)
                return false;
            continue;
        }
        if (p == part || (p - part == 1 && part[0] == '.') ||
            (p - part == 2 && part[0] == '.' && part[1] == '.'))
            return false;
        if (!*p)
            return true;
        part = p + 1;
    }
}

/* Write the name into the header's two fields, split at the first '/' that lets the rest fit. */
static bool put_name(uint8_t *out, const struct up_tar_entry *entry)
{
    char path[UP_TAR_NAME_MAX + 2];
    size_t len = (size_t)snprintf(path, sizeof path, "%s%s", entry->name, entry->directory ? "/" : "");
    const char *rest = path;

    while (len - (size_t)(rest - path) > NAME_FIELD) {
        rest = strchr(rest, '/');
        if (!rest || !rest[1])
            return false;
        rest++;
    }
    if (rest > path) {
        size_t prefix = (size_t)(rest - path) - 1;

        if (prefix > PREFIX_FIELD)
            return false;
        memcpy(out + PREFIX_AT, path, prefix);
    }
    memcpy(out, rest, len - (size_t)(rest - path));
    return true;
}

int up_tar_put(uint8_t out[UP_TAR_BLOCK], const struct up_tar_entry *entry, struct up_error *err)
{
    unsigned sum = 0;
    char text[16];

    memset(out, 0, UP_TAR_BLOCK);
    if (!good_name(entry->name))
        return up_fail(err, UP_USAGE, "archive member \"%.200s\": the name is not allowed", entry->name);
    if (entry->directory ? entry->mode != 0755 || entry->size != 0
                         : (entry->mode != 0644 && entry->mode != 0755) || entry->size >= SIZE_LIMIT)
        return up_fail(err, UP_USAGE, "archive member \"%.200s\": mode or size is not allowed", entry->name);
    if (!put_name(out, entry))
        return up_fail(err, UP_USAGE, "archive member \"%.200s\": the name is too long", entry->name);
    snprintf(text, sizeof text, "%07o", entry->mode);
    memcpy(out + 100, text, 8);
    memcpy(out + 108, "0000000", 8); /* owner */
    memcpy(out + 116, "0000000", 8); /* group */
    snprintf(text, sizeof text, "%011llo", (unsigned long long)entry->size);
    memcpy(out + 124, text, 12);
    memcpy(out + 136, "00000000000", 12); /* time of change */
    memset(out + 148, ' ', 8);
    out[156] = entry->directory ? '5' : '0';
    memcpy(out + 257, "ustar", 6);
    memcpy(out + 263, "00", 2);
    memcpy(out + 329, "0000000", 8); /* device numbers */
    memcpy(out + 337, "0000000", 8);
    for (int i = 0; i < UP_TAR_BLOCK; i++)
        sum += out[i];
    snprintf(text, sizeof text, "%06o", sum);
    memcpy(out + 148, text, 7);
    return 0;
}

/* Parse len octal digits; any other character makes the comparison fail later. */
static uint64_t get_octal(const uint8_t *in, int len)
{
    uint64_t v = 0;

    for (int i = 0; i < len; i++)
        v = v << 3 | (in[i] & 7);
    return v;
}

static size_t field_length(const uint8_t *in, size_t size)
{
    const uint8_t *end = memchr(in, 0, size);

    return end ? (size_t)(end - in) : size;
}

int up_tar_get(struct up_tar_entry *entry, const uint8_t in[UP_TAR_BLOCK], struct up_error *err)
{
    static const uint8_t zeros[UP_TAR_BLOCK];
    uint8_t again[UP_TAR_BLOCK];
    size_t name_len = field_length(in, NAME_FIELD), prefix_len = field_length(in + PREFIX_AT, PREFIX_FIELD);
    size_t len = 0;

    if (memcmp(in, zeros, UP_TAR_BLOCK) == 0)
        return 0;
    _Static_assert(PREFIX_FIELD + 1 + NAME_FIELD <= sizeof entry->name, "both fields fit, without an end");
    if (prefix_len > 0) {
        memcpy(entry->name, in + PREFIX_AT, prefix_len);
        entry->name[prefix_len] = '/';
        len = prefix_len + 1;
    }
    memcpy(entry->name + len, in, name_len);
    len += name_len;
    entry->directory = in[156] == '5';
    if (entry->directory && len > 0)
        len--; /* its slash, or it is not in canonical form */
    if (len > UP_TAR_NAME_MAX)
        return up_fail(err, UP_UNTRUSTED, "archive header: the name is too long");
    entry->name[len] = 0;
    entry->mode = (unsigned)get_octal(in + 100, 7);
    entry->size = get_octal(in + 124, 11);
    if (up_tar_put(again, entry, NULL) < 0 || memcmp(again, in, UP_TAR_BLOCK) != 0)
        return up_fail(err, UP_UNTRUSTED, "archive header of \"%.200s\": not in canonical form", entry->name);
    return 1;
}

uint64_t up_tar_padded(uint64_t size)
{
    return (size + UP_TAR_BLOCK - 1) / UP_TAR_BLOCK * UP_TAR_BLOCK;
}
