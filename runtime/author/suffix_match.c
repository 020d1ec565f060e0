#include "suffix_match.h"

#include "error.h"

#include <divsufsort.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define STEP_BYTES (256u << 10)
/* A new alignment must explain this many bytes more than the current one. */
#define BETTER 8

struct up_suffix_match {
    const uint8_t *old, *fresh;
    uint64_t old_size, fresh_size;
    int32_t *sorted; /* suffixes of `old`, in order */
    int32_t *bucket; /* first suffix of each prefix of `prefix_bytes`, and the end */
    int prefix_bytes;
    struct up_match *found;
    size_t count, room;

    uint64_t scan;      /* reached in the new image */
    uint64_t open_at;   /* start of the current alignment, */
    uint64_t open_from; /* in both images */
    uint64_t len, from; /* the longest exact match at `scan` */
    bool holds;         /* there is a current alignment; not before the first */
};

/* The prefix at offset i. Missing bytes count as zeros, which is also how a suffix that ends sorts. */
static uint32_t prefix(const struct up_suffix_match *m, const uint8_t *p, uint64_t left)
{
    uint32_t key = 0;

    for (int i = 0; i < m->prefix_bytes; i++)
        key = key << 8 | ((uint64_t)i < left ? p[i] : 0);
    return key;
}

static void fill_buckets(struct up_suffix_match *m)
{
    size_t count = (size_t)1 << (8 * m->prefix_bytes);
    int32_t sum = 0;

    for (uint64_t i = 0; i < m->old_size; i++)
        m->bucket[prefix(m, m->old + i, m->old_size - i)]++;
    for (size_t k = 0; k <= count; k++) {
        int32_t here = m->bucket[k];

        m->bucket[k] = sum;
        sum += here;
    }
}

int up_suffix_match_new(struct up_suffix_match **out, const uint8_t *old, uint64_t old_size,
                        const uint8_t *fresh, uint64_t fresh_size, struct up_error *err)
{
    struct up_suffix_match *m;

    if (old_size > UP_MATCH_MAX)
        return up_fail(err, UP_USAGE, "old image: %llu bytes; a delta is made of at most 2 GiB",
                       (unsigned long long)old_size);
    m = calloc(1, sizeof *m);
    if (!m)
        return up_fail(err, UP_INTERNAL, "delta: out of memory");
    m->old = old;
    m->old_size = old_size;
    m->fresh = fresh;
    m->fresh_size = fresh_size;
    m->prefix_bytes = old_size > 65536 ? 2 : 1;
    if (old_size > (128u << 20))
        m->prefix_bytes = 3;
    m->sorted = malloc((size_t)(old_size ? old_size : 1) * sizeof *m->sorted);
    m->bucket = calloc(((size_t)1 << (8 * m->prefix_bytes)) + 1, sizeof *m->bucket);
    if (!m->sorted || !m->bucket || (old_size && divsufsort(old, m->sorted, (int32_t)old_size) != 0)) {
        up_suffix_match_free(m);
        return up_fail(err, UP_INTERNAL, "delta: out of memory while the old image is sorted");
    }
    fill_buckets(m);
    *out = m;
    return 0;
}

void up_suffix_match_free(struct up_suffix_match *m)
{
    if (!m)
        return;
    free(m->sorted);
    free(m->bucket);
    free(m->found);
    free(m);
}

/* The length of the common prefix, of which `known` bytes are known to be equal. */
static uint64_t common(const uint8_t *a, uint64_t a_len, const uint8_t *b, uint64_t b_len, uint64_t known)
{
    uint64_t n = a_len < b_len ? a_len : b_len, i = known;

    while (i + 8 <= n && memcmp(a + i, b + i, 8) == 0)
        i += 8;
    while (i < n && a[i] == b[i])
        i++;
    return i;
}

/* The longest exact match for the new image at `scan`. */
static void search(struct up_suffix_match *m)
{
    const uint8_t *want = m->fresh + m->scan;
    uint64_t left = m->fresh_size - m->scan, low_len = 0, high_len = 0;
    uint32_t key = prefix(m, want, left);
    int32_t low = m->bucket[key], high = m->bucket[key + 1];

    m->len = 0;
    while (low < high) {
        int32_t middle = low + (high - low) / 2;
        uint64_t at = (uint64_t)m->sorted[middle], rest = m->old_size - at;
        uint64_t n = common(want, left, m->old + at, rest, low_len < high_len ? low_len : high_len);

        if (n > m->len) {
            m->len = n;
            m->from = at;
        }
        if (n == left)
            return;
        if (n == rest || m->old[at + n] < want[n]) {
            low = middle + 1;
            low_len = n;
        } else {
            high = middle;
            high_len = n;
        }
    }
}

static int add(struct up_suffix_match *m, uint64_t at, uint64_t from, uint64_t len, struct up_error *err)
{
    if (len == 0)
        return 0;
    if (m->count == m->room) {
        size_t room = m->room ? 2 * m->room : 1024;
        struct up_match *more = realloc(m->found, room * sizeof *more);

        if (!more)
            return up_fail(err, UP_INTERNAL, "delta: out of memory");
        m->found = more;
        m->room = room;
    }
    m->found[m->count++] = (struct up_match){at, from, len};
    return 0;
}

/* How far the current alignment is worth following, below `end`: to where equal
 * bytes outnumber different ones by the most. */
static uint64_t reach_forward(const struct up_suffix_match *m, uint64_t end)
{
    int64_t lead = 0, best = 0;
    uint64_t best_len = 0;

    for (uint64_t i = 0; m->open_at + i < end && m->open_from + i < m->old_size; i++) {
        lead += m->old[m->open_from + i] == m->fresh[m->open_at + i] ? 1 : -1;
        if (lead > best) {
            best = lead;
            best_len = i + 1;
        }
    }
    return best_len;
}

/* The same for the new alignment, backwards from `scan`. */
static uint64_t reach_back(const struct up_suffix_match *m)
{
    int64_t lead = 0, best = 0;
    uint64_t best_len = 0;

    for (uint64_t i = 1; m->scan >= m->open_at + i && m->from >= i; i++) {
        lead += m->old[m->from - i] == m->fresh[m->scan - i] ? 1 : -1;
        if (lead > best) {
            best = lead;
            best_len = i;
        }
    }
    return best_len;
}

/* Both alignments claim the last `overlap` bytes before `end`: how many of them
 * the current one keeps, so that the most bytes are equal. */
static uint64_t share(const struct up_suffix_match *m, uint64_t end, uint64_t overlap)
{
    uint64_t first = end - overlap, kept = 0;
    int64_t lead = 0, best = 0;

    for (uint64_t i = 0; i < overlap; i++) {
        uint8_t want = m->fresh[first + i];

        lead += want == m->old[first + i - m->open_at + m->open_from];
        lead -= want == m->old[first + i + m->from - m->scan];
        if (lead > best) {
            best = lead;
            kept = i + 1;
        }
    }
    return kept;
}

/* End the current alignment and begin the one found at `scan`. */
static int turn(struct up_suffix_match *m, struct up_error *err)
{
    uint64_t forward = m->holds ? reach_forward(m, m->scan) : 0;
    uint64_t back = m->scan < m->fresh_size ? reach_back(m) : 0;

    if (m->open_at + forward > m->scan - back) {
        uint64_t overlap = m->open_at + forward - (m->scan - back);
        uint64_t kept = share(m, m->open_at + forward, overlap);

        forward -= overlap - kept;
        back -= kept;
    }
    if (add(m, m->open_at, m->open_from, forward, err) < 0)
        return err->code;
    m->open_at = m->scan - back;
    m->open_from = m->from - back;
    m->holds = true;
    return 0;
}

static bool follows(const struct up_suffix_match *m, uint64_t at)
{
    uint64_t from = m->open_from + (at - m->open_at);

    return m->holds && from < m->old_size && m->old[from] == m->fresh[at];
}

int up_suffix_match_step(struct up_suffix_match *m, uint64_t *done, struct up_error *err)
{
    uint64_t stop = m->scan + STEP_BYTES;

    *done = m->scan; /* also when out of memory */
    while (m->scan < m->fresh_size && m->scan < stop) {
        uint64_t counted, kept = 0;

        m->scan += m->len;
        /* `kept` counts the bytes in [scan, counted) that the current alignment explains as well. */
        for (counted = m->scan; m->scan < m->fresh_size; m->scan++) {
            search(m);
            for (; counted < m->scan + m->len; counted++)
                kept += follows(m, counted);
            if ((m->len == kept && m->len != 0) || m->len > kept + BETTER)
                break;
            kept -= follows(m, m->scan);
        }
        if ((m->len != kept || m->scan == m->fresh_size) && turn(m, err) < 0)
            return err->code;
    }
    *done = m->scan < m->fresh_size ? m->scan : m->fresh_size;
    return m->scan < m->fresh_size ? UP_AGAIN : 0;
}

const struct up_match *up_suffix_match_found(const struct up_suffix_match *m, size_t *count)
{
    *count = m->count;
    return m->found;
}
