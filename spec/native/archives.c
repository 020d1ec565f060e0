#include "archives.h"

#include "tar_sum.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define BLOCK 512

void pile_add(struct pile *p, const void *data, size_t len)
{
    p->data = realloc(p->data, p->len + len + 1);
    if (!p->data)
        abort();
    if (data)
        memcpy(p->data + p->len, data, len);
    else
        memset(p->data + p->len, 0, len);
    p->len += len;
}

void pile_free(struct pile *p)
{
    free(p->data);
    *p = (struct pile){0};
}

void tar_header(struct pile *p, const struct member *m)
{
    char h[BLOCK] = {0};

    snprintf(h, 101, "%s", m->name);
    snprintf(h + 100, 8, "%07o", m->mode);
    snprintf(h + 108, 8, "%07o", 0);
    snprintf(h + 116, 8, "%07o", 0);
    snprintf(h + 124, 12, "%011llo", (unsigned long long)m->size);
    snprintf(h + 136, 12, "%011o", 0);
    h[156] = m->type ? m->type : '0';
    if (m->link)
        snprintf(h + 157, 101, "%s", m->link);
    memcpy(h + 257,
           "ustar\0"
           "00",
           8);
    tar_sum(h);
    pile_add(p, h, BLOCK);
}

void tar_member(struct pile *p, const struct member *m, const void *content, size_t len)
{
    tar_header(p, m);
    pile_add(p, content, len);
    pile_add(p, NULL, (BLOCK - len % BLOCK) % BLOCK);
}

void tar_file(struct pile *p, const char *name, const char *text)
{
    tar_member(p, &(struct member){.name = name, .mode = 0644, .size = strlen(text)}, text, strlen(text));
}

void tar_pax(struct pile *p, char type, const char *key, const char *value)
{
    char record[4096];
    int len = (int)strlen(key) + (int)strlen(value) + 3, digits = 0, total;

    do
        total = len + ++digits;
    while (snprintf(NULL, 0, "%d", total) != digits);
    snprintf(record, sizeof record, "%d %s=%s\n", total, key, value);
    tar_member(p, &(struct member){.name = "pax", .type = type, .mode = 0644, .size = (uint64_t)total},
               record, (size_t)total);
}

void tar_end(struct pile *p)
{
    pile_add(p, NULL, 2 * BLOCK);
}

static struct pile squeeze(const void *data, size_t len, int window)
{
    struct pile out = {0};
    z_stream z = {.next_in = (Bytef *)(uintptr_t)data, .avail_in = (uInt)len};

    if (deflateInit2(&z, 9, Z_DEFLATED, window, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        abort();
    pile_add(&out, NULL, deflateBound(&z, len));
    z.next_out = out.data;
    z.avail_out = (uInt)out.len;
    if (deflate(&z, Z_FINISH) != Z_STREAM_END)
        abort();
    out.len = z.total_out;
    deflateEnd(&z);
    return out;
}

void gzip(struct pile *p)
{
    struct pile out = squeeze(p->data, p->len, 15 + 16);

    pile_free(p);
    *p = out;
}

static void put16(struct pile *p, unsigned v)
{
    uint8_t b[2] = {(uint8_t)v, (uint8_t)(v >> 8)};

    pile_add(p, b, sizeof b);
}

static void put32(struct pile *p, uint32_t v)
{
    put16(p, v & 0xffff);
    put16(p, v >> 16);
}

/* What a local header and one of the directory have in common, from the version to the sizes. */
static void common(struct pile *p, const struct zipped *e, uint32_t crc, uint32_t packed, uint32_t size)
{
    put16(p, 20);
    put16(p, e->flags | (e->descriptor ? 8u : 0u));
    put16(p, e->deflated ? 8 : 0);
    put32(p, 0x00210000); /* a day that there is */
    put32(p, crc);
    put32(p, packed);
    put32(p, size);
}

void zip_add(struct zip *z, const struct zipped *e)
{
    const char *local = e->local_name ? e->local_name : e->name;
    size_t len = e->len ? e->len : strlen(e->content);
    struct pile body = {0};
    uint32_t place = (uint32_t)z->out.len, crc = (uint32_t)crc32(0, (const Bytef *)e->content, (uInt)len);

    if (e->deflated)
        body = squeeze(e->content, len, -15);
    else
        pile_add(&body, e->content, len);
    put32(&z->out, 0x04034b50);
    if (e->descriptor)
        common(&z->out, e, 0, 0, 0);
    else
        common(&z->out, e, crc, (uint32_t)body.len, (uint32_t)len + e->local_size_off);
    put16(&z->out, (unsigned)strlen(local));
    put16(&z->out, 0);
    pile_add(&z->out, local, strlen(local));
    pile_add(&z->out, body.data, body.len);
    if (e->descriptor == 16)
        put32(&z->out, 0x08074b50);
    if (e->descriptor) {
        put32(&z->out, crc);
        put32(&z->out, (uint32_t)body.len);
        put32(&z->out, (uint32_t)len + e->descriptor_off);
    }
    put32(&z->directory, 0x02014b50);
    put16(&z->directory, 3 << 8 | 20); /* Unix */
    common(&z->directory, e, crc + e->crc_off, (uint32_t)body.len + e->packed_off,
           (uint32_t)len + e->size_off);
    put16(&z->directory, (unsigned)strlen(e->name));
    pile_add(&z->directory, NULL, 8); /* extra, comment, disk, internal attributes */
    put32(&z->directory, (e->attributes ? e->attributes : 0100644u) << 16);
    put32(&z->directory, place + e->place_off);
    pile_add(&z->directory, e->name, strlen(e->name));
    z->count++;
    pile_free(&body);
}

void zip_end(struct zip *z, uint32_t place_off, uint32_t count_off, uint32_t len_off)
{
    uint32_t place = (uint32_t)z->out.len;

    pile_add(&z->out, z->directory.data, z->directory.len);
    put32(&z->out, 0x06054b50);
    put32(&z->out, 0);
    put16(&z->out, z->count + count_off);
    put16(&z->out, z->count + count_off);
    put32(&z->out, (uint32_t)z->directory.len + len_off);
    put32(&z->out, place + place_off);
    put16(&z->out, 0);
    pile_free(&z->directory);
}
