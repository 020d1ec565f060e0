/*
 * json_fields.h -- read a signed JSON object field by field.
 *
 * Strict: duplicate keys, depth over 8, real numbers, strings out of bounds or
 * with control characters, and unknown fields are refused. The first error
 * stays in err, and every later call does nothing, so that a parser reads as a
 * list of fields.
 *
 *     open -> take_* -> rest -> close
 */
#ifndef UP_JSON_FIELDS_H
#define UP_JSON_FIELDS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct up_error;

#define UP_JSON_FIELDS_TIME_MAX 253402300799 /* the end of the year 9999 */

struct up_json_fields {
    json_t *object;
    const char *kind; /* "manifest", "permit", "keys": begins every message; static */
    char where[32];   /* for messages: "" or "core." */
    struct up_error *err;
    int rc; /* 0, or the code in err */
};

/* Parse `text`, which must be an object of format "moult-<kind>-1". Errors, in
 * f->rc: UP_UNTRUSTED; UP_INCOMPATIBLE a newer format. Close in any case. */
void up_json_fields_open(struct up_json_fields *f, const char *kind, const char *text, size_t len,
                         struct up_error *err);
/* Release the object; returns f->rc. */
int up_json_fields_close(struct up_json_fields *f);

/* Fail with UP_UNTRUSTED and "<kind>: <where><text>", unless something failed before. */
void up_json_fields_refuse(struct up_json_fields *f, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Take a field out of the object, so that what is left over is unknown. The
 * caller drops the reference. NULL: absent. */
json_t *up_json_fields_take(struct up_json_fields *f, const char *name);
/* 1 to size - 1 bytes; stays "" if absent and not required. */
void up_json_fields_string(struct up_json_fields *f, const char *name, bool required, char *out, size_t size);
/* The same for a value that was taken, or for one in a list. */
void up_json_fields_copy(struct up_json_fields *f, const char *name, const json_t *value, char *out,
                         size_t size);
/* An integer between low and high; 0 if absent and not required. */
uint64_t up_json_fields_integer(struct up_json_fields *f, const char *name, bool required, uint64_t low,
                                uint64_t high);
/* 64 lower-case hex digits. */
void up_json_fields_digest(struct up_json_fields *f, const char *name, uint8_t out[32]);

/* The object in field `name` as fields of their own; false if absent or
 * invalid. up_json_fields_leave() refuses unknown fields in it and drops it. */
bool up_json_fields_enter(struct up_json_fields *inner, struct up_json_fields *f, const char *name,
                          bool required);
void up_json_fields_leave(struct up_json_fields *inner, struct up_json_fields *f);
/* Refuse every field that was not taken. */
void up_json_fields_rest(struct up_json_fields *f);

#endif
