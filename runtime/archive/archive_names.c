#include "archive_names.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "printable.h"

struct name {
    enum up_archive_kind kind;
    bool implied; /* a directory without an entry of its own, known from names below it */
    char text[];
};

struct up_archive_names {
    void *tree; /* of struct name, by text */
};

static int compare(const void *a, const void *b)
{
    return strcmp(((const struct name *)a)->text, ((const struct name *)b)->text);
}

struct up_archive_names *up_archive_names_new(void)
{
    return calloc(1, sizeof(struct up_archive_names));
}

void up_archive_names_free(struct up_archive_names *names)
{
    if (!names)
        return;
    tdestroy(names->tree, free);
    free(names);
}

/* Combining marks, U+0300 to U+036F, make it possible that two different names look the same. */
static bool is_decomposed(const char *name)
{
    for (const unsigned char *p = (const unsigned char *)name; *p; p++)
        if ((p[0] == 0xcc && p[1] >= 0x80) || (p[0] == 0xcd && p[1] >= 0x80 && p[1] <= 0xaf))
            return true;
    return false;
}

/* Refuse control characters and everything else that up_printable() would replace.
 * In another charset only control characters can be recognised. */
static int check_bytes(const char *name, const struct up_archive_limits *limits, struct up_error *err)
{
    for (const unsigned char *p = (const unsigned char *)name; *p; p++)
        if (*p < 0x20 || *p == 0x7f)
            return up_fail(err, UP_UNTRUSTED, "a control character in a name");
    if (strchr(name, '\\'))
        return up_fail(err, UP_UNTRUSTED, "a backslash in a name");
    if (((name[0] | 0x20) >= 'a' && (name[0] | 0x20) <= 'z') && name[1] == ':')
        return up_fail(err, UP_UNTRUSTED, "a name with a drive letter");
    if (limits->any_charset)
        return 0;
    if (!up_is_printable(name, strlen(name)))
        return up_fail(err, UP_UNTRUSTED, "a name that is not UTF-8, or holds invisible characters");
    if (is_decomposed(name))
        return up_fail(err, UP_UNTRUSTED, "a name with decomposed letters");
    return 0;
}

static bool is_component(const char *text, size_t len, const char *wanted)
{
    return len == strlen(wanted) && memcmp(text, wanted, len) == 0;
}

int up_archive_name_clean(char out[UP_ARCHIVE_NAME_MAX + 1], const char *raw,
                          const struct up_archive_limits *limits, struct up_error *err)
{
    size_t used = 0;
    unsigned depth = 0;

    if (raw[0] == '\0')
        return up_fail(err, UP_UNTRUSTED, "an empty name");
    if (raw[0] == '/')
        return up_fail(err, UP_UNTRUSTED, "an absolute name");
    if (strlen(raw) > UP_ARCHIVE_NAME_MAX)
        return up_fail(err, UP_UNTRUSTED, "a name of more than %d bytes", UP_ARCHIVE_NAME_MAX);
    if (check_bytes(raw, limits, err) < 0)
        return err->code;
    for (const char *p = raw; *p;) {
        size_t len = strcspn(p, "/");

        if (is_component(p, len, ".."))
            return up_fail(err, UP_UNTRUSTED, "a name that leads out of the archive's folder");
        if (len > 0 && !is_component(p, len, ".")) {
            if (used > 0)
                out[used++] = '/';
            memcpy(out + used, p, len);
            used += len;
            depth++;
        }
        p += len + (p[len] == '/');
    }
    out[used] = '\0';
    if (depth > limits->depth)
        return up_fail(err, UP_NOSPACE, "a name of %u components; %u are allowed", depth, limits->depth);
    return used == 0;
}

/* The node of a name, created if it is new (*made). NULL: out of memory. */
static struct name *node_of(struct up_archive_names *names, const char *text, size_t len, bool *made)
{
    struct name *n = malloc(sizeof *n + len + 1), **found;

    if (!n)
        return NULL;
    n->kind = UP_ARCHIVE_DIR;
    n->implied = true;
    memcpy(n->text, text, len);
    n->text[len] = '\0';
    found = tsearch(n, &names->tree, compare);
    *made = found && *found == n;
    if (!*made)
        free(n);
    return found ? *found : NULL;
}

int up_archive_names_add(struct up_archive_names *names, const char *name, enum up_archive_kind kind,
                         struct up_error *err)
{
    struct name *n;
    bool made;

    for (const char *slash = strchr(name, '/'); slash; slash = strchr(slash + 1, '/')) {
        n = node_of(names, name, (size_t)(slash - name), &made);
        if (!n)
            return up_fail(err, UP_INTERNAL, "out of memory");
        if (n->kind != UP_ARCHIVE_DIR)
            return up_fail(err, UP_UNTRUSTED, "a name below a file");
    }
    n = node_of(names, name, strlen(name), &made);
    if (!n)
        return up_fail(err, UP_INTERNAL, "out of memory");
    if (!made && (!n->implied || kind != UP_ARCHIVE_DIR))
        return up_fail(err, UP_UNTRUSTED, "the name occurs twice");
    n->kind = kind;
    n->implied = false;
    return 0;
}
