/*
 * seeds.c -- write the first inputs of every target, made of the same fixtures
 * as the checks. The same program, the same bytes.
 *
 *     fuzz_seeds DIRECTORY      makes DIRECTORY/<target>/seed-<name>
 */
#include "archives.h"
#include "codec.h"
#include "delta_image.h"
#include "delta_maker.h"
#include "error.h"
#include "files_tree_fixture.h"
#include "fixture.h"
#include "fuzz.h"
#include "journal.h"
#include "minisign.h"
#include "package.h"
#include "patch.h"
#include "patch_images.h"
#include "sim.h"
#include "tar.h"
#include "variants.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char *root;

/* A byte string that grows. */
struct bytes {
    uint8_t data[1 << 20];
    size_t len;
};

static void put(struct bytes *b, const void *data, size_t len)
{
    FUZZ_REQUIRE(len <= sizeof b->data - b->len);
    memcpy(b->data + b->len, data, len);
    b->len += len;
}

static void put_number(struct bytes *b, uint64_t v, size_t size)
{
    for (size_t i = 0; i < size; i++)
        put(b, &(uint8_t){(uint8_t)(v >> 8 * i)}, 1);
}

static void save(const char *target, const char *name, const void *data, size_t len)
{
    char path[4096];
    FILE *file;

    snprintf(path, sizeof path, "%s/%s", root, target);
    FUZZ_REQUIRE(mkdir(path, 0755) == 0 || errno == EEXIST);
    snprintf(path, sizeof path, "%s/%s/seed-%s", root, target, name);
    file = fopen(path, "wb");
    FUZZ_REQUIRE(file && fwrite(data, 1, len, file) == len && fclose(file) == 0);
}

/* Texts after a first byte, `|` standing for the zero byte between them. */
static void save_text(const char *target, const char *name, int first, const char *text)
{
    struct bytes *b = calloc(1, sizeof *b);

    FUZZ_REQUIRE(b);
    if (first >= 0)
        put_number(b, (uint64_t)first, 1);
    put(b, text, strlen(text));
    for (size_t i = first >= 0; i < b->len; i++)
        if (b->data[i] == '|')
            b->data[i] = 0;
    save(target, name, b->data, b->len);
    free(b);
}

struct text_seed {
    const char *target, *name;
    int first; /* -1: none */
    const char *text;
};

static const struct text_seed texts[] = {
    {"http", "range", 0, "\x10\x27******bytes=10-99"},
    {"http", "suffix", 0, "\x10\x27******bytes=-500"},
    {"http", "open", 0, "\x10\x27******bytes=9500-"},
    {"http", "several", 0, "\x10\x27******bytes=0-0,-1"},
    {"http", "tags", 1, "abc|W/\"abc\", \"def\""},
    {"http", "any-tag", 1, "abc|*"},
    {"http", "target", 2, "/a%20b/c.upd?imei=866714040000001&project=METER&x=%2f&flag"},
    {"http", "proxy", 2, "http://host:80/p/../q?a=1&&b"},
    {"url", "plain", -1, "http://host:8080/a/b?x=1|c/d.upd|http://host:8080/a/"},
    {"url", "secret", -1, "https://user:password@host/p|https://other/q#f|"},
    {"url", "climb", -1, "http://host/a/b|../../%2e%2e/c\\d|http://host/a/"},
    {"url", "scheme", -1, "https://[::1]:443/|file:///etc/passwd|"},
    {"fetch", "whole", 0, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nETag: \"a\"\r\n\r\nhello"},
    {"fetch", "part", 0,
     "HTTP/1.1 206 Partial Content\r\nContent-Length: 5\r\nContent-Range: bytes 0-4/10\r\nETag: \"a\"\r\n\r\n"
     "hello|HTTP/1.1 206 Partial Content\r\nContent-Length: 5\r\nContent-Range: bytes 5-9/10\r\n"
     "ETag: \"a\"\r\n\r\nworld"},
    {"fetch", "redirect", 2,
     "HTTP/1.1 302 Found\r\nLocation: /y.upd\r\nContent-Length: 0\r\n\r\n|"
     "HTTP/1.0 200 OK\r\n\r\nhello"},
    {"fetch", "chunks", 0,
     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n"},
    {"fetch", "outside", 0, "HTTP/1.1 416 No\r\nContent-Range: bytes */0\r\nContent-Length: 0\r\n\r\n"},
    {"fetch", "refused", 0, "HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\n{}"},
    {"control", "status", 1, "{\"id\":1,\"verb\":\"status\"}\n"},
    {"control", "several", 255,
     "{\"id\":2,\"verb\":\"install\",\"source\":\"http://h/p.upd\"}\n{\"verb\":\"watch\"}\n[]\n{}\n"
     "{\"a\":[1,-2,3.5e1,null,true,false,\"\\u00e4\\n\"],\"b\":{\"c\":[]}}\n9223372036854775807\n\n"},
    {"control", "torn", 3, "{\"id\":1,\"verb\":\"facts\",\"facts\":{\"battery\":55.5}}\n{\"id\":"},
    {"config", "smallest", -1,
     "return { project = \"METER\", product_key = \"k-123\", hardware = \"rev-a\", id = "
     "\"866714040000001\",\n"
     "  state = \"state\", keys = \"keys\",\n"
     "  core = { slots = { a = \"slot-a.img\", b = \"slot-b.img\" }, boot = \"file\" },\n"
     "  cloud = { kind = \"luat\", url = \"http://127.0.0.1:8080/api/site/firmware_upgrade\", period = 14400 "
     "} }\n"},
    {"config", "fuller", -1,
     "return { project = \"M\", product_key = \"k\", hardware = \"h\", id = \"1\", state = \"/s\",\n"
     "  restart = { \"systemctl\", \"reboot\" }, confirm = \"script\", confirm_after = 5, heartbeat = 60,\n"
     "  limits = { battery = 30, window = { from = \"01:00\" } }, backoff = { least = 1, most = 2 },\n"
     "  clouds = { { kind = \"luat\", url = \"https://h/x\", redirect = true } } }\n"},
    {"config", "endless", -1, "while true do end"},
    {"recipe", "script", -1,
     "return { project = \"METER\", product_key = \"k-123\", hardware = { \"rev-a\" }, sequence = 18,\n"
     "  version = \"1.0.1\", script = { dir = \"app\" } }\n"},
    {"recipe", "core", -1,
     "return { project = \"M\", product_key = \"k\", sequence = 1, version = \"1\", issued = 1700000000,\n"
     "  core = { name = \"Luat\", version = 22, image = \"core22.img\", encoding = \"lzma\", block_size = "
     "4096 },\n"
     "  requires = { core = \"Luat\", version = 17 }, override = { \"battery\" }, text = \"new\" }\n"},
    {"files_archive", "two-files", -1, "app\t/r\t4\t2\nb\t/r\t1\t4\nc\t/r\t2\t4\n|||| app| b"},
    {"files_archive", "nothing-to-put", -1, "c\t/r\t2\t4\n"},
    {"update_ini", "four-lines", -1,
     "MIT\t/mnt/yaffs/app/MIT/Bin\t4\t2\r\nwindow_button_set_up.gif\t/mnt/yaffs/app/MIT/Resource/"
     "picture\t1\t4\r\n"
     "db_set.db\t/mnt/yaffs/app/MIT/ Resource/etc\t4\t4\r\n"
     "set_db.dat\t/mnt/yaffs/app/MIT/ Resource/etc\t2\t4\r\n"},
    {"update_ini", "directories", -1,
     "\xef\xbb\xbf"
     "d\t/r\t1\t1\n\ne\t/r/d\t1\t1\na\t/r/d/e\t28\t2\nb\t/\t8\t2\nb\t/\t2\t2\nf\t/s\t2\t1"},
    {"permit", "all", -1,
     "{\"devices\":\"*\",\"format\":\"moult-permit-1\",\"manifest\":"
     "\"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\",\"not_after\":1900000000,"
     "\"project\":\"METER\"}"},
    {"permit", "some", -1,
     "{\"devices\":[\"866714040000001\",\"2\"],\"format\":\"moult-permit-1\",\"manifest\":"
     "\"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\",\"not_after\":1,"
     "\"project\":\"M\"}"},
    {"keys", "list", 0,
     "{\"add\":[{\"key\":\"RWRPUoVncs56JFFcatoDJUvTqcmmd1ZvT2MORP8OsTfj6H6y980RoowF\",\"name\":\"new-1\"}],"
     "\"format\":\"moult-keys-1\",\"revoke\":[\"16F202CDF2AFA717\"],\"serial\":3}"},
    {"keys", "revoke", 0, "{\"format\":\"moult-keys-1\",\"revoke\":[\"16F202CDF2AFA717\"],\"serial\":1}"},
    {"answer", "decide", 0,
     "{\"action\":\"defer\",\"reason\":\"battery\",\"retry_after\":900.5}|"
     "[{\"rule\":\"battery\",\"result\":\"stop\",\"text\":\"29 < 30\"}]|{}"},
    {"answer", "install", 128, "{\"action\":\"install\",\"prefer\":\"full\"}|null|{}"},
    {"answer", "choose", 1, "[\"fix\"]|null|{\"hotfixes\":[{\"name\":\"fix\"},{\"name\":\"other\"}]}"},
    {"answer", "healthy", 2, "false|\"too hot\"|{}"},
};

static void text_seeds(void)
{
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        save_text(texts[i].target, texts[i].name, texts[i].first, texts[i].text);
}

/* The index of a part, behind what the target wants to know of the part. */
static void index_seed(const char *name, const uint8_t *package, const struct up_part *part, uint64_t at)
{
    struct bytes *b = calloc(1, sizeof *b);
    unsigned log = 0;

    FUZZ_REQUIRE(b);
    while (UP_BLOCK_MIN << log < part->block_size)
        log++;
    /* Of a delta, a source that is large enough: see spec/fuzz/index.c. */
    put_number(b, part->delta ? 0xff : part->kind == UP_CORE, 1);
    put_number(b, log, 1);
    put_number(b, part->size - 1, 4);
    put_number(b, part->data_size, 4);
    put_number(b, 30, 1);
    put(b, package + at, (size_t)part->index_size);
    save("index", name, b->data, b->len);
    free(b);
}

/* Manifest, signature, indexes and the whole of one package. */
static void package_seed(struct up_storage *s, struct sim *sim, const char *name, const struct up_fixture *f)
{
    struct bytes *b = calloc(1, sizeof *b);
    struct up_manifest m;
    struct up_package_layout layout;
    struct up_error err;
    uint8_t *data;
    size_t size, manifest_size;
    char index_name[64];

    FUZZ_REQUIRE(b && up_fixture_pack(s, "/package", "/keys", f, &err) == 0);
    data = (uint8_t *)sim_get(sim, "/package", &size);
    manifest_size = strtoul((char *)data + 124, NULL, 8);
    save("manifest", name, data + UP_TAR_BLOCK, manifest_size);
    FUZZ_REQUIRE(up_manifest_parse(&m, (char *)data + UP_TAR_BLOCK, manifest_size, &err) == 0);
    up_package_layout_of(&layout, &m, manifest_size,
                         strtoul((char *)data + UP_TAR_BLOCK + up_tar_padded(manifest_size) + 124, NULL, 8));
    for (unsigned i = 0; i < m.part_count; i++) {
        snprintf(index_name, sizeof index_name, "%s-%s", name, up_manifest_part_name(m.part[i].kind));
        index_seed(index_name, data, &m.part[i], layout.index_offset[i]);
    }
    put_number(b, 3, 1);
    put(b, data, (size_t)layout.head_size);
    save("package", name, b->data, b->len);
    free(data);
    free(b);
}

static void package_seeds(struct up_storage *s, struct sim *sim)
{
    static const struct up_fixture script = {.script = true, .encoding = UP_ZSTD},
                                   core = {.core = true, .encoding = UP_LZMA, .core_blocks = 9},
                                   both = {.script = true,
                                           .core = true,
                                           .hardware = "rev-a",
                                           .issued = 1700000000,
                                           .not_after = 1900000000,
                                           .deadline = 90,
                                           .requires_core = "Luat_RDA8910",
                                           .min_moult = "0.1"};
    struct up_fixture delta = {.core = true, .core_version = 3, .encoding = UP_ZSTD};

    package_seed(s, sim, "script", &script);
    package_seed(s, sim, "core", &core);
    package_seed(s, sim, "both", &both);
    delta.image = variant_core(VARIANT_KIN, &delta.image_size);
    delta.old = variant_core(1, &delta.old_size);
    package_seed(s, sim, "delta", &delta);
    save("package", "delta-changed", "\x41\x00\x08\x01", 4);
    /* A changed byte, a cut, a source that hesitates. */
    save("package", "changed", "\x02\x00\x08\x01", 4);
    save("package", "cut", "\x10\x00\x04", 3);
    save("package", "hesitant", "\x2e\x20", 2);
}

/* A patch whole, and one whose bytes are changed in head, index and block. */
static void patch_seeds(struct up_storage *s, struct sim *sim)
{
    struct bytes *b = calloc(1, sizeof *b);
    struct up_patch *p;
    uint8_t old[PATCH_OLD_SIZE], fresh[PATCH_IMAGE_SIZE];
    struct up_error err;
    size_t len;
    char *made;
    int rc;

    FUZZ_REQUIRE(b);
    patch_images(old, fresh);
    sim_put(sim, "/old", old, sizeof old, 0644);
    sim_put(sim, "/new", fresh, sizeof fresh, 0644);
    FUZZ_REQUIRE(up_patch_make(&p, s, "/old", "/new", "/patch", UP_LZMA, &err) == 0);
    do
        rc = up_patch_step(p, &err);
    while (rc == UP_AGAIN);
    FUZZ_REQUIRE(rc == 0);
    up_patch_close(p);
    made = sim_get(sim, "/patch", &len);
    put_number(b, 1, 1);
    put(b, made, len);
    save("patch", "whole", b->data, b->len);
    save("patch", "good", "", 1);
    save("patch", "cut", "\x02\x40\x00", 3);
    save("patch", "head", "\x00\x5a\x00\x01", 4);
    save("patch", "entry", "\x00\x7c\x00\x03", 4);
    save("patch", "block", "\x04\xd0\x00\xff\xd4\x00\x7f", 7);
    save("patch", "end", "\x04\xff\xff\xff", 4);
    free(made);
    free(b);
}

static void minisign_seeds(struct up_storage *s, struct sim *sim)
{
    static const char *const files[] = {"/keys/fixture.pub", "/keys/fixture.key"};
    static const char message[] = "what is signed";
    struct up_secret *key;
    struct up_error err;
    char sig[UP_MINISIG_MAX];
    size_t len;

    for (int i = 0; i < 2; i++) {
        char *text = sim_get(sim, files[i], NULL);

        save_text("minisign", i ? "secret" : "public", i, text);
        free(text);
    }
    FUZZ_REQUIRE(up_signing_key_load(&key, s, files[1], &err) == 0);
    FUZZ_REQUIRE(up_signing_key_sign(key, message, sizeof message, "a comment", sig, &len, &err) == 0);
    up_signing_key_free(key);
    sig[len] = 0;
    save_text("minisign", "signature", 2, sig);
}

static void tar_seed(const char *name, const char *member, bool directory, uint64_t size)
{
    struct up_tar_entry entry = {.directory = directory, .mode = directory ? 0755 : 0644, .size = size};
    struct up_error err;
    uint8_t out[1 + UP_TAR_BLOCK] = {0};

    strcpy(entry.name, member);
    FUZZ_REQUIRE(up_tar_put(out + 1, &entry, &err) == 0);
    out[0] = directory;
    save("tar", name, out, sizeof out);
}

static void archive_seeds(void)
{
    /* lib/, lib/a.lua, main.lua with their contents, the end mark. */
    static const char archive[] = "\0\1\3lib"
                                  "\0\0\5\0\11lib/a.lua\2\5hello"
                                  "\0\2\4\0\10main.lua\2\4main"
                                  "\3\3";
    static const char odd[] = "\1\0\4\0\10main.lua\234\0\1\62\2\4main\3\3";

    save("generation", "good", archive, sizeof archive - 1);
    save("generation", "link", odd, sizeof odd - 1);
    tar_seed("file", "main.lua", false, 123);
    tar_seed("directory", "lib", true, 0);
    tar_seed("long",
             "a-directory-with-a-name-that-is-long/another-one-with-a-name-that-is-long/"
             "a-file-with-a-name-that-is-so-long-that-all-together-needs-the-prefix.lua",
             false, 8589934591);
}

static void state_seeds(void)
{
    static const uint8_t boot[24] = {2, 1, 0, 3, 0, 0, 1, 0, 5}, tried[24] = {1, 0, 0, 0, 0, 1, 0, 0, 9};
    static uint8_t bytes[UP_JOURNAL_CAPACITY];
    static struct up_journal_state s;
    struct bytes *keys = calloc(1, sizeof *keys);

    FUZZ_REQUIRE(keys);
    put_number(keys, 1, 1); /* the record */
    put_number(keys, 1, 8); /* form */
    put_number(keys, 5, 8); /* serial */
    put(keys, (uint8_t[32]){7}, 32);
    put_number(keys, 1, 8); /* settled */
    put_number(keys, 1, 4); /* a revoked key, */
    put_number(keys, 1, 4); /* a pending one */
    put_number(keys, 0x16F202CDF2AFA717, 8);
    put(keys, (uint8_t[107]){'n', 'e', 'w'}, 107);
    save("keys", "record", keys->data, keys->len);
    free(keys);
    save("boot", "trial", boot, sizeof boot);
    save("boot", "good", tried, sizeof tried);
    save("record", "whole", "\0\0", 2);
    save("record", "one-broken", "\1\50\1\0", 4);
    save("record", "cut", "\10\40\377", 3);
    save("journal", "empty", bytes, up_journal_encode(&s, bytes));
    s.phase = UP_TRIAL;
    s.slot[0] =
        (struct up_pair){.present = true, .release = "1.0.0", .core_name = "Luat", .core_version = 17};
    s.floor[UP_CORE] = 18;
    s.next_generation = 3;
    s.quarantine[0] = (struct up_quarantined){7, 3, 2, "METER"};
    s.tx = (struct up_transaction){.id = 2, .parts = 3, .target = 1, .sequence = 18, .project = "METER"};
    s.has_last = true;
    strcpy(s.last.message, "rolled back");
    save("journal", "trial", bytes, up_journal_encode(&s, bytes));
}

/* A plan with each kind of operation. */
static void files_seeds(void)
{
    const struct files_flow flow = {.name = "seed"};
    struct up_files_plan plan;
    struct up_error err;
    uint8_t *bytes;
    size_t len;

    tree_plan(&flow, &plan);
    FUZZ_REQUIRE(up_files_plan_encode(&plan, &bytes, &len, &err) == 0);
    save("files_plan", "each-kind", bytes, len);
    free(bytes);
    plan.keep = "hotfix/0123456789abcdef/kept";
    FUZZ_REQUIRE(up_files_plan_encode(&plan, &bytes, &len, &err) == 0);
    save("files_plan", "kept", bytes, len);
    free(bytes);
    plan.keep = "";
    plan.op_count = plan.root_count = 1;
    plan.program_count = 0;
    FUZZ_REQUIRE(up_files_plan_encode(&plan, &bytes, &len, &err) == 0);
    save("files_plan", "one", bytes, len);
    free(bytes);
}

/* What an image of `len` bytes is against delta_image(). */
static void delta_seed(const char *name, const uint8_t *fresh, size_t len)
{
    static uint8_t old[DELTA_IMAGE_SIZE], stored[UP_BLOCK_MIN];
    struct bytes *b = calloc(1, sizeof *b);
    enum up_encoding encoding;
    struct up_delta_maker *m = NULL;
    uint64_t source, done, total;
    size_t stored_len;

    delta_image(old);
    FUZZ_REQUIRE(b && up_delta_maker_new(&m, old, sizeof old, fresh, len, UP_BLOCK_MIN, NULL) == 0);
    while (up_delta_maker_step(m, &done, &total, NULL) == UP_AGAIN)
        ;
    FUZZ_REQUIRE(up_delta_maker_block(m, 0, &encoding, &source, stored, &stored_len, NULL) == 0);
    FUZZ_REQUIRE(encoding == UP_DELTA);
    put_number(b, len - 1, 2);
    put_number(b, source, 2);
    put_number(b, 0, 4);
    put(b, stored, stored_len);
    save("delta", name, b->data, b->len);
    up_delta_maker_free(m);
    free(b);
}

/* Deltas as they are made, and bytes that are none. */
static void delta_seeds(void)
{
    uint8_t old[DELTA_IMAGE_SIZE], fresh[500];

    delta_image(old);
    memcpy(fresh, old + 2100, sizeof fresh);
    memset(fresh + 200, 0x55, 40);
    fresh[400]++;
    delta_seed("text", fresh, sizeof fresh);
    memcpy(fresh, old + 64, sizeof fresh);
    for (size_t i = 3; i < sizeof fresh; i += 8)
        fresh[i] = (uint8_t)(fresh[i] + 64); /* where calls lead has moved, too */
    delta_seed("calls", fresh, sizeof fresh);
    memcpy(fresh, old + 8000, 250);
    memcpy(fresh + 250, old + 2000, 250);
    memcpy(fresh + 120, "what is new in the middle of it", 31);
    delta_seed("both", fresh, sizeof fresh);
    save("delta", "any", "\0\4\0\0\0\0\0\0\1\2\3\4\5\6\7\10\11\12\13\14\15\16\17", 23);
}

/* Pairs of images to make deltas of. */
static void delta_maker_seeds(void)
{
    static const char *const names[] = {"calls", "words", "text"};

    for (int i = 0; i < 3; i++) {
        struct bytes *b = calloc(1, sizeof *b);
        uint8_t image[600];

        FUZZ_REQUIRE(b);
        for (size_t k = 0; k < sizeof image; k += 8) {
            memcpy(image + k, i == 2 ? "moved by" : "\x48\x89\xe8\x40\0\0\0\x90", 8);
            if (i < 2)
                image[k + 3] = (uint8_t)(k * 7 >> 3);
            if (i == 1)
                image[k] = image[k + 1] = image[k + 2] = 0;
        }
        put_number(b, sizeof image - 1, 2);
        put(b, image, sizeof image);
        put(b, image, 240);
        put(b, "what is new in the middle of it", 31);
        image[400]++;
        put(b, image + 240, sizeof image - 240);
        save("delta_maker", names[i], b->data, b->len);
        free(b);
    }
}

static void codec_seeds(void)
{
    static const enum up_encoding encodings[] = {UP_RAW, UP_ZSTD, UP_LZMA};
    struct up_fixture f = {.core = true};
    size_t size;
    uint8_t *image = up_fixture_core(&f, &size), out[UP_FIXTURE_BLOCK];
    struct up_codec *codec;

    FUZZ_REQUIRE(image && up_codec_new(&codec, NULL) == 0);
    for (int i = 0; i < 3; i++) {
        enum up_encoding encoding = encodings[i];
        struct bytes *b = calloc(1, sizeof *b);
        size_t len = 0;

        FUZZ_REQUIRE(b &&
                     up_codec_encode(codec, &encoding, image + UP_FIXTURE_BLOCK, 1500, out, &len, NULL) == 0);
        put_number(b, encoding, 1);
        put_number(b, 1499, 2);
        put(b, out, len);
        save("codec", up_index_encoding_name(encoding), b->data, b->len);
        free(b);
    }
    save("codec", "zeros", "\0\377\17", 3);
    up_codec_free(codec);
    free(image);
}

/* What strangers pack; the first byte says whether names are UTF-8. */
static void stranger_seeds(void)
{
    struct pile tar = {0}, packed = {0};
    struct zip zip = {0};

    pile_add(&packed, "", 1);
    tar_file(&tar, "./MIT/update.ini", "a\t/b\t1\t2\r\n");
    tar_pax(&tar, 'x', "path", "MIT/a long name");
    tar_file(&tar, "short", "content");
    tar_end(&tar);
    pile_add(&packed, tar.data, tar.len);
    save("archive", "tar", packed.data, packed.len);
    gzip(&tar);
    packed.len = 1;
    pile_add(&packed, tar.data, tar.len);
    save("archive", "tar-gz", packed.data, packed.len);
    zip_add(&zip, &(struct zipped){.name = "MIT/a", .content = "aaaaaaaaaaaaaaaa", .deflated = true});
    zip_add(&zip, &(struct zipped){.name = "b", .content = "text", .flags = 0x800});
    zip_end(&zip, 0, 0, 0);
    packed.len = 1;
    pile_add(&packed, zip.out.data, zip.out.len);
    save("archive", "zip", packed.data, packed.len);
    pile_free(&tar);
    pile_free(&zip.out);
    pile_free(&packed);
}

int main(int argc, char **argv)
{
    struct sim *sim = sim_new();
    struct up_storage *s = sim_storage(sim);

    if (argc != 2) {
        fprintf(stderr, "usage: fuzz_seeds DIRECTORY\n");
        return 2;
    }
    root = argv[1];
    FUZZ_REQUIRE(mkdir(root, 0755) == 0 || errno == EEXIST);
    sim_put_dir(sim, "/keys", 0755);
    FUZZ_REQUIRE(up_fixture_keys(s, "/keys", false, NULL) == 0);
    text_seeds();
    package_seeds(s, sim);
    sim_settle(sim);
    patch_seeds(s, sim);
    minisign_seeds(s, sim);
    archive_seeds();
    state_seeds();
    files_seeds();
    codec_seeds();
    delta_seeds();
    delta_maker_seeds();
    stranger_seeds();
    sim_free(sim);
    return 0;
}
