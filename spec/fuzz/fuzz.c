#include "fuzz.h"

#include "sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

size_t fuzz_take(struct fuzz *in, const uint8_t **out, size_t len)
{
    size_t n = len < in->left ? len : in->left;

    *out = in->at;
    in->at += n;
    in->left -= n;
    return n;
}

static uint64_t number(struct fuzz *in, size_t size)
{
    const uint8_t *bytes;
    size_t n = fuzz_take(in, &bytes, size);
    uint64_t v = 0;

    while (n > 0)
        v = v << 8 | bytes[--n];
    return v;
}

uint8_t fuzz_u8(struct fuzz *in)
{
    return (uint8_t)number(in, 1);
}

uint16_t fuzz_u16(struct fuzz *in)
{
    return (uint16_t)number(in, 2);
}

uint32_t fuzz_u32(struct fuzz *in)
{
    return (uint32_t)number(in, 4);
}

uint64_t fuzz_u64(struct fuzz *in)
{
    return number(in, 8);
}

char *fuzz_text(struct fuzz *in)
{
    const uint8_t *end = in->left ? memchr(in->at, 0, in->left) : NULL, *from;
    size_t len = fuzz_take(in, &from, end ? (size_t)(end - in->at) : in->left);
    char *text = fuzz_memory(len + 1);

    if (len)
        memcpy(text, from, len);
    text[len] = '\0';
    fuzz_u8(in);
    return text;
}

void fuzz_require(bool holds, const char *file, int line, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, what);
    abort();
}

void *fuzz_memory(size_t size)
{
    void *memory = malloc(size ? size : 1);

    if (!memory)
        abort();
    return memory;
}

uint64_t fuzz_outside(const struct sim *sim, const char *dir)
{
    char *dump = sim_dump(sim, "/"), *line = dump;
    size_t len = strlen(dir);
    uint64_t hash = 14695981039346656037u;

    while (*line) {
        char *end = line + strcspn(line, "\n"), *path = memchr(line, '/', (size_t)(end - line));
        bool inside = path && strncmp(path, dir, len) == 0 && (path[len] == '/' || path + len == end);

        for (; line < end; line++)
            hash = inside ? hash : (hash ^ (uint8_t)*line) * 1099511628211u;
        line += *line == '\n';
    }
    free(dump);
    return hash;
}
