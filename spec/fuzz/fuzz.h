/*
 * fuzz.h -- what every fuzz target shares.
 *
 * A target is one file with LLVMFuzzerTestOneInput(): hostile bytes in, and the
 * promises of one parser required afterwards. With -DMOULT_FUZZ=ON (clang) it
 * is linked with libFuzzer; else with replay.c, which runs the kept inputs.
 * A broken promise aborts, as a sanitizer does.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The bytes not yet used. Past the end there are zeros. */
struct fuzz {
    const uint8_t *at;
    size_t left;
};

uint8_t fuzz_u8(struct fuzz *in);
uint16_t fuzz_u16(struct fuzz *in); /* little-endian, as all of them */
uint32_t fuzz_u32(struct fuzz *in);
uint64_t fuzz_u64(struct fuzz *in);
/* At most len bytes; how many there were. */
size_t fuzz_take(struct fuzz *in, const uint8_t **out, size_t len);
/* The next piece up to a zero byte or the end, fresh and NUL-terminated; the
 * caller frees it. */
char *fuzz_text(struct fuzz *in);

#define FUZZ_STRING(x) #x
#define FUZZ_REQUIRE(condition) fuzz_require((condition), __FILE__, __LINE__, FUZZ_STRING(condition))
void fuzz_require(bool holds, const char *file, int line, const char *what);

/* Memory that must not run out. */
void *fuzz_memory(size_t size);

#endif
