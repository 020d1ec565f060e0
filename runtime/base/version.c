#include "version.h"

#include <stddef.h>
#include <string.h>

#define RANGE_WORD 64 /* a version in a range, NUL included; what is longer is cut */

struct text {
    const char *at, *end;
};

/* "v1.2-rc.1+b7" is "1.2", "rc.1" and "b7". */
struct version {
    struct text numbers, before;
    const char *build; /* with its "+"; to its NUL */
    bool early;        /* a pre-release */
};

static bool is_digit(const struct text *t)
{
    return t->at < t->end && *t->at >= '0' && *t->at <= '9';
}

static struct version split(const char *s)
{
    struct version v;

    if ((*s == 'v' || *s == 'V') && s[1] >= '0' && s[1] <= '9')
        s++;
    v.before.end = s + strcspn(s, "+");
    v.build = v.before.end;
    v.numbers.at = s;
    v.numbers.end = s + strcspn(s, "-+");
    v.early = *v.numbers.end == '-';
    v.before.at = v.early ? v.numbers.end + 1 : v.before.end;
    return v;
}

static int sign(ptrdiff_t difference)
{
    return (difference > 0) - (difference < 0);
}

/* Numbers of any length: without leading zeros, the longer one is larger. */
static int compare_numbers(struct text *a, struct text *b)
{
    int order = 0;

    while (a->at < a->end && *a->at == '0')
        a->at++;
    while (b->at < b->end && *b->at == '0')
        b->at++;
    for (; is_digit(a) && is_digit(b); a->at++, b->at++)
        order = order ? order : sign(*a->at - *b->at);
    if (is_digit(a))
        return 1;
    return is_digit(b) ? -1 : order;
}

static int compare_words(struct text a, struct text b)
{
    int order = 0;

    while (order == 0 && a.at < a.end && b.at < b.end)
        if (is_digit(&a) && is_digit(&b))
            order = compare_numbers(&a, &b);
        else
            order = sign((unsigned char)*a.at++ - (unsigned char)*b.at++);
    return order ? order : sign((a.end - a.at > 0) - (b.end - b.at > 0));
}

/* The next piece of a dotted text; false after the last. */
static bool take(struct text *rest, struct text *piece)
{
    const char *dot;

    *piece = *rest;
    if (!rest->at)
        return false;
    dot = memchr(rest->at, '.', (size_t)(rest->end - rest->at));
    piece->end = dot ? dot : rest->end;
    rest->at = dot ? dot + 1 : NULL;
    return true;
}

static int compare_releases(struct text a, struct text b)
{
    static const char zero[] = "0";
    int order = 0;

    while (order == 0) {
        struct text p, q;
        bool more_a = take(&a, &p), more_b = take(&b, &q);

        if (!more_a && !more_b)
            break;
        if (!more_a)
            p = (struct text){zero, zero + 1};
        if (!more_b)
            q = (struct text){zero, zero + 1};
        order = compare_words(p, q);
    }
    return order;
}

static bool is_number(struct text t)
{
    while (is_digit(&t))
        t.at++;
    return t.at == t.end;
}

/* Numbers sort below words, and fewer pieces below more. */
static int compare_early(struct text a, struct text b)
{
    int order = 0;

    while (order == 0) {
        struct text p, q;
        bool more_a = take(&a, &p), more_b = take(&b, &q);

        if (!more_a || !more_b)
            return more_a - more_b;
        order = is_number(q) - is_number(p);
        order = order ? order : compare_words(p, q);
    }
    return order;
}

int up_version_compare(const char *a, const char *b)
{
    struct version p = split(a), q = split(b);
    int order = compare_releases(p.numbers, q.numbers);

    if (order || !(p.early || q.early))
        return order;
    return p.early && q.early ? compare_early(p.before, q.before) : q.early - p.early;
}

bool up_version_same(const char *a, const char *b)
{
    return up_version_compare(a, b) == 0 && strcmp(split(a).build, split(b).build) == 0;
}

/* A version as it stands in a range: not empty, and without what separates. */
static const char *word_end(const char *at)
{
    const char *end = at + strcspn(at, " <>=");

    return end > at && (*end == '\0' || *end == ' ') ? end : NULL;
}

struct range {
    struct text from, exact, below; /* each may be empty */
};

static bool read_range(const char *text, struct range *r)
{
    bool from = strncmp(text, ">=", 2) == 0, below = *text == '<';
    const char *at = text + (from ? 2 : below), *end = word_end(at);
    struct text word = {at, end};

    memset(r, 0, sizeof *r);
    if (!end)
        return false;
    if (from)
        r->from = word;
    else if (below)
        r->below = word;
    else
        r->exact = word;
    if (!*end)
        return true;
    if (!from || end[1] != '<')
        return false;
    r->below = (struct text){end + 2, word_end(end + 2)};
    return r->below.end && !*r->below.end;
}

bool up_version_is_range(const char *text)
{
    struct range r;

    return read_range(text, &r);
}

/* Copied, because a version ends with its text. */
static const char *copy_word(struct text t, char out[RANGE_WORD])
{
    size_t len = (size_t)(t.end - t.at) < RANGE_WORD ? (size_t)(t.end - t.at) : RANGE_WORD - 1;

    memcpy(out, t.at, len);
    out[len] = '\0';
    return out;
}

bool up_version_in(const char *version, const char *range)
{
    char word[RANGE_WORD];
    struct range r;

    if (!read_range(range, &r))
        return false;
    if (r.exact.at)
        return up_version_same(version, copy_word(r.exact, word));
    return (!r.from.at || up_version_compare(version, copy_word(r.from, word)) >= 0) &&
           (!r.below.at || up_version_compare(version, copy_word(r.below, word)) < 0);
}
