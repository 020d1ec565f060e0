#include "fuzz.h"

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

/* What a run frees goes round soon, warm: most of a run would otherwise go into
 * memory that nobody looks at again. Short inputs leave little behind. */
const char *__asan_default_options(void);
__attribute__((visibility("default"))) const char *__asan_default_options(void)
{
    return "quarantine_size_mb=4:malloc_context_size=4:allocator_release_to_os_interval_ms=-1";
}

void *fuzz_memory(size_t size)
{
    void *memory = malloc(size ? size : 1);

    if (!memory)
        abort();
    return memory;
}
