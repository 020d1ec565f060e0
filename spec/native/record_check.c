/*
 * record_check.c -- the two-slot record over the simulator.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "record.h"
#include "sim.h"

#define CAPACITY 256
#define VALUE_SIZE (CAPACITY - UP_RECORD_HEAD)

static struct up_record on(struct sim *sim)
{
    return (struct up_record){
        .storage = sim_storage(sim), .path = "/r", .magic = "TESTREC1", .capacity = CAPACITY};
}

/* A file system with the values "one" (in both halves), then "two", ... */
static struct sim *with_values(const char *const *values, unsigned count)
{
    struct sim *sim = sim_new();
    struct up_record r = on(sim);
    struct up_error err;

    assert_int_equal(up_record_create(&r, values[0], strlen(values[0]), &err), 0);
    for (unsigned i = 1; i < count; i++)
        assert_int_equal(up_record_write(&r, values[i], strlen(values[i]), &err), 0);
    sim_settle(sim);
    return sim;
}

static void assert_value(struct sim *sim, const char *expected)
{
    struct up_record r = on(sim);
    char got[VALUE_SIZE + 1] = "";
    struct up_error err;
    size_t len;

    assert_int_equal(up_record_read(&r, got, VALUE_SIZE, &len, &err), 0);
    got[len] = '\0';
    assert_string_equal(got, expected);
}

static const char *const three[] = {"one", "two", "three"};

static void the_newest_value_is_read(void **state)
{
    (void)state;
    for (unsigned n = 1; n <= 3; n++) {
        struct sim *sim = with_values(three, n);

        assert_value(sim, three[n - 1]);
        sim_free(sim);
    }
}

static void nothing_is_there_before_create_ended(void **state)
{
    struct sim *sim = sim_new();
    struct up_record r = on(sim);
    struct up_error err;
    char buf[8];
    size_t len;

    (void)state;
    assert_int_equal(up_record_read(&r, buf, sizeof buf, &len, &err), UP_NOTHING);
    sim_free(sim);
}

/* Each byte of the newer half flipped: the older value; both: statelost. */
static void a_flipped_byte_gives_the_older_value(void **state)
{
    struct sim *sim = with_values(three, 3);
    size_t len;
    char *half = sim_get(sim, "/r.1", &len), *other = sim_get(sim, "/r.0", NULL);
    struct up_record r = on(sim);
    struct up_error err;
    char buf[VALUE_SIZE];

    (void)state;
    assert_int_equal(len, CAPACITY);
    for (size_t i = 0; i < UP_RECORD_HEAD + strlen("three"); i++) {
        half[i] ^= 0x40;
        sim_put(sim, "/r.1", half, len, 0600);
        half[i] ^= 0x40;
        assert_value(sim, "two");
    }
    half[0] ^= 1;
    other[0] ^= 1;
    sim_put(sim, "/r.1", half, len, 0600);
    sim_put(sim, "/r.0", other, CAPACITY, 0600);
    assert_int_equal(up_record_read(&r, buf, sizeof buf, &len, &err), UP_STATELOST);
    assert_int_equal(up_record_write(&r, "four", 4, &err), UP_STATELOST);
    free(half);
    free(other);
    sim_free(sim);
}

/* The record's file cut at every length is broken, never misread. */
static void a_short_file_is_broken(void **state)
{
    struct sim *sim = with_values(three, 3);
    size_t len;
    char *half = sim_get(sim, "/r.1", &len);

    (void)state;
    for (size_t n = 0; n < UP_RECORD_HEAD + strlen("three"); n++) {
        sim_put(sim, "/r.1", half, n, 0600);
        assert_value(sim, "two");
    }
    free(half);
    sim_free(sim);
}

static void a_cut_write_leaves_the_old_or_the_new_value(void **state)
{
    bool finished = false;

    (void)state;
    for (unsigned k = 1; !finished; k++) {
        struct sim *sim = with_values(three, 2);
        struct up_record r = on(sim);
        struct up_error err;

        sim_cut_at(sim, k);
        up_record_write(&r, "new", 3, &err);
        finished = !sim_is_cut(sim);
        for (unsigned i = 0; i < sim_choices(sim); i++) {
            struct sim_choice choice = sim_choice(sim, i);
            struct sim *after = sim_reboot(sim, &choice);
            struct up_record again = on(after);
            char got[VALUE_SIZE] = "";
            size_t len;

            assert_int_equal(up_record_read(&again, got, sizeof got, &len, &err), 0);
            assert_true((len == 3 && memcmp(got, "two", 3) == 0) || (len == 3 && memcmp(got, "new", 3) == 0));
            if (finished)
                assert_memory_equal(got, "new", 3);
            sim_free(after);
        }
        sim_free(sim);
    }
}

static void a_medium_that_lies_is_noticed(void **state)
{
    struct sim *sim = with_values(three, 2);
    struct up_record r = on(sim);
    struct up_error err;

    (void)state;
    sim_reset_counters(sim);
    sim_flip_write(sim, 1);
    assert_int_equal(up_record_write(&r, "new", 3, &err), UP_WRITE);
    assert_non_null(strstr(err.message, "read back"));
    sim_free(sim);
}

static void what_does_not_fit_is_refused(void **state)
{
    struct sim *sim = with_values(three, 1);
    struct up_record r = on(sim);
    char large[VALUE_SIZE + 1] = {0}, small[2];
    struct up_error err;
    size_t len;

    (void)state;
    assert_int_equal(up_record_write(&r, large, VALUE_SIZE + 1, &err), UP_INTERNAL);
    assert_int_equal(up_record_write(&r, large, VALUE_SIZE, &err), 0);
    assert_int_equal(up_record_read(&r, small, sizeof small, &len, &err), UP_INTERNAL);
    sim_free(sim);
}

static uint32_t crc_by_bits(const uint8_t *p, size_t len)
{
    uint32_t crc = 0xffffffffu;

    for (size_t i = 0; i < 8 * len; i++) {
        crc ^= (uint32_t)(p[i / 8] >> i % 8 & 1);
        crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
    }
    return ~crc;
}

static void crc32c_has_its_check_value(void **state)
{
    uint8_t data[1040];

    (void)state;
    assert_int_equal(up_crc32c("123456789", 9), 0xe3069283);
    assert_int_equal(up_crc32c("", 0), 0);
    /* Long buffers go another way: the same value wherever it begins and ends. */
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * i >> 3);
    for (size_t len = 1020; len < 1032; len++)
        for (size_t at = 0; at < 4; at++)
            assert_int_equal(up_crc32c(data + at, len), crc_by_bits(data + at, len));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_newest_value_is_read),
        cmocka_unit_test(nothing_is_there_before_create_ended),
        cmocka_unit_test(a_flipped_byte_gives_the_older_value),
        cmocka_unit_test(a_short_file_is_broken),
        cmocka_unit_test(a_cut_write_leaves_the_old_or_the_new_value),
        cmocka_unit_test(a_medium_that_lies_is_noticed),
        cmocka_unit_test(what_does_not_fit_is_refused),
        cmocka_unit_test(crc32c_has_its_check_value),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
