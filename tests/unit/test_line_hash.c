// SPDX-License-Identifier: Apache-2.0
#include "event/line_hash.h"

#include "unit.h"

enum { LONGEST = 300, LINES = 100000, TAGS = 256, BUCKETS = 4096 };

static const uint64_t SEEDS[LINE_SEEDS] = {0x243F6A8885A308D3, 0x13198A2E03707344,
                                           0xA4093822299F31D0, 0x082EFA98EC4E6C89};

// The two versions, and those of them that this CPU has.
static uint64_t narrow_hash(uint64_t besides, const char *line, size_t len)
{
    return line_hash(SEEDS, besides, line, len);
}

static LINE_WIDE uint64_t wide_hash(uint64_t besides, const char *line, size_t len)
{
    return line_hash_wide(SEEDS, besides, line, len);
}

static LINE_WIDE bool wide_same(const char *a, const char *b, size_t len)
{
    return line_same_wide(a, b, len);
}

static const struct version {
    uint64_t (*hash)(uint64_t besides, const char *line, size_t len);
    bool (*same)(const char *a, const char *b, size_t len);
} VERSIONS[] = {{narrow_hash, line_same}, {wide_hash, wide_same}};

static const struct version *version;

static const struct version *end_of_versions(void)
{
    return VERSIONS + 1 + line_can_wide();
}

static int compare(const void *a, const void *b)
{
    const uint64_t *x = a;
    const uint64_t *y = b;
    return (*x > *y) - (*x < *y);
}

// How often two of the hashes are the same.
static size_t collisions(uint64_t *hashes, size_t n)
{
    size_t same = 0;
    qsort(hashes, n, sizeof *hashes, compare);
    for (size_t i = 1; i < n; i++) {
        same += hashes[i] == hashes[i - 1];
    }
    return same;
}

static void check_bits(void)
{
    uint64_t random = unit_seed() | 1;
    char line[LONGEST];
    for (size_t i = 0; i < LONGEST; i++) {
        line[i] = (char)(32 + unit_random(&random) % 95);
    }
    for (size_t len = 0; len <= LONGEST; len++) {
        uint64_t hash = version->hash(1, line, len);
        ck_assert(hash == version->hash(1, line, len));
        ck_assert(hash != version->hash(2, line, len));
        ck_assert(len == 0 || hash != version->hash(1, line, len - 1));
        for (size_t bit = 0; bit < 8 * len; bit++) {
            line[bit / 8] ^= (char)(1 << bit % 8);
            ck_assert_msg(hash != version->hash(1, line, len), "bit %zu of %zu bytes", bit, len);
            line[bit / 8] ^= (char)(1 << bit % 8);
        }
    }
}

START_TEST(every_bit_of_a_line_and_its_length_and_what_is_besides_count)
{
    for (version = VERSIONS; version < end_of_versions(); version++) {
        check_bits();
    }
}
END_TEST

static void check_reads(void)
{
    for (size_t len = 0; len <= LONGEST; len++) {
        char *line = malloc(len + 1); // under the sanitizers, of this very length
        memset(line, 'x', len);
        uint64_t hash = version->hash(1, line, len);
        line[len] = 'y';
        ck_assert(hash == version->hash(1, line, len));
        free(line);
        char *exact = malloc(len > 0 ? len : 1);
        memset(exact, 'x', len);
        ck_assert(hash == version->hash(1, exact, len));
        free(exact);
    }
}

START_TEST(nothing_behind_the_line_is_read_and_nothing_before_it)
{
    for (version = VERSIONS; version < end_of_versions(); version++) {
        check_reads();
    }
}
END_TEST

// Over so many equal parts the sum of squared differences is about as many, and hardly ever a fourth more.
static void expect_even(const uint32_t *counts, size_t n)
{
    double mean = (double)LINES / (double)n;
    double chi = 0;
    for (size_t i = 0; i < n; i++) {
        chi += (counts[i] - mean) * (counts[i] - mean) / mean;
    }
    ck_assert_msg(chi < 1.25 * (double)n + 100, "%g over %zu", chi, n);
}

// Lines as they come, which differ in a few digits only.
static void check_spread(void)
{
    static const struct {
        const char *before;
        const char *behind;
    } shapes[] = {
        {"{\"event\":\"rpc\",\"labels\":{\"vm\":\"vm-", "\"},\"value\":"},
        {"{\"event\":\"vm_operation\",\"labels\":{\"operation\":\"Describe\",\"provider\":\"vc-",
         "\",\"outcome\":\"success\"},\"value\":"},
        {"{\"vm\":\"", "\"}"},
        {"{\"event\":\"vm_operation\",\"labels\":{\"operation\":\"Describe\",\"provider_type\":"
         "\"vsphere\","
         "\"provider\":\"vc-prod-eu-west-",
         "\",\"outcome\":\"success\",\"node\":\"a\"},\"value\":"},
    };
    uint64_t *hashes = malloc(LINES * sizeof *hashes);
    for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; s++) {
        uint32_t tags[TAGS] = {0};
        uint32_t buckets[BUCKETS] = {0};
        uint32_t sights[BUCKETS] = {0};
        for (int i = 0; i < LINES; i++) {
            char line[LONGEST];
            int len =
                snprintf(line, sizeof line, "%s%07d%s", shapes[s].before, i, shapes[s].behind);
            hashes[i] = version->hash(7, line, (size_t)len);
            tags[(uint8_t)hashes[i]]++;
            buckets[(hashes[i] >> 32) * BUCKETS >> 32]++;
            sights[(hashes[i] & UINT32_MAX) * BUCKETS >> 32]++;
        }
        expect_even(tags, TAGS);
        expect_even(buckets, BUCKETS);
        expect_even(sights, BUCKETS);
        ck_assert_uint_eq(collisions(hashes, LINES), 0);
    }
    free(hashes);
}

START_TEST(lines_that_are_much_alike_spread_as_if_they_were_drawn)
{
    for (version = VERSIONS; version < end_of_versions(); version++) {
        check_spread();
    }
}
END_TEST

START_TEST(lines_are_the_same_when_every_bit_is)
{
    uint64_t random = unit_seed() | 1;
    for (version = VERSIONS; version < end_of_versions(); version++) {
        for (size_t len = 0; len <= LONGEST; len++) {
            char *a = malloc(len + 1); // under the sanitizers, of this very length
            char *b = malloc(len + 1);
            for (size_t i = 0; i < len; i++) {
                a[i] = b[i] = (char)unit_random(&random);
            }
            ck_assert(version->same(a, b, len));
            for (size_t bit = 0; bit < 8 * len; bit++) {
                b[bit / 8] ^= (char)(1 << bit % 8);
                ck_assert_msg(!version->same(a, b, len), "bit %zu of %zu bytes", bit, len);
                b[bit / 8] ^= (char)(1 << bit % 8);
            }
            free(a);
            free(b);
        }
    }
}
END_TEST

UNIT_MAIN("line_hash", lines_are_the_same_when_every_bit_is,
          every_bit_of_a_line_and_its_length_and_what_is_besides_count,
          nothing_behind_the_line_is_read_and_nothing_before_it,
          lines_that_are_much_alike_spread_as_if_they_were_drawn)
