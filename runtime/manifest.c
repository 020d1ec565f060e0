#include "manifest.h"

#include "digest.h"
#include "error.h"
#include "json_load.h"

#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 8
#define DEADLINE_MAX (7u * 86400)
#define TIME_MAX 253402300799 /* the end of the year 9999 */
#define INDEX_HEAD 32         /* as in index.h, which lies a floor higher */
#define INDEX_ENTRY 80

static const char *const part_names[UP_PART_KINDS] = {"script", "core"};

/* An object while its fields are taken out of it. The first thing that is
 * wrong stays in err, and everything after it does nothing. */
struct fields {
    json_t *object;
    char where[32]; /* for messages: "" or "core." */
    struct up_error *err;
    int rc;
};

__attribute__((format(printf, 2, 3))) static void refuse(struct fields *f, const char *format, ...)
{
    char text[256];
    va_list args;

    if (f->rc < 0)
        return;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    f->rc = up_fail(f->err, UP_UNTRUSTED, "manifest: %s%s", f->where, text);
}

/* Characters that could fool a terminal or a log: C0, DEL and C1. */
static bool has_controls(const char *s)
{
    for (; *s; s++)
        if ((unsigned char)*s < 0x20 || *s == 0x7f ||
            ((unsigned char)*s == 0xc2 && (unsigned char)s[1] >= 0x80 && (unsigned char)s[1] < 0xa0))
            return true;
    return false;
}

static void copy_string(struct fields *f, const char *name, const json_t *value, char *out, size_t size)
{
    size_t len = json_string_length(value);

    if (!json_is_string(value))
        refuse(f, "%s must be a string", name);
    else if (len == 0 || len >= size)
        refuse(f, "%s must have 1 to %zu bytes", name, size - 1);
    else if (has_controls(json_string_value(value)))
        refuse(f, "%s has control characters", name);
    else
        memcpy(out, json_string_value(value), len + 1);
}

/* Take a field out of the object, so that what is left over is unknown. The
 * caller drops the reference; NULL when it is absent. */
static json_t *take(struct fields *f, const char *name)
{
    json_t *value = f->rc < 0 ? NULL : json_incref(json_object_get(f->object, name));

    if (value)
        json_object_del(f->object, name);
    return value;
}

static void take_string(struct fields *f, const char *name, bool required, char *out, size_t size)
{
    json_t *value = take(f, name);

    if (value)
        copy_string(f, name, value, out, size);
    else if (required)
        refuse(f, "%s is missing", name);
    json_decref(value);
}

/* An integer between low and high; 0 when it is absent and not required. */
static uint64_t take_integer(struct fields *f, const char *name, bool required, uint64_t low, uint64_t high)
{
    json_t *value = take(f, name);
    json_int_t v = json_integer_value(value);

    if (!value && required)
        refuse(f, "%s is missing", name);
    else if (value && !json_is_integer(value))
        refuse(f, "%s must be an integer", name);
    else if (value && (v < 0 || (uint64_t)v < low || (uint64_t)v > high))
        refuse(f, "%s must lie between %llu and %llu", name, (unsigned long long)low,
               (unsigned long long)high);
    json_decref(value);
    return f->rc < 0 || !value ? 0 : (uint64_t)v;
}

static void take_digest(struct fields *f, const char *name, uint8_t out[UP_SHA256_SIZE])
{
    char hex[2 * UP_SHA256_SIZE + 1] = "", again[sizeof hex];

    take_string(f, name, true, hex, sizeof hex);
    if (f->rc < 0)
        return;
    if (up_unhex(hex, out, UP_SHA256_SIZE) == 0) {
        up_hex(out, UP_SHA256_SIZE, again);
        if (strcmp(hex, again) == 0)
            return;
    }
    refuse(f, "%s must be 64 lower-case hex digits", name);
}

/* The object in field `name` as fields of their own; false when it is absent
 * or wrong. leave() drops it. */
static bool enter(struct fields *inner, struct fields *f, const char *name, bool required)
{
    json_t *value = take(f, name);

    if (!value && required)
        refuse(f, "%s is missing", name);
    if (value && !json_is_object(value)) {
        refuse(f, "%s must be an object", name);
        json_decref(value);
        value = NULL;
    }
    inner->object = value;
    inner->err = f->err;
    inner->rc = f->rc;
    snprintf(inner->where, sizeof inner->where, "%.20s%.10s.", f->where, name);
    return value != NULL;
}

/* Every field of an object must have been taken out by now. */
static void refuse_rest(struct fields *f)
{
    void *rest = f->rc < 0 ? NULL : json_object_iter(f->object);

    if (rest)
        refuse(f, "unknown field \"%.40s\"", json_object_iter_key(rest));
}

static void leave(struct fields *inner, struct fields *f)
{
    refuse_rest(inner);
    f->rc = inner->rc;
    json_decref(inner->object);
}

static void take_hardware(struct fields *f, struct up_manifest *m)
{
    json_t *list = take(f, "hardware");
    size_t count = json_array_size(list);

    if (list && (!json_is_array(list) || count == 0 || count > UP_HARDWARE_MAX))
        refuse(f, "hardware must be a list of 1 to %d names", UP_HARDWARE_MAX);
    for (size_t i = 0; f->rc == 0 && i < count; i++)
        copy_string(f, "hardware", json_array_get(list, i), m->hardware[i], sizeof m->hardware[i]);
    m->hardware_count = f->rc < 0 ? 0 : (unsigned)count;
    json_decref(list);
}

static void take_overrides(struct fields *f, struct up_manifest *m)
{
    json_t *list = take(f, "override");

    if (list && (!json_is_array(list) || json_array_size(list) == 0))
        refuse(f, "override must be a list of rules");
    for (size_t i = 0; f->rc == 0 && i < json_array_size(list); i++) {
        const char *name = json_string_value(json_array_get(list, i));
        unsigned bit = 1;

        while (name && up_override_name(bit) && strcmp(name, up_override_name(bit)) != 0)
            bit <<= 1;
        if (!name || !up_override_name(bit))
            refuse(f, "override names an unknown rule \"%.40s\"", name ? name : "");
        else if (m->override & bit)
            refuse(f, "override names %s twice", name);
        m->override |= bit;
    }
    json_decref(list);
}

static void take_kind(struct fields *f, struct up_part *part)
{
    char kind[UP_NAME_SIZE] = "";

    take_string(f, "kind", true, kind, sizeof kind);
    if (f->rc < 0)
        return;
    for (int i = 0; i < UP_PART_KINDS; i++)
        if (strcmp(kind, part_names[i]) == 0) {
            part->kind = (enum up_part_kind)i;
            return;
        }
    if (strcmp(kind, "files") == 0 || strcmp(kind, "hotfix") == 0)
        f->rc = up_fail(f->err, UP_INCOMPATIBLE,
                        "manifest: a part of kind %s, which this version of Moult does not carry yet", kind);
    else
        refuse(f, "a part of the unknown kind \"%s\"", kind);
}

static void take_part(struct fields *f, struct up_part *part)
{
    struct fields source;
    uint64_t blocks;

    take_kind(f, part);
    part->size = take_integer(f, "size", true, 1, UP_PART_MAX - 1);
    part->block_size = (uint32_t)take_integer(f, "block_size", true, UP_BLOCK_MIN, UP_BLOCK_MAX);
    if (f->rc == 0 && (part->block_size & (part->block_size - 1)))
        refuse(f, "block_size must be a power of two");
    part->index_size = take_integer(f, "index_size", true, INDEX_HEAD + INDEX_ENTRY, UP_INDEX_MAX);
    take_digest(f, "index_sha256", part->index_digest);
    part->data_size = take_integer(f, "data_size", true, 0, UP_PART_MAX - 1);
    if (enter(&source, f, "source", false)) {
        part->delta = true;
        part->source_size = take_integer(&source, "size", true, 1, UP_PART_MAX - 1);
        take_digest(&source, "sha256", part->source_digest);
        leave(&source, f);
    }
    if (f->rc < 0)
        return;
    blocks = (part->size + part->block_size - 1) / part->block_size;
    if (part->index_size != INDEX_HEAD + INDEX_ENTRY * blocks)
        refuse(f, "index_size does not fit size and block_size");
    else if (part->data_size > part->size)
        refuse(f, "data_size is larger than size");
    else if (part->delta && part->kind != UP_CORE)
        refuse(f, "only a core part may be a delta");
}

static void take_parts(struct fields *f, struct up_manifest *m)
{
    json_t *list = take(f, "parts");
    size_t count = json_array_size(list);

    if (!json_is_array(list) || count == 0 || count > 16)
        refuse(f, "parts must be a list of parts");
    for (size_t i = 0; f->rc == 0 && i < count; i++) {
        struct fields inner = {json_array_get(list, i), "", f->err, 0};
        struct up_part part = {0};

        snprintf(inner.where, sizeof inner.where, "part %zu: ", i + 1);
        if (!json_is_object(inner.object))
            refuse(&inner, "must be an object");
        take_part(&inner, &part);
        refuse_rest(&inner);
        /* Kinds rise strictly, so there is room for each. */
        if (inner.rc == 0 && i > 0 && part.kind <= m->part[i - 1].kind)
            refuse(&inner, "each kind at most once, script before core");
        if (inner.rc == 0)
            m->part[m->part_count++] = part;
        f->rc = inner.rc;
    }
    json_decref(list);
}

/* A field that belongs to a part is there exactly when the part is. */
static void check_belongings(struct fields *f, const struct up_manifest *m)
{
    if (!up_manifest_part(m, UP_SCRIPT) != !m->script_version[0])
        refuse(f, "script.version belongs to a script part");
    if (!up_manifest_part(m, UP_CORE) != !m->core_name[0])
        refuse(f, "core.name and core.version belong to a core part");
}

static void take_all(struct fields *f, struct up_manifest *m)
{
    struct fields inner;

    take_string(f, "project", true, m->project, sizeof m->project);
    {
        uint8_t key[UP_SHA256_SIZE];

        take_digest(f, "product_key", key);
        if (f->rc == 0)
            up_hex(key, sizeof key, m->product_key);
    }
    take_hardware(f, m);
    m->sequence = take_integer(f, "sequence", true, 1, INT64_MAX);
    take_string(f, "release", true, m->release, sizeof m->release);
    if (enter(&inner, f, "script", false)) {
        take_string(&inner, "version", true, m->script_version, sizeof m->script_version);
        leave(&inner, f);
    }
    if (enter(&inner, f, "core", false)) {
        take_string(&inner, "name", true, m->core_name, sizeof m->core_name);
        m->core_version = take_integer(&inner, "version", true, 0, INT64_MAX);
        leave(&inner, f);
    }
    if (enter(&inner, f, "requires", false)) {
        take_string(&inner, "core", true, m->requires_core, sizeof m->requires_core);
        m->requires_version = take_integer(&inner, "version", true, 0, INT64_MAX);
        leave(&inner, f);
    }
    take_string(f, "min_moult", false, m->min_moult, sizeof m->min_moult);
    m->issued = take_integer(f, "issued", false, 1, TIME_MAX);
    m->not_after = take_integer(f, "not_after", false, 1, TIME_MAX);
    m->deadline = (uint32_t)take_integer(f, "deadline", false, 1, DEADLINE_MAX);
    take_overrides(f, m);
    take_string(f, "text", false, m->text, sizeof m->text);
    take_parts(f, m);
    refuse_rest(f);
    check_belongings(f, m);
}

/* The format decides whether anything else can be understood. */
static void take_format(struct fields *f)
{
    char format[64] = "";
    unsigned number;
    int end = 0;

    take_string(f, "format", true, format, sizeof format);
    if (f->rc < 0 || strcmp(format, "moult-manifest-1") == 0)
        return;
    if (sscanf(format, "moult-manifest-%6u%n", &number, &end) == 1 && !format[end] && number > 1)
        f->rc = up_fail(f->err, UP_INCOMPATIBLE, "manifest: format %u is newer than this version of Moult",
                        number);
    else
        refuse(f, "format is \"%s\", not moult-manifest-1", format);
}

/* Nesting, before the parser recurses into it. */
static bool too_deep(const char *text, size_t len)
{
    bool quoted = false;
    int depth = 0;

    for (size_t i = 0; i < len; i++) {
        if (quoted && text[i] == '\\')
            i++;
        else if (text[i] == '"')
            quoted = !quoted;
        else if (!quoted && (text[i] == '{' || text[i] == '['))
            depth++;
        else if (!quoted && (text[i] == '}' || text[i] == ']'))
            depth--;
        if (depth > DEPTH_MAX)
            return true;
    }
    return false;
}

int up_manifest_parse(struct up_manifest *m, const char *text, size_t len, struct up_error *err)
{
    struct fields f = {NULL, "", err, 0};
    json_error_t why;

    memset(m, 0, sizeof *m);
    if (len > UP_MANIFEST_MAX)
        return up_fail(err, UP_UNTRUSTED, "manifest: larger than %d bytes", UP_MANIFEST_MAX);
    if (too_deep(text, len))
        return up_fail(err, UP_UNTRUSTED, "manifest: nested deeper than %d", DEPTH_MAX);
    f.object = up_json_load(text, len, JSON_REJECT_DUPLICATES, &why);
    if (!f.object && errno == ENOMEM)
        return up_fail(err, UP_INTERNAL, "manifest: out of memory");
    if (!f.object)
        return up_fail(err, UP_UNTRUSTED, "manifest: line %d: %s", why.line, why.text);
    if (!json_is_object(f.object))
        refuse(&f, "not a JSON object");
    take_format(&f);
    take_all(&f, m);
    json_decref(f.object);
    up_sha256(text, len, m->digest);
    return f.rc;
}

const char *up_override_name(unsigned bit)
{
    switch (bit) {
    case UP_OVERRIDE_VERSION:
        return "version";
    case UP_OVERRIDE_WINDOW:
        return "window";
    case UP_OVERRIDE_BATTERY:
        return "battery";
    case UP_OVERRIDE_BUDGET:
        return "budget";
    default:
        return NULL;
    }
}

const char *up_part_name(enum up_part_kind kind)
{
    return part_names[kind];
}

const struct up_part *up_manifest_part(const struct up_manifest *m, enum up_part_kind kind)
{
    for (unsigned i = 0; i < m->part_count; i++)
        if (m->part[i].kind == kind)
            return &m->part[i];
    return NULL;
}
