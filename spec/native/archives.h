/*
 * archives.h -- tar, tar.gz and zip made by hand, so that they can be wrong in any way.
 */
#ifndef UP_ARCHIVES_H
#define UP_ARCHIVES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pile {
    uint8_t *data;
    size_t len;
};

void pile_add(struct pile *p, const void *data, size_t len);
void pile_free(struct pile *p);

/* The headers of tar, as ustar has them; size is what the header says. */
struct member {
    const char *name;
    char type; /* 0: '0' */
    unsigned mode;
    uint64_t size;
    const char *link;
};

void tar_header(struct pile *p, const struct member *m);
/* A header and its content, padded. */
void tar_member(struct pile *p, const struct member *m, const void *content, size_t len);
void tar_file(struct pile *p, const char *name, const char *text);
/* A pax header of one record for the member that follows. */
void tar_pax(struct pile *p, char type, const char *key, const char *value);
void tar_end(struct pile *p);

/* gzip of what lies in `p`, in its place. */
void gzip(struct pile *p);

/* A zip: locals as they are added, then the directory. NULL and 0: as the entry has it. */
struct zipped {
    const char *name, *local_name, *content;
    size_t len; /* 0: that of the text */
    bool deflated;
    uint16_t flags;                                    /* as bits of the format */
    uint32_t attributes;                               /* of Unix, as st_mode */
    uint32_t crc_off, size_off, packed_off, place_off; /* added to what is right, in the directory */
    uint32_t local_size_off;
    unsigned descriptor; /* bytes behind the content that say its sum and sizes: 12, or 16 signed; 0: none */
    uint32_t descriptor_off; /* added to the size in it */
};

struct zip {
    struct pile out, directory;
    unsigned count;
};

void zip_add(struct zip *z, const struct zipped *e);
/* The whole, in `out`; what is added to its place and to its length. */
void zip_end(struct zip *z, uint32_t place_off, uint32_t count_off, uint32_t len_off);

#endif
