/*
 * variants.h -- numbered releases for whole-device checks: what they carry and
 * how to recognise it once it is installed.
 */
#ifndef VARIANTS_H
#define VARIANTS_H

#include <stdbool.h>
#include <stddef.h>

#include "sim.h"

#define VARIANT_PROJECT "METER"
#define VARIANT_KEY_FILE "fixture.pub"

/* SHA-256 hex of the product key, as manifests carry it. */
const char *variant_product_key(void);
/* Put the public key into a directory of the simulator, as a fixture. */
void variant_put_key(struct sim *sim, const char *dir);

/* A signed package with script variant `script` and core variant `core` (0:
 * without that part), release "<sequence>". The caller frees it. Aborts on
 * failure. */
void *variant_package(unsigned sequence, unsigned script, unsigned core, size_t *len);

/* The same with a part files of this update.ini; script and core may both be 0. */
void *variant_files(unsigned sequence, unsigned script, unsigned core, const char *ini, size_t *len);

/* The same, its core packed as a delta against that of variant `from`. */
void *variant_delta(unsigned sequence, unsigned script, unsigned from, unsigned core, size_t *len);

/* Core variant made of variant 1's: a block of it moved, one changed here and
 * there, one of its bytes across blocks, and a new one. */
#define VARIANT_KIN 3

/* The image of core variant n; made once, not to be freed or changed. */
const void *variant_core(unsigned n, size_t *len);
/* Whether the directory holds exactly script variant n. */
bool variant_is_script(struct sim *sim, const char *dir, unsigned n);
/* Whether the file holds exactly core variant n, or the device begins with it. */
bool variant_is_core(struct sim *sim, const char *path, unsigned n);

#endif
