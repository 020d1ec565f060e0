#include "json_fields.h"

#include "digest.h"
#include "error.h"
#include "json_load.h"
#include "printable.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define DEPTH_MAX 8

void up_json_fields_refuse(struct up_json_fields *f, const char *format, ...)
{
    char text[256];
    va_list args;

    if (f->rc < 0)
        return;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    f->rc = up_fail(f->err, UP_UNTRUSTED, "%s: %s%s", f->kind, f->where, text);
}

void up_json_fields_copy(struct up_json_fields *f, const char *name, const json_t *value, char *out,
                         size_t size)
{
    size_t len = json_string_length(value);

    if (!json_is_string(value))
        up_json_fields_refuse(f, "%s must be a string", name);
    else if (len == 0 || len >= size)
        up_json_fields_refuse(f, "%s must have 1 to %zu bytes", name, size - 1);
    else if (!up_is_printable(json_string_value(value), len))
        up_json_fields_refuse(f, "%s has control or bidirectional formatting characters", name);
    else
        memcpy(out, json_string_value(value), len + 1);
}

json_t *up_json_fields_take(struct up_json_fields *f, const char *name)
{
    json_t *value = f->rc < 0 ? NULL : json_incref(json_object_get(f->object, name));

    if (value)
        json_object_del(f->object, name);
    return value;
}

void up_json_fields_string(struct up_json_fields *f, const char *name, bool required, char *out, size_t size)
{
    json_t *value = up_json_fields_take(f, name);

    if (value)
        up_json_fields_copy(f, name, value, out, size);
    else if (required)
        up_json_fields_refuse(f, "%s is missing", name);
    json_decref(value);
}

uint64_t up_json_fields_integer(struct up_json_fields *f, const char *name, bool required, uint64_t low,
                                uint64_t high)
{
    json_t *value = up_json_fields_take(f, name);
    json_int_t v = json_integer_value(value);

    if (!value && required)
        up_json_fields_refuse(f, "%s is missing", name);
    else if (value && !json_is_integer(value))
        up_json_fields_refuse(f, "%s must be an integer", name);
    else if (value && (v < 0 || (uint64_t)v < low || (uint64_t)v > high))
        up_json_fields_refuse(f, "%s must be between %llu and %llu", name, (unsigned long long)low,
                              (unsigned long long)high);
    json_decref(value);
    return f->rc < 0 || !value ? 0 : (uint64_t)v;
}

void up_json_fields_digest(struct up_json_fields *f, const char *name, uint8_t out[32])
{
    char hex[2 * UP_SHA256_SIZE + 1] = "", again[sizeof hex];

    up_json_fields_string(f, name, true, hex, sizeof hex);
    if (f->rc < 0)
        return;
    if (up_unhex(hex, out, UP_SHA256_SIZE) == 0) {
        up_hex(out, UP_SHA256_SIZE, again);
        if (strcmp(hex, again) == 0)
            return;
    }
    up_json_fields_refuse(f, "%s must be 64 lower-case hex digits", name);
}

bool up_json_fields_enter(struct up_json_fields *inner, struct up_json_fields *f, const char *name,
                          bool required)
{
    json_t *value = up_json_fields_take(f, name);

    if (!value && required)
        up_json_fields_refuse(f, "%s is missing", name);
    if (value && !json_is_object(value)) {
        up_json_fields_refuse(f, "%s must be an object", name);
        json_decref(value);
        value = NULL;
    }
    inner->object = value;
    inner->kind = f->kind;
    inner->err = f->err;
    inner->rc = f->rc;
    snprintf(inner->where, sizeof inner->where, "%.20s%.10s.", f->where, name);
    return value != NULL;
}

void up_json_fields_rest(struct up_json_fields *f)
{
    void *rest = f->rc < 0 ? NULL : json_object_iter(f->object);

    if (rest)
        up_json_fields_refuse(f, "unknown field \"%.40s\"", json_object_iter_key(rest));
}

void up_json_fields_leave(struct up_json_fields *inner, struct up_json_fields *f)
{
    up_json_fields_rest(inner);
    f->rc = inner->rc;
    json_decref(inner->object);
}

/* Measure the nesting before the parser recurses into it. */
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

/* The format is checked first: it decides whether anything else can be understood. */
static void take_format(struct up_json_fields *f)
{
    char format[64] = "", prefix[64], expected[sizeof prefix + 1];
    unsigned number;
    size_t head;
    int end = 0;

    head = (size_t)snprintf(prefix, sizeof prefix, "moult-%s-", f->kind);
    snprintf(expected, sizeof expected, "%s1", prefix);
    up_json_fields_string(f, "format", true, format, sizeof format);
    if (f->rc < 0 || strcmp(format, expected) == 0)
        return;
    if (strncmp(format, prefix, head) == 0 && sscanf(format + head, "%6u%n", &number, &end) == 1 &&
        !format[head + (size_t)end] && number > 1)
        f->rc = up_fail(f->err, UP_INCOMPATIBLE, "%s: format %u is newer than this version of Moult", f->kind,
                        number);
    else
        up_json_fields_refuse(f, "format is \"%s\", not %s", format, expected);
}

void up_json_fields_open(struct up_json_fields *f, const char *kind, const char *text, size_t len,
                         struct up_error *err)
{
    json_error_t why;

    *f = (struct up_json_fields){.kind = kind, .err = err};
    if (too_deep(text, len)) {
        up_json_fields_refuse(f, "nested deeper than %d", DEPTH_MAX);
        return;
    }
    f->object = up_json_load(text, len, JSON_REJECT_DUPLICATES, &why);
    if (!f->object && errno == ENOMEM)
        f->rc = up_fail(err, UP_INTERNAL, "%s: out of memory", kind);
    else if (!f->object)
        up_json_fields_refuse(f, "line %d: %s", why.line, why.text);
    else if (!json_is_object(f->object))
        up_json_fields_refuse(f, "not a JSON object");
    take_format(f);
}

int up_json_fields_close(struct up_json_fields *f)
{
    json_decref(f->object);
    f->object = NULL;
    return f->rc;
}
