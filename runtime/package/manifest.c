#include "manifest.h"

#include "bytes.h"
#include "digest.h"
#include "error.h"
#include "json_fields.h"
#include "version.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEADLINE_MAX (7u * 86400)
#define INDEX_HEAD 32 /* as in index.h, which lies a floor higher */
#define INDEX_ENTRY 80

static const char *const part_names[UP_PART_KINDS] = {
    [UP_SCRIPT] = "script", [UP_CORE] = "core", [UP_FILES] = "files", [UP_HOTFIX] = "hotfix"};
static const int place_of[UP_PART_KINDS] = {[UP_SCRIPT] = 0, [UP_FILES] = 1, [UP_HOTFIX] = 2, [UP_CORE] = 3};

/* Names become parts of paths and links: in depots, consoles and spools. */
static void refuse_path(struct up_json_fields *f, const char *name, const char *value)
{
    if (f->rc == 0 && (strpbrk(value, "/\\") || strcmp(value, ".") == 0 || strcmp(value, "..") == 0))
        up_json_fields_refuse(f, "%s must not be a path", name);
}

static void take_hardware(struct up_json_fields *f, struct up_manifest *m)
{
    json_t *list = up_json_fields_take(f, "hardware");
    size_t count = json_array_size(list);

    if (list && (!json_is_array(list) || count == 0 || count > UP_HARDWARE_MAX))
        up_json_fields_refuse(f, "hardware must be a list of 1 to %d names", UP_HARDWARE_MAX);
    for (size_t i = 0; f->rc == 0 && i < count; i++)
        up_json_fields_copy(f, "hardware", json_array_get(list, i), m->hardware[i], sizeof m->hardware[i]);
    m->hardware_count = f->rc < 0 ? 0 : (unsigned)count;
    json_decref(list);
}

static void take_overrides(struct up_json_fields *f, struct up_manifest *m)
{
    json_t *list = up_json_fields_take(f, "override");
    size_t count = json_array_size(list);

    if (list && (!json_is_array(list) || count == 0 || count > UP_OVERRIDE_MAX))
        up_json_fields_refuse(f, "override must be a list of 1 to %d rules", UP_OVERRIDE_MAX);
    for (size_t i = 0; f->rc == 0 && i < count; i++) {
        up_json_fields_copy(f, "override", json_array_get(list, i), m->override[i], sizeof m->override[i]);
        for (size_t k = 0; f->rc == 0 && k < i; k++)
            if (strcmp(m->override[k], m->override[i]) == 0)
                up_json_fields_refuse(f, "override names %s twice", m->override[i]);
    }
    m->override_count = f->rc < 0 ? 0 : (unsigned)count;
    json_decref(list);
}

/* Take a word of `needs`, which must be above the one before. */
static void take_need(struct up_json_fields *f, const json_t *value, char word[UP_VERSION_SIZE])
{
    char before[UP_VERSION_SIZE];

    memcpy(before, word, sizeof before);
    up_json_fields_copy(f, "needs", value, word, UP_VERSION_SIZE);
    if (f->rc == 0 && (!*word || word[strspn(word, "abcdefghijklmnopqrstuvwxyz0123456789-")]))
        up_json_fields_refuse(f, "a word in needs has characters other than a-z, 0-9 and -");
    if (f->rc == 0 && strcmp(before, word) >= 0)
        up_json_fields_refuse(f, "needs must hold each word once, in rising order");
}

/* Kinds of parts that came after format 1 was fixed. */
static bool is_late(enum up_part_kind kind)
{
    return kind == UP_FILES || kind == UP_HOTFIX;
}

/* The kind whose name the word is; 0: none. */
static unsigned needed_kind(const char *word)
{
    for (int kind = 0; kind < UP_PART_KINDS; kind++)
        if (is_late((enum up_part_kind)kind) && strcmp(word, part_names[kind]) == 0)
            return 1u << kind;
    return 0;
}

/* If a word is unknown, the rest of the manifest has no reliable meaning. */
static void take_needs(struct up_json_fields *f, unsigned *kinds)
{
    json_t *list = up_json_fields_take(f, "needs");
    size_t count = json_array_size(list);
    char word[UP_VERSION_SIZE] = "";

    *kinds = 0;
    if (list && (!json_is_array(list) || count == 0 || count > UP_NEEDS_MAX))
        up_json_fields_refuse(f, "needs must be a list of 1 to %d words", UP_NEEDS_MAX);
    for (size_t i = 0; f->rc == 0 && i < count; i++) {
        take_need(f, json_array_get(list, i), word);
        if (f->rc == 0 && needed_kind(word))
            *kinds |= needed_kind(word);
        else if (f->rc == 0)
            f->rc = up_fail(f->err, UP_INCOMPATIBLE,
                            "manifest: needs %s, which Moult " MOULT_VERSION " does not know", word);
    }
    json_decref(list);
}

/* Whether it holds nothing but strings, integers, booleans, and lists and
 * objects of them. The depth of the whole manifest is bounded already. */
static bool is_plain(const json_t *value)
{
    const char *key;
    json_t *child;
    size_t i;

    json_array_foreach(value, i, child) if (!is_plain(child)) return false;
    json_object_foreach((json_t *)value, key, child) if (!is_plain(child)) return false;
    return !json_is_real(value) && !json_is_null(value);
}

static void take_meta(struct up_json_fields *f, struct up_manifest *m)
{
    json_t *meta = up_json_fields_take(f, "meta");
    char *text = NULL;

    if (meta && !json_is_object(meta))
        up_json_fields_refuse(f, "meta must be an object");
    else if (meta && !is_plain(meta))
        up_json_fields_refuse(f, "meta may hold only strings, integers, booleans, lists and objects");
    if (f->rc == 0 && meta) {
        text = json_dumps(meta, JSON_COMPACT | JSON_SORT_KEYS);
        if (!text)
            f->rc = up_fail(f->err, UP_INTERNAL, "manifest: out of memory");
        else if (strlen(text) > UP_META_MAX)
            up_json_fields_refuse(f, "meta is larger than %d bytes", UP_META_MAX);
        else
            strcpy(m->meta, text);
    }
    free(text);
    json_decref(meta);
}

static void take_kind(struct up_json_fields *f, struct up_part *part)
{
    char kind[UP_NAME_SIZE] = "";

    up_json_fields_string(f, "kind", true, kind, sizeof kind);
    if (f->rc < 0)
        return;
    for (int i = 0; i < UP_PART_KINDS; i++)
        if (strcmp(kind, part_names[i]) == 0) {
            part->kind = (enum up_part_kind)i;
            return;
        }
    up_json_fields_refuse(f, "a part of the unknown kind \"%s\"", kind);
}

static void take_part(struct up_json_fields *f, struct up_part *part)
{
    struct up_json_fields source;
    uint64_t blocks;

    take_kind(f, part);
    part->size =
        up_json_fields_integer(f, "size", true, 1, part->kind == UP_HOTFIX ? UP_HOTFIX_MAX : UP_PART_MAX - 1);
    part->block_size = (uint32_t)up_json_fields_integer(f, "block_size", true, UP_BLOCK_MIN, UP_BLOCK_MAX);
    if (f->rc == 0 && (part->block_size & (part->block_size - 1)))
        up_json_fields_refuse(f, "block_size must be a power of two");
    part->index_size = up_json_fields_integer(f, "index_size", true, INDEX_HEAD + INDEX_ENTRY, UP_INDEX_MAX);
    up_json_fields_digest(f, "index_sha256", part->index_digest);
    part->data_size = up_json_fields_integer(f, "data_size", true, 0, UP_PART_MAX - 1);
    if (up_json_fields_enter(&source, f, "source", false)) {
        part->delta = true;
        part->source_size = up_json_fields_integer(&source, "size", true, 1, UP_PART_MAX - 1);
        up_json_fields_digest(&source, "sha256", part->source_digest);
        part->source_version = up_json_fields_integer(&source, "version", true, 0, INT64_MAX);
        up_json_fields_leave(&source, f);
    }
    if (f->rc < 0)
        return;
    blocks = (part->size + part->block_size - 1) / part->block_size;
    if (part->index_size != INDEX_HEAD + INDEX_ENTRY * blocks)
        up_json_fields_refuse(f, "index_size does not fit size and block_size");
    else if (part->data_size > part->size)
        up_json_fields_refuse(f, "data_size is larger than size");
    else if (part->delta && part->kind != UP_CORE)
        up_json_fields_refuse(f, "only a core part may be a delta");
}

static void take_parts(struct up_json_fields *f, struct up_manifest *m)
{
    json_t *list = up_json_fields_take(f, "parts");
    size_t count = json_array_size(list);

    if (!json_is_array(list) || count == 0)
        up_json_fields_refuse(f, "parts must be a list of parts");
    for (size_t i = 0; f->rc == 0 && i < count; i++) {
        struct up_json_fields inner = {.object = json_array_get(list, i), .kind = f->kind, .err = f->err};
        struct up_part part = {0};

        snprintf(inner.where, sizeof inner.where, "part %zu: ", i + 1);
        if (!json_is_object(inner.object))
            up_json_fields_refuse(&inner, "must be an object");
        take_part(&inner, &part);
        up_json_fields_rest(&inner);
        /* Kinds strictly ascend, so there is room for each. */
        if (inner.rc == 0 && i > 0 && place_of[part.kind] <= place_of[m->part[i - 1].kind])
            up_json_fields_refuse(&inner, "each kind at most once, in the order script, files, hotfix, core");
        if (inner.rc == 0)
            m->part[m->part_count++] = part;
        f->rc = inner.rc;
    }
    json_decref(list);
}

/* A hotfix travels alone, and its release, if it has one, is that which it is made for. */
static void check_hotfix(struct up_json_fields *f, const struct up_manifest *m)
{
    bool hotfix = up_manifest_part(m, UP_HOTFIX), ours = !m->release[0];

    if (hotfix != (m->hotfix_name[0] != 0))
        up_json_fields_refuse(f, "the object hotfix belongs to a hotfix part");
    if (!hotfix)
        return;
    if (m->part_count > 1)
        up_json_fields_refuse(f, "a hotfix part must be the only one");
    for (int kind = 0; kind < UP_RELEASE_PARTS; kind++)
        ours = ours || strcmp(m->release, m->base[kind]) == 0;
    if (!ours)
        up_json_fields_refuse(f, "release must be absent, or the base of the hotfix");
}

/* A field that belongs to a part is present exactly if the part is. */
static void check_belongings(struct up_json_fields *f, const struct up_manifest *m, unsigned needs)
{
    bool files = up_manifest_part(m, UP_FILES);
    unsigned has = m->hotfix_files ? 1u << UP_FILES : 0;

    if (!up_manifest_part(m, UP_SCRIPT) != !m->script_version[0])
        up_json_fields_refuse(f, "script.version belongs to a script part");
    if (!up_manifest_part(m, UP_CORE) != !m->core_name[0])
        up_json_fields_refuse(f, "core.name and core.version belong to a core part");
    if (files != (m->files_version[0] != 0))
        up_json_fields_refuse(f, "files.version belongs to a files part");
    for (unsigned i = 0; i < m->part_count; i++)
        has |= 1u << m->part[i].kind;
    for (int kind = 0; kind < UP_PART_KINDS; kind++)
        if (is_late((enum up_part_kind)kind) && (has & 1u << kind) != (needs & 1u << kind))
            up_json_fields_refuse(f, "needs must name %s if there are any, and only then", part_names[kind]);
    check_hotfix(f, m);
}

static void take_product_key(struct up_json_fields *f, struct up_manifest *m)
{
    uint8_t key[UP_SHA256_SIZE];

    up_json_fields_digest(f, "product_key", key);
    if (f->rc == 0)
        up_hex(key, sizeof key, m->product_key);
}

static void take_name(struct up_json_fields *f, const char *name, char *out, size_t size)
{
    up_json_fields_string(f, name, true, out, size);
    refuse_path(f, name, out);
}

/* Which versions a hotfix is made for: of one part at least. */
static void take_base(struct up_json_fields *f, struct up_manifest *m)
{
    struct up_json_fields inner;
    bool any = false;

    if (!up_json_fields_enter(&inner, f, "base", true))
        return;
    for (int kind = 0; kind < UP_RELEASE_PARTS; kind++) {
        char *range = m->base[kind];

        up_json_fields_string(&inner, part_names[kind], false, range, UP_RANGE_SIZE);
        any = any || *range;
        if (inner.rc == 0 && *range && !up_version_is_range(range))
            up_json_fields_refuse(&inner, "%s must be a version, or a range: >=A, <B or >=A <B",
                                  part_names[kind]);
    }
    if (!any)
        up_json_fields_refuse(&inner, "must name script, core or files");
    up_json_fields_leave(&inner, f);
}

/* Only true is ever written. */
static void take_hotfix_files(struct up_json_fields *f, struct up_manifest *m)
{
    json_t *value = up_json_fields_take(f, "files");

    m->hotfix_files = value != NULL;
    if (value && !json_is_true(value))
        up_json_fields_refuse(f, "files must be true, or absent");
    json_decref(value);
}

static void take_hotfix(struct up_json_fields *f, struct up_manifest *m)
{
    struct up_json_fields inner;

    if (!up_json_fields_enter(&inner, f, "hotfix", false))
        return;
    take_name(&inner, "name", m->hotfix_name, sizeof m->hotfix_name);
    take_name(&inner, "version", m->hotfix_version, sizeof m->hotfix_version);
    take_hotfix_files(&inner, m);
    take_base(&inner, m);
    up_json_fields_leave(&inner, f);
}

/* What the release is called, as a whole and part by part. */
static void take_versions(struct up_json_fields *f, struct up_manifest *m)
{
    struct up_json_fields inner;

    up_json_fields_string(f, "release", false, m->release, sizeof m->release);
    refuse_path(f, "release", m->release);
    take_hotfix(f, m);
    if (up_json_fields_enter(&inner, f, "script", false)) {
        take_name(&inner, "version", m->script_version, sizeof m->script_version);
        up_json_fields_leave(&inner, f);
    }
    if (up_json_fields_enter(&inner, f, "core", false)) {
        take_name(&inner, "name", m->core_name, sizeof m->core_name);
        m->core_version = up_json_fields_integer(&inner, "version", true, 0, INT64_MAX);
        up_json_fields_leave(&inner, f);
    }
    if (up_json_fields_enter(&inner, f, "files", false)) {
        take_name(&inner, "version", m->files_version, sizeof m->files_version);
        up_json_fields_leave(&inner, f);
    }
    if (!m->release[0] && !m->hotfix_name[0] && (!m->files_version[0] || m->script_version[0]))
        up_json_fields_refuse(f, "release is missing");
}

static void take_requires(struct up_json_fields *f, struct up_manifest *m)
{
    struct up_json_fields inner;

    if (!up_json_fields_enter(&inner, f, "requires", false))
        return;
    up_json_fields_string(&inner, "core", true, m->requires_core, sizeof m->requires_core);
    m->requires_version = up_json_fields_integer(&inner, "version", true, 0, INT64_MAX);
    up_json_fields_leave(&inner, f);
}

static void take_all(struct up_json_fields *f, struct up_manifest *m)
{
    unsigned needs;

    take_needs(f, &needs);
    up_json_fields_string(f, "project", true, m->project, sizeof m->project);
    take_product_key(f, m);
    take_hardware(f, m);
    m->sequence = up_json_fields_integer(f, "sequence", true, 1, INT64_MAX);
    take_versions(f, m);
    take_requires(f, m);
    up_json_fields_string(f, "min_moult", false, m->min_moult, sizeof m->min_moult);
    m->issued = up_json_fields_integer(f, "issued", false, 1, UP_JSON_FIELDS_TIME_MAX);
    m->not_after = up_json_fields_integer(f, "not_after", false, 1, UP_JSON_FIELDS_TIME_MAX);
    m->deadline = (uint32_t)up_json_fields_integer(f, "deadline", false, 1, DEADLINE_MAX);
    take_overrides(f, m);
    up_json_fields_string(f, "text", false, m->text, sizeof m->text);
    take_meta(f, m);
    take_parts(f, m);
    up_json_fields_rest(f);
    check_belongings(f, m, needs);
}

int up_manifest_parse(struct up_manifest *m, const char *text, size_t len, struct up_error *err)
{
    struct up_json_fields f;

    memset(m, 0, sizeof *m);
    if (len > UP_MANIFEST_MAX)
        return up_fail(err, UP_UNTRUSTED, "manifest: larger than %d bytes", UP_MANIFEST_MAX);
    up_json_fields_open(&f, "manifest", text, len, err);
    take_all(&f, m);
    up_sha256(text, len, m->digest);
    return up_json_fields_close(&f);
}

uint64_t up_manifest_sequence_unsigned(const uint8_t digest[32])
{
    return up_get64(digest) | UP_SEQUENCE_UNSIGNED;
}

const char *up_manifest_part_name(enum up_part_kind kind)
{
    return part_names[kind];
}

int up_manifest_release(const struct up_manifest *m, const char *version, char out[UP_VERSION_SIZE],
                        struct up_error *err)
{
    int len = m->release[0]
                  ? snprintf(out, UP_VERSION_SIZE, "%s", m->release)
                  : snprintf(out, UP_VERSION_SIZE, "%s%sF%s", version, *version ? "-" : "", m->files_version);

    return len < UP_VERSION_SIZE
               ? 0
               : up_fail(err, UP_INCOMPATIBLE, "the release %s%sF%s is longer than %d bytes", version,
                         *version ? "-" : "", m->files_version, UP_VERSION_SIZE - 1);
}

const char *up_manifest_name(const struct up_manifest *m)
{
    if (m->hotfix_name[0])
        return m->hotfix_name;
    return m->release[0] ? m->release : m->files_version;
}

const struct up_part *up_manifest_part(const struct up_manifest *m, enum up_part_kind kind)
{
    for (unsigned i = 0; i < m->part_count; i++)
        if (m->part[i].kind == kind)
            return &m->part[i];
    return NULL;
}
