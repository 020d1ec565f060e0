/*
 * manifest_format.c -- write a manifest as the text that is signed.
 */
#include "digest.h"
#include "error.h"
#include "json_load.h"
#include "manifest.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* jansson takes the reference to what is set, also if it fails, and an
 * incomplete object is noticed when it is parsed again and compared. So single
 * calls are not checked here. */
static void put_string(json_t *object, const char *name, const char *value)
{
    if (value[0])
        json_object_set_new(object, name, json_string(value));
}

static void put_integer(json_t *object, const char *name, uint64_t value)
{
    json_object_set_new(object, name, json_integer((json_int_t)value));
}

static void put_optional(json_t *object, const char *name, uint64_t value)
{
    if (value)
        put_integer(object, name, value);
}

static void put_digest(json_t *object, const char *name, const uint8_t digest[UP_SHA256_SIZE])
{
    char hex[2 * UP_SHA256_SIZE + 1];

    up_hex(digest, UP_SHA256_SIZE, hex);
    put_string(object, name, hex);
}

static json_t *part_object(const struct up_part *part)
{
    json_t *object = json_object();

    put_string(object, "kind", up_manifest_part_name(part->kind));
    put_integer(object, "size", part->size);
    put_integer(object, "block_size", part->block_size);
    put_integer(object, "index_size", part->index_size);
    put_digest(object, "index_sha256", part->index_digest);
    put_integer(object, "data_size", part->data_size);
    if (part->delta) {
        json_t *source = json_object();

        put_integer(source, "size", part->source_size);
        put_digest(source, "sha256", part->source_digest);
        put_integer(source, "version", part->source_version);
        json_object_set_new(object, "source", source);
    }
    return object;
}

static json_t *name_and_version(const char *key, const char *name, uint64_t version)
{
    json_t *object = json_object();

    put_string(object, key, name);
    put_integer(object, "version", version);
    return object;
}

/* An object with only the version, for a part that exists. */
static void put_version(json_t *object, const char *name, const char *version)
{
    json_t *inner;

    if (!version[0])
        return;
    inner = json_object();
    put_string(inner, "version", version);
    json_object_set_new(object, name, inner);
}

static void put_override(json_t *object, const struct up_manifest *m)
{
    json_t *list = json_array();

    for (unsigned i = 0; i < m->override_count && i < UP_OVERRIDE_MAX; i++)
        json_array_append_new(list, json_string(m->override[i]));
    if (m->override_count)
        json_object_set(object, "override", list);
    json_decref(list);
}

static void put_hotfix(json_t *object, const struct up_manifest *m)
{
    json_t *inner, *base;

    if (!m->hotfix_name[0])
        return;
    inner = json_object();
    base = json_object();
    put_string(inner, "name", m->hotfix_name);
    put_string(inner, "version", m->hotfix_version);
    if (m->hotfix_files)
        json_object_set_new(inner, "files", json_true());
    for (int kind = 0; kind < UP_RELEASE_PARTS; kind++)
        put_string(base, up_manifest_part_name((enum up_part_kind)kind), m->base[kind]);
    json_object_set_new(inner, "base", base);
    json_object_set_new(object, "hotfix", inner);
}

/* The words, in rising order. */
static void put_needs(json_t *object, const struct up_manifest *m)
{
    json_t *list = json_array();

    if (m->files_version[0] || m->hotfix_files)
        json_array_append_new(list, json_string(up_manifest_part_name(UP_FILES)));
    if (m->hotfix_name[0])
        json_array_append_new(list, json_string(up_manifest_part_name(UP_HOTFIX)));
    if (json_array_size(list) > 0)
        json_object_set(object, "needs", list);
    json_decref(list);
}

static void put_meta(json_t *object, const char *meta)
{
    json_error_t why;

    if (*meta)
        json_object_set_new(object, "meta", up_json_load(meta, strlen(meta), JSON_REJECT_DUPLICATES, &why));
}

static json_t *manifest_object(const struct up_manifest *m)
{
    json_t *object = json_object(), *hardware = json_array(), *parts = json_array();

    put_string(object, "format", "moult-manifest-1");
    put_string(object, "project", m->project);
    put_string(object, "product_key", m->product_key);
    for (unsigned i = 0; i < m->hardware_count && i < UP_HARDWARE_MAX; i++)
        json_array_append_new(hardware, json_string(m->hardware[i]));
    if (m->hardware_count)
        json_object_set(object, "hardware", hardware);
    json_decref(hardware);
    put_integer(object, "sequence", m->sequence);
    put_string(object, "release", m->release);
    put_version(object, "script", m->script_version);
    put_version(object, "files", m->files_version);
    put_hotfix(object, m);
    put_needs(object, m);
    if (m->core_name[0])
        json_object_set_new(object, "core", name_and_version("name", m->core_name, m->core_version));
    if (m->requires_core[0])
        json_object_set_new(object, "requires",
                            name_and_version("core", m->requires_core, m->requires_version));
    put_string(object, "min_moult", m->min_moult);
    put_optional(object, "issued", m->issued);
    put_optional(object, "not_after", m->not_after);
    put_optional(object, "deadline", m->deadline);
    put_override(object, m);
    put_string(object, "text", m->text);
    put_meta(object, m->meta);
    for (unsigned i = 0; i < m->part_count && i < UP_PART_KINDS; i++)
        json_array_append_new(parts, part_object(&m->part[i]));
    json_object_set_new(object, "parts", parts);
    return object;
}

/* Whether both are equal, apart from the digest, which is that of a text, and from what comes
 * back as it was or not at all: overrides, and the parts, of which each field is required. */
static bool same(const struct up_manifest *a, const struct up_manifest *b)
{
    return strcmp(a->project, b->project) == 0 && strcmp(a->product_key, b->product_key) == 0 &&
           a->hardware_count == b->hardware_count && a->sequence == b->sequence &&
           strcmp(a->release, b->release) == 0 && strcmp(a->script_version, b->script_version) == 0 &&
           strcmp(a->files_version, b->files_version) == 0 && strcmp(a->core_name, b->core_name) == 0 &&
           a->core_version == b->core_version && strcmp(a->requires_core, b->requires_core) == 0 &&
           a->requires_version == b->requires_version && strcmp(a->min_moult, b->min_moult) == 0 &&
           a->issued == b->issued && a->not_after == b->not_after && a->deadline == b->deadline &&
           strcmp(a->hotfix_name, b->hotfix_name) == 0 && strcmp(a->hotfix_version, b->hotfix_version) == 0 &&
           a->hotfix_files == b->hotfix_files && memcmp(a->base, b->base, sizeof a->base) == 0 &&
           a->override_count == b->override_count && strcmp(a->text, b->text) == 0 && !*a->meta == !*b->meta;
}

int up_manifest_format(const struct up_manifest *m, char **out, size_t *len, struct up_error *err)
{
    json_t *object;
    struct up_manifest again;
    struct up_error why;
    char *text;
    int rc;

    errno = 0;
    object = manifest_object(m);
    text = json_dumps(object, JSON_SORT_KEYS | JSON_COMPACT);
    json_decref(object);
    /* A field that could not be created for lack of memory is missing in the text. */
    if (!text || errno == ENOMEM) {
        free(text);
        return up_fail(err, UP_INTERNAL, "manifest: out of memory");
    }
    /* The reader checks what the writer made, so the rules exist once. */
    rc = up_manifest_parse(&again, text, strlen(text), &why);
    if (rc == 0 && !same(m, &again))
        rc = up_fail(&why, UP_USAGE, "manifest: a field is out of its bounds");
    if (rc < 0) {
        free(text);
        return up_fail(err, rc == UP_UNTRUSTED ? UP_USAGE : rc, "%s", why.message);
    }
    *out = text;
    *len = strlen(text);
    return 0;
}
