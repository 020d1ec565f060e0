/* The manifest: every field at its bounds, and everything that is refused. */
#include "scratch.h"

#include <errno.h>

#include "digest.h"
#include "manifest.h"

static const char key[] = "3605a9e4358da4302f8acea41f0f52cef85d0e3f727c7b020fc7305aec8d56b4";

static void fill(struct up_manifest *m)
{
    memset(m, 0, sizeof *m);
    strcpy(m->project, "METER");
    strcpy(m->product_key, key);
    strcpy(m->hardware[0], "rev-a");
    strcpy(m->hardware[1], "rev-b");
    m->hardware_count = 2;
    m->sequence = 18;
    strcpy(m->release, "1.0.1");
    strcpy(m->script_version, "1.0.1");
    strcpy(m->core_name, "Luat_RDA8910");
    m->core_version = 22;
    strcpy(m->requires_core, "Luat_RDA8910");
    m->requires_version = 17;
    strcpy(m->min_moult, "0.1.0");
    m->issued = 1700000000;
    m->not_after = 1800000000;
    m->deadline = 300;
    strcpy(m->override[0], "version");
    strcpy(m->override[1], "budget");
    m->override_count = 2;
    strcpy(m->meta, "{\"security\":true,\"text\":{\"de\":\"neu\",\"en\":\"new\"}}");
    strcpy(m->text, "fixes the display \xe2\x82\xac");
    m->part_count = 2;
    m->part[0] = (struct up_part){
        .kind = UP_SCRIPT, .size = 4096, .block_size = 4096, .index_size = 112, .data_size = 4096};
    m->part[1] = (struct up_part){.kind = UP_CORE,
                                  .size = UP_PART_MAX - 1,
                                  .block_size = UP_BLOCK_MAX,
                                  .index_size = 32 + 80 * 8192,
                                  .data_size = UP_PART_MAX - 2};
    memset(m->part[1].index_digest, 0xab, 32);
}

static char *format(const struct up_manifest *m)
{
    struct up_error err;
    size_t len;
    char *text;

    errno = ENOMEM; /* of something before */
    must(up_manifest_format(m, &text, &len, &err), &err);
    assert_int_equal(len, strlen(text));
    return text;
}

static int parse(struct up_manifest *m, const char *text, struct up_error *err)
{
    return up_manifest_parse(m, text, strlen(text), err);
}

static void same_parts(const struct up_part *a, const struct up_part *b)
{
    assert_int_equal(a->kind, b->kind);
    assert_true(a->size == b->size && a->data_size == b->data_size && a->index_size == b->index_size);
    assert_int_equal(a->block_size, b->block_size);
    assert_memory_equal(a->index_digest, b->index_digest, 32);
    assert_int_equal(a->delta, b->delta);
    assert_true(a->source_size == b->source_size && a->source_version == b->source_version);
    assert_memory_equal(a->source_digest, b->source_digest, 32);
}

static void same_fields(const struct up_manifest *a, const struct up_manifest *b)
{
    assert_memory_equal(a->digest, b->digest, 32);
    assert_string_equal(a->project, b->project);
    assert_string_equal(a->product_key, b->product_key);
    assert_int_equal(a->hardware_count, b->hardware_count);
    for (unsigned i = 0; i < a->hardware_count; i++)
        assert_string_equal(a->hardware[i], b->hardware[i]);
    assert_true(a->sequence == b->sequence);
    assert_string_equal(a->release, b->release);
    assert_string_equal(a->script_version, b->script_version);
    assert_string_equal(a->files_version, b->files_version);
    assert_string_equal(a->hotfix_name, b->hotfix_name);
    assert_string_equal(a->hotfix_version, b->hotfix_version);
    assert_int_equal(a->hotfix_files, b->hotfix_files);
    assert_memory_equal(a->base, b->base, sizeof a->base);
    assert_string_equal(a->core_name, b->core_name);
    assert_true(a->core_version == b->core_version);
    assert_string_equal(a->requires_core, b->requires_core);
    assert_true(a->requires_version == b->requires_version);
    assert_string_equal(a->min_moult, b->min_moult);
    assert_true(a->issued == b->issued && a->not_after == b->not_after);
    assert_int_equal(a->deadline, b->deadline);
    assert_int_equal(a->override_count, b->override_count);
    for (unsigned i = 0; i < a->override_count; i++)
        assert_string_equal(a->override[i], b->override[i]);
    assert_string_equal(a->meta, b->meta);
    assert_string_equal(a->text, b->text);
    assert_int_equal(a->part_count, b->part_count);
    for (unsigned i = 0; i < a->part_count; i++)
        same_parts(&a->part[i], &b->part[i]);
}

static void test_round_trip(void **state)
{
    struct up_manifest m, again;
    struct up_error err;
    char *text, *second;

    (void)state;
    for (int variant = 0; variant < 6; variant++) {
        fill(&m);
        if (variant == 1) { /* script only, and nothing optional */
            m.part_count = 1;
            m.core_name[0] = m.requires_core[0] = m.min_moult[0] = m.text[0] = m.meta[0] = 0;
            m.core_version = m.requires_version = m.issued = m.not_after = 0;
            m.deadline = m.override_count = m.hardware_count = 0;
        } else if (variant == 2) { /* core only, a delta */
            m.part[0] = m.part[1];
            m.part_count = 1;
            m.script_version[0] = 0;
            m.part[0].delta = true;
            m.part[0].source_size = 12345;
            m.part[0].source_version = 17;
            memset(m.part[0].source_digest, 0xcd, 32);
        } else if (variant >= 4) { /* files, with a script and without */
            m.part[1] = m.part[0];
            m.part[1].kind = UP_FILES;
            strcpy(m.files_version, "080507");
            m.core_name[0] = 0;
            m.core_version = 0;
            if (variant == 5) {
                m.part[0] = m.part[1];
                m.part_count = 1;
                m.script_version[0] = 0;
                m.release[0] = 0; /* each device makes it */
            }
        } else if (variant == 3) { /* the highest numbers */
            m.sequence = m.core_version = m.requires_version = INT64_MAX;
            m.issued = m.not_after = 253402300799;
            m.deadline = 7 * 86400;
            for (int i = 0; i < UP_OVERRIDE_MAX; i++)
                snprintf(m.override[i], sizeof m.override[i], "rule of tomorrow %d", i);
            m.override_count = UP_OVERRIDE_MAX;
        }
        text = format(&m);
        must(parse(&again, text, &err), &err);
        up_sha256(text, strlen(text), m.digest);
        same_fields(&m, &again);
        second = format(&again);
        assert_string_equal(text, second);
        free(second);
        free(text);
    }
}

/* `text` with the one place of `from` replaced. */
static char *replaced(const char *text, const char *from, const char *to)
{
    const char *at = strstr(text, from);
    char *out = malloc(strlen(text) + strlen(to) + 1);

    if (!at)
        fail_msg("%s is not in %s", from, text);
    sprintf(out, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
    return out;
}

struct change {
    const char *from, *to, *message;
    int code;
};

#define T UP_UNTRUSTED
#define S32 "0123456789abcdef0123456789abcdef"

static const struct change good[] = {
    {"\"sequence\":18", "\"sequence\":1", "", 0},
    {"\"sequence\":18", "\"sequence\":9223372036854775807", "", 0},
    {"\"release\":\"1.0.1\"", "\"release\":\"" S32 "\"", "", 0},
    {"\"project\":\"METER\"", "\"project\":\"" S32 S32 "\"", "", 0},
    {"\"deadline\":300", "\"deadline\":1", "", 0},
    {"\"deadline\":300", "\"deadline\":604800", "", 0},
    {"\"hardware\":[\"rev-a\",\"rev-b\"],", "", "", 0},
    {"{\"core\"", " \t\r\n{ \"core\"", "", 0},
    {"METER", "\\u004dETER", "", 0},
    {"\"version\":22", "\"version\":0", "", 0},
};

static const struct change bad[] = {
    {"moult-manifest-1", "moult-manifest-2", "newer", UP_INCOMPATIBLE},
    {"moult-manifest-1", "moult-manifest-99", "newer", UP_INCOMPATIBLE},
    {"moult-manifest-1", "moult-manifest-0", "format", T},
    {"moult-manifest-1", "moult-manifest-2x", "format", T},
    {"moult-manifest-1", "moult-permit-1", "format", T},
    {"\"format\":\"moult-manifest-1\",", "", "format is missing", T},
    {"\"kind\":\"core\"", "\"kind\":\"files\"", "belong to a core part", T},
    {"\"kind\":\"core\"", "\"kind\":\"hotfix\"", "size must be between 1 and 16777216", T},
    {"\"kind\":\"core\"", "\"kind\":\"boot\"", "unknown kind", T},
    {"\"kind\":\"core\"", "\"kind\":\"script\"", "at most once", T},
    {"{\"core\"", "{\"extra\":1,\"core\"", "unknown field \"extra\"", T},
    {"\"kind\":\"script\"", "\"kind\":\"script\",\"x\":0", "part 1: unknown field \"x\"", T},
    {"\"name\":\"Luat_RDA8910\"", "\"name\":\"Luat_RDA8910\",\"x\":0", "core.unknown field", T},
    {"{\"core\"", "{\"sequence\":18,\"core\"", "duplicate", T},
    {"\"sequence\":18", "\"sequence\":0", "sequence", T},
    {"\"sequence\":18", "\"sequence\":-1", "sequence", T},
    {"\"sequence\":18", "\"sequence\":9223372036854775808", "integer", T},
    {"\"sequence\":18", "\"sequence\":18.0", "integer", T},
    {"\"sequence\":18", "\"sequence\":1e3", "integer", T},
    {"\"sequence\":18", "\"sequence\":\"18\"", "integer", T},
    {"\"sequence\":18", "\"sequence\":true", "integer", T},
    {"\"sequence\":18,", "", "sequence is missing", T},
    {"\"project\":\"METER\",", "", "project is missing", T},
    {"\"project\":\"METER\"", "\"project\":\"\"", "project", T},
    {"\"project\":\"METER\"", "\"project\":\"" S32 S32 "x\"", "project", T},
    {"\"project\":\"METER\"", "\"project\":7", "project", T},
    {"METER", "ME\\nTER", "control", T},
    {"METER", "ME\\u007fTER", "control", T},
    {"METER", "ME\\u0085TER", "control", T},
    {"METER", "ME\\u202eTER", "direction", T},
    {"\"release\":\"", "\"release\":\"../", "release must not be a path", T},
    {"\"release\":\"", "\"release\":\"a\\\\", "release must not be a path", T},
    {"\"version\":\"", "\"version\":\"/", "version must not be a path", T},
    {"METER", "ME\\u0000TER", "line", T},
    {"METER", "ME\xffTER", "line", T},
    {"\"release\":\"1.0.1\"", "\"release\":\"" S32 "x\"", "release", T},
    {"\"release\":\"1.0.1\",", "", "release is missing", T},
    {"3605a9e4", "3605A9E4", "product_key", T},
    {"3605a9e4", "3605a9e", "product_key", T},
    {"3605a9e4", "3605a9eg", "product_key", T},
    {"[\"rev-a\",\"rev-b\"]", "[]", "hardware", T},
    {"[\"rev-a\",\"rev-b\"]", "\"rev-a\"", "hardware", T},
    {"[\"rev-a\",\"rev-b\"]", "[\"rev-a\",1]", "hardware", T},
    {"[\"rev-a\",\"rev-b\"]",
     "[\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\",\"8\",\"9\",\"10\",\"11\",\"12\",\"13\",\"14\",\"15\","
     "\"16\",\"17\"]",
     "hardware", T},
    {"\"script\":{\"version\":\"1.0.1\"},", "", "script.version", T},
    {"\"script\":{\"version\":\"1.0.1\"}", "\"script\":{}", "version is missing", T},
    {"\"script\":{\"version\":\"1.0.1\"}", "\"script\":\"1.0.1\"", "must be an object", T},
    {"\"core\":{\"name\":\"Luat_RDA8910\",\"version\":22},", "", "core.name", T},
    {"\"core\":{\"name\":\"Luat_RDA8910\",\"version\":22}", "\"core\":{\"name\":\"x\"}", "version is missing",
     T},
    {"\"version\":22", "\"version\":-1", "core.version", T},
    {"\"requires\":{\"core\":\"Luat_RDA8910\",\"version\":17}", "\"requires\":{\"core\":\"x\"}",
     "version is missing", T},
    {"\"issued\":1700000000", "\"issued\":0", "issued", T},
    {"\"issued\":1700000000", "\"issued\":253402300800", "issued", T},
    {"\"not_after\":1800000000", "\"not_after\":0", "not_after", T},
    {"\"deadline\":300", "\"deadline\":0", "deadline", T},
    {"\"deadline\":300", "\"deadline\":604801", "deadline", T},
    {"[\"version\",\"budget\"]", "[]", "override", T},
    {"[\"version\",\"budget\"]", "[\"version\",\"version\"]", "twice", T},
    {"[\"version\",\"budget\"]", "[7]", "override must be a string", T},
    {"[\"version\",\"budget\"]", "7", "override", T},
    {"{\"security\":true", "7,\"x\":{\"security\":true", "meta must be an object", T},
    {"\"security\":true", "\"security\":1.5", "meta may hold only strings", T},
    {"\"security\":true", "\"security\":[null]", "meta may hold only strings", T},
    {"\"core\":{", "\"needs\":[\"patches\"],\"core\":{", "needs patches, which Moult", UP_INCOMPATIBLE},
    {"\"core\":{", "\"needs\":[\"a\",\"b\"],\"of\":{},\"core\":{", "needs a, which Moult", UP_INCOMPATIBLE},
    {"\"core\":{", "\"needs\":[],\"core\":{", "needs must be a list", T},
    {"\"core\":{", "\"needs\":[7],\"core\":{", "needs must be a string", T},
    {"\"core\":{", "\"needs\":\"a\",\"core\":{", "needs must be a list", T},
    {"\"core\":{", "\"needs\":[\"b\",\"a\"],\"core\":{", "needs b, which Moult", UP_INCOMPATIBLE},
    {"\"core\":{", "\"needs\":[\"files\",\"a\"],\"core\":{", "each word once, in rising order", T},
    {"\"core\":{", "\"needs\":[\"files\",\"files\"],\"core\":{", "each word once, in rising order", T},
    {"\"core\":{", "\"needs\":[\"\"],\"core\":{", "needs", T},
    {"\"core\":{", "\"needs\":[\"Files\"],\"core\":{", "characters other than", T},
    {"\"core\":{", "\"needs\":[\"a b\"],\"core\":{", "characters other than", T},
    {"\"core\":{", "\"needs\":[\"files\"],\"core\":{", "only then", T},
    {"\"core\":{", "\"needs\":[\"files\",\"later\"],\"of\":{},\"core\":{", "needs later, which Moult",
     UP_INCOMPATIBLE},
    {"\"core\":{", "\"files\":{\"version\":\"1\"},\"core\":{", "files.version belongs", T},
    {"\"release\":\"1.0.1\",", "\"files\":{\"version\":\"1\"},", "release is missing", T},
    {"\"core\":{", "\"files\":{\"version\":\"../1\"},\"core\":{", "must not be a path", T},
    {"\"core\":{", "\"files\":{},\"core\":{", "version is missing", T},
    {"\"kind\":\"script\"", "\"kind\":\"files\"", "belongs to a script part", T},
    {"\"block_size\":4096", "\"block_size\":2048", "block_size", T},
    {"\"block_size\":4096", "\"block_size\":4097", "power of two", T},
    {"\"block_size\":1048576", "\"block_size\":2097152", "block_size", T},
    {"\"index_size\":112", "\"index_size\":111", "index_size", T},
    {"\"index_size\":112", "\"index_size\":192", "index_size", T},
    {"\"index_size\":112", "\"index_size\":18446744073709551728", "integer", T},
    {"\"data_size\":4096", "\"data_size\":4097", "data_size", T},
    {"\"data_size\":4096", "\"data_size\":-1", "data_size", T},
    {"\"size\":8589934591", "\"size\":8589934592", "size", T},
    {"\"size\":8589934591", "\"size\":0", "size", T},
    {"\"kind\":\"script\"",
     "\"kind\":\"script\",\"source\":{\"size\":1,\"sha256\":\"" S32 S32 "\",\"version\":1}", "delta", T},
    {"\"kind\":\"core\"", "\"kind\":\"core\",\"source\":{\"size\":1}", "sha256 is missing", T},
    {"\"kind\":\"core\"", "\"kind\":\"core\",\"source\":{\"size\":1,\"sha256\":\"" S32 S32 "\"}",
     "version is missing", T},
    {"\"kind\":\"core\"", "\"kind\":\"core\",\"source\":7", "must be an object", T},
    {"\"abababab", "\"ABababab", "index_sha256", T},
    {"{\"core\"", "[{\"core\"", "line", T},
    {"\"text\":\"", "\"text\":[[[[[[[[0]]]]]]]],\"t\":\"", "deeper", T},
};

static void must_refuse(const char *text, const struct change *c)
{
    char *changed = replaced(text, c->from, c->to);
    struct up_manifest m;
    struct up_error err;
    int rc = parse(&m, changed, &err);

    if (rc != c->code || !strstr(err.message, c->message))
        fail_msg("%s -> %s: code %d, %s", c->from, c->to, rc, rc < 0 ? err.message : "accepted");
    free(changed);
}

static void test_fields(void **state)
{
    struct up_manifest m;
    struct up_error err;
    char *text, *changed;

    (void)state;
    fill(&m);
    text = format(&m);
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        changed = replaced(text, good[i].from, good[i].to);
        must(parse(&m, changed, &err), &err);
        free(changed);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        must_refuse(text, &bad[i]);
    free(text);
}

static void fill_hotfix(struct up_manifest *m)
{
    fill(m);
    m->script_version[0] = m->core_name[0] = m->release[0] = 0;
    m->core_version = 0;
    strcpy(m->hotfix_name, "clock");
    strcpy(m->hotfix_version, "1");
    strcpy(m->base[UP_SCRIPT], ">=1.0 <2.0");
    m->part[0].kind = UP_HOTFIX;
    m->part_count = 1;
}

/* With files and without, for each part, for a release or not; as large as it may be. */
static void test_hotfix_round_trip(void **state)
{
    struct up_manifest m, again;
    struct up_error err;
    char *text;

    (void)state;
    for (int variant = 0; variant < 6; variant++) {
        fill_hotfix(&m);
        m.hotfix_files = variant % 2;
        if (variant == 2) {
            strcpy(m.base[UP_CORE], "22");
            strcpy(m.base[UP_FILES], "080507");
        } else if (variant == 3) {
            memset(m.base, 0, sizeof m.base);
            strcpy(m.base[UP_FILES], "<080507");
            strcpy(m.release, "<080507");
        } else if (variant == 4) {
            m.part[0].size = UP_HOTFIX_MAX;
            m.part[0].index_size = 32 + 80 * (UP_HOTFIX_MAX / 4096);
        }
        text = format(&m);
        must(parse(&again, text, &err), &err);
        up_sha256(text, strlen(text), m.digest);
        same_fields(&m, &again);
        free(text);
    }
}

static const struct change bad_hotfix[] = {
    {"\"files\":true", "\"files\":false", "files must be true, or absent", T},
    {"\"files\":true", "\"files\":1", "files must be true, or absent", T},
    {"\"files\":true", "\"x\":true", "unknown field \"x\"", T},
    {"\"needs\":[\"files\",\"hotfix\"]", "\"needs\":[\"files\"]", "needs must name hotfix", T},
    {"\"needs\":[\"files\",\"hotfix\"]", "\"needs\":[\"hotfix\"]", "needs must name files", T},
    {"\"needs\":[\"files\",\"hotfix\"],", "", "needs must name", T},
    {"\"files\":true,", "", "needs must name files", T},
    {"{\"script\":\">=1.0 <2.0\"}", "{}", "must name script, core or files", T},
    {"{\"script\":\">=1.0 <2.0\"}", "{\"script\":\"1\",\"hotfix\":\"1\"}", "unknown field \"hotfix\"", T},
    {"{\"script\":\">=1.0 <2.0\"}", "7", "must be an object", T},
    {"\"base\":{\"script\":\">=1.0 <2.0\"},", "", "base is missing", T},
    {">=1.0 <2.0", "<1.0 >=2.0", "script must be a version, or a range", T},
    {"\"name\":\"clock\"", "\"name\":\"a/b\"", "name must not be a path", T},
    {"\"name\":\"clock\"", "\"name\":\"..\"", "name must not be a path", T},
    {"\"name\":\"clock\"", "\"name\":\"seventeen letters\"", "name", T},
    {"\"name\":\"clock\",", "", "name is missing", T},
    {"\"version\":\"1\"", "\"version\":\".\"", "version must not be a path", T},
    {"\"parts\":", "\"release\":\"1.0.1\",\"parts\":", "release must be absent, or the base", T},
    {"\"kind\":\"hotfix\"", "\"kind\":\"script\"", "belongs to", T},
    {"\"size\":4096}", "\"size\":16777217}", "size must be between 1 and 16777216", T},
};

static void test_hotfix_fields(void **state)
{
    struct up_manifest m;
    struct up_error err;
    char *text;

    (void)state;
    fill_hotfix(&m);
    m.hotfix_files = true;
    text = format(&m);
    for (size_t i = 0; i < sizeof bad_hotfix / sizeof bad_hotfix[0]; i++)
        must_refuse(text, &bad_hotfix[i]);
    free(text);
    m.part[1] = m.part[0]; /* it travels alone */
    m.part[1].kind = UP_CORE;
    m.part_count = 2;
    strcpy(m.core_name, "x");
    must_fail(up_manifest_format(&m, &text, &(size_t){0}, &err), UP_USAGE, "must be the only one", &err);
}

/* A list of `count` words, one above the other. */
static char *list_of(unsigned count)
{
    char *out = calloc(1, 2 + 8 * count), *at = out;

    *at++ = '[';
    for (unsigned i = 0; i < count; i++)
        at += sprintf(at, "%s\"w%02u\"", i ? "," : "", i);
    *at = ']';
    return out;
}

/* As long as it may be, and one more. */
static void test_lists_at_their_bounds(void **state)
{
    static const struct {
        const char *list, *field, *message;
        unsigned most;
    } lists[] = {{"[\"rev-a\",\"rev-b\"]", "", "hardware must be", UP_HARDWARE_MAX},
                 {"[\"version\",\"budget\"]", "", "override must be", UP_OVERRIDE_MAX},
                 {"\"project\"", "\"needs\":%s,\"project\"", "needs must be", UP_NEEDS_MAX}};
    struct up_manifest m;
    struct up_error err;
    char *text;

    (void)state;
    fill(&m);
    text = format(&m);
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
        for (unsigned more = 0; more < 2; more++) {
            char *list = list_of(lists[i].most + more), to[256], *changed;
            int rc;

            if (*lists[i].field)
                snprintf(to, sizeof to, "\"needs\":%s,\"project\"", list);
            changed = replaced(text, lists[i].list, *lists[i].field ? to : list);
            rc = parse(&m, changed, &err);
            if (more)
                must_fail(rc, UP_UNTRUSTED, lists[i].message, &err);
            else if (*lists[i].field) /* taken, and read */
                must_fail(rc, UP_INCOMPATIBLE, "needs w00", &err);
            else
                must(rc, &err);
            free(changed);
            free(list);
        }
    free(text);
}

static void test_meta_at_its_bound(void **state)
{
    char *meta = calloc(1, UP_META_MAX + 2), *text, *changed;
    struct up_manifest m;
    struct up_error err;

    (void)state;
    fill(&m);
    m.meta[0] = 0;
    text = format(&m);
    for (int more = 0; more < 2; more++) {
        char to[UP_META_MAX + 64];

        memset(meta, 'm', UP_META_MAX + more);
        memcpy(meta, "{\"a\":\"", 6);
        memcpy(meta + UP_META_MAX + more - 2, "\"}", 3);
        snprintf(to, sizeof to, "\"meta\":%s,\"project\"", meta);
        changed = replaced(text, "\"project\"", to);
        if (more)
            must_fail(parse(&m, changed, &err), UP_UNTRUSTED, "meta is larger than 16384 bytes", &err);
        else {
            must(parse(&m, changed, &err), &err);
            assert_string_equal(m.meta, meta);
        }
        free(changed);
    }
    free(text);
    free(meta);
}

/* What a release is called that each device makes. */
static void test_release(void **state)
{
    struct up_manifest m = {.files_version = "0123456789abcde"}; /* 15 */
    char out[UP_VERSION_SIZE];
    struct up_error err;

    (void)state;
    must(up_manifest_release(&m, "1.0.1", out, &err), &err);
    assert_string_equal(out, "1.0.1-F0123456789abcde");
    must(up_manifest_release(&m, "", out, &err), &err);
    assert_string_equal(out, "F0123456789abcde");
    must(up_manifest_release(&m, "0123456789abcde", out, &err), &err);
    assert_int_equal(strlen(out), UP_VERSION_SIZE - 1);
    must_fail(up_manifest_release(&m, "0123456789abcdef", out, &err), UP_INCOMPATIBLE, "longer than 32",
              &err);
    strcpy(m.release, "1.0.2");
    must(up_manifest_release(&m, "1.0.1", out, &err), &err);
    assert_string_equal(out, "1.0.2");
    assert_string_equal(up_manifest_name(&m), "1.0.2");
    strcpy(m.hotfix_name, "clock");
    assert_string_equal(up_manifest_name(&m), "clock");
    m.hotfix_name[0] = m.release[0] = 0;
    assert_string_equal(up_manifest_name(&m), m.files_version);
}

static void test_cut_and_padded(void **state)
{
    struct up_manifest m;
    struct up_error err;
    char *text, *large;
    size_t len;

    (void)state;
    fill(&m);
    text = format(&m);
    len = strlen(text);
    for (size_t cut = 0; cut < len; cut++) {
        char *copy = malloc(cut ? cut : 1); /* so that reading past the end is seen */

        memcpy(copy, text, cut);
        assert_int_equal(up_manifest_parse(&m, copy, cut, &err), UP_UNTRUSTED);
        free(copy);
    }
    assert_int_equal(up_manifest_parse(&m, text, len + 1, &err), UP_UNTRUSTED); /* the NUL */
    large = malloc(UP_MANIFEST_MAX + 1);
    memset(large, ' ', UP_MANIFEST_MAX + 1);
    memcpy(large, text, len);
    must(up_manifest_parse(&m, large, UP_MANIFEST_MAX, &err), &err);
    must_fail(up_manifest_parse(&m, large, UP_MANIFEST_MAX + 1, &err), UP_UNTRUSTED, "larger", &err);
    memset(large, '[', UP_MANIFEST_MAX);
    must_fail(up_manifest_parse(&m, large, UP_MANIFEST_MAX, &err), UP_UNTRUSTED, "deeper", &err);
    free(large);
    free(text);
}

/* Any byte may become any other: nothing crashes, and what is accepted can be written again. */
static void test_every_byte(void **state)
{
    struct up_manifest m;
    struct up_error err;
    char *text, *again;
    size_t len;

    (void)state;
    fill(&m);
    text = format(&m);
    for (size_t i = 0; text[i]; i++) {
        char kept = text[i];

        for (int k = 0; k < 8; k++) {
            text[i] = (char)(kept ^ 1 << k);
            if (parse(&m, text, &err) == 0) {
                must(up_manifest_format(&m, &again, &len, &err), &err);
                free(again);
            }
        }
        text[i] = kept;
    }
    free(text);
}

static void refused_format(const struct up_manifest *m, const char *part)
{
    struct up_error err;
    size_t len;
    char *text;

    must_fail(up_manifest_format(m, &text, &len, &err), UP_USAGE, part, &err);
}

static void test_format_refuses(void **state)
{
    struct up_manifest m;

    (void)state;
    fill(&m);
    m.sequence = 0;
    refused_format(&m, "sequence");
    fill(&m);
    m.sequence = (uint64_t)INT64_MAX + 1;
    refused_format(&m, "sequence");
    fill(&m);
    strcpy(m.project, "a\nb");
    refused_format(&m, "control");
    fill(&m);
    strcpy(m.text, "\xff");
    refused_format(&m, "");
    fill(&m);
    m.project[0] = 0;
    refused_format(&m, "project");
    fill(&m);
    m.part_count = 0;
    refused_format(&m, "parts");
    fill(&m);
    strcpy(m.override[1], "version");
    refused_format(&m, "override names version twice");
    fill(&m);
    strcpy(m.meta, "{\"a\":1.5}");
    refused_format(&m, "meta");
    fill(&m);
    strcpy(m.meta, "[]");
    refused_format(&m, "meta must be an object");
    fill(&m);
    m.script_version[0] = 0;
    refused_format(&m, "script.version");
    fill(&m);
    m.requires_core[0] = 0; /* a version without a name would be lost */
    refused_format(&m, "bounds");
}

/* What the text cannot carry is never left out of it in silence. */
static void test_format_loses_nothing(void **state)
{
    struct up_manifest m;

    (void)state;
    fill(&m);
    strcpy(m.hardware[1], "rev-\xff");
    refused_format(&m, "bounds");
    fill(&m);
    m.hardware_count = UP_HARDWARE_MAX + 1; /* more than there is room for */
    for (int i = 0; i < UP_HARDWARE_MAX; i++)
        snprintf(m.hardware[i], sizeof m.hardware[i], "rev-%d", i);
    refused_format(&m, "bounds");
    fill(&m);
    m.part[2] = m.part[1];
    m.part_count = UP_PART_KINDS + 1;
    refused_format(&m, "each kind at most once");
    fill(&m);
    m.part_count = 1; /* a core version without a core */
    m.core_name[0] = 0;
    refused_format(&m, "bounds");
    fill(&m);
    strcpy(m.min_moult, "\xff");
    refused_format(&m, "bounds");
    fill(&m);
    strcpy(m.text, "\xff");
    refused_format(&m, "bounds");
    fill(&m);
    m.override_count = UP_OVERRIDE_MAX + 1;
    refused_format(&m, "");
    fill(&m);
    strcpy(m.meta, "{\"broken\":");
    refused_format(&m, "bounds");
}

/* What nobody signed: known by its digest, no sequence, and no floor rises to it. */
static void test_unsigned(void **state)
{
    uint8_t digest[32] = {1, 2, 3, 4, 5, 6, 7, 8, 9}, other[32] = {1, 2, 3, 4, 5, 6, 8, 8, 9};
    uint64_t sequence = up_manifest_sequence_unsigned(digest);

    (void)state;
    assert_true(up_manifest_sequence_is_unsigned(sequence));
    assert_true(sequence != up_manifest_sequence_unsigned(other));
    assert_false(up_manifest_sequence_is_unsigned(INT64_MAX)); /* the highest that a manifest can say */
    assert_false(up_manifest_sequence_raises(sequence, 0));
    assert_true(up_manifest_sequence_raises(2, 1));
    assert_false(up_manifest_sequence_raises(1, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_hotfix_round_trip),
        cmocka_unit_test(test_hotfix_fields),
        cmocka_unit_test(test_lists_at_their_bounds),
        cmocka_unit_test(test_meta_at_its_bound),
        cmocka_unit_test(test_release),
        cmocka_unit_test(test_cut_and_padded),
        cmocka_unit_test(test_every_byte),
        cmocka_unit_test(test_format_refuses),
        cmocka_unit_test(test_format_loses_nothing),
        cmocka_unit_test(test_unsigned),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
