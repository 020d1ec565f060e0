/*
 * known.h -- states that were met before, by a number that tells them apart; and
 * from which of them a device is known to end well, so that no other need live
 * on from there.
 */
#ifndef KNOWN_H
#define KNOWN_H

#include <stdbool.h>
#include <stdint.h>

struct sim;
struct world_log;

struct known; /* opaque; released with known_free() */

/* Running out of memory aborts. */
struct known *known_new(void);
void known_free(struct known *known); /* NULL allowed */

/* Whether it was met before; it is from now on. */
bool known_met(struct known *known, uint64_t state);

/* Of a state together with what was promised before. */
uint64_t known_promised(uint64_t state, const struct world_log *log);
/* What decides how a device goes on from a start: the storage, and what was
 * promised before. Only while nothing fails, and the cache has what the medium
 * has. `boot`: its id, where it is not a new one. `part` tells apart what is done
 * with the device afterwards. */
uint64_t known_state(const struct sim *sim, const struct world_log *log, const char *boot, unsigned part);

/* Of what a cut, or a kill, left, and what was promised before. */
uint64_t known_left(const struct sim *sim, uint64_t promised);

/*
 * A device that is judged is about to start, and has so many starts left to
 * settle in. Whether from this state one ended well with no more than those;
 * else it is one more on this device's way.
 */
bool known_end(struct known *known, uint64_t state, unsigned left);
/* It settled with so many left. */
void known_settled(struct known *known, unsigned left);
/* It is judged: the states on its way lead to a good end when this is one. */
void known_judged(struct known *known, bool well);

#endif
