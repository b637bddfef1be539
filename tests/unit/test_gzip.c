// SPDX-License-Identifier: Apache-2.0
#include "expose/gzip.c"

#include "unit.h"

static void check_back(struct gzip *g, const char *bytes, size_t len)
{
    struct buf packed = BUF_INIT;
    buf_str(&packed, "before");
    ck_assert_int_eq(gzip_add(g, &packed, bytes, len), 0);
    char *back = malloc(len + 1);
    struct inflate_state z;
    isal_inflate_init(&z);
    z.crc_flag = ISAL_GZIP;
    z.next_in = (uint8_t *)packed.p + 6;
    z.avail_in = (uint32_t)(packed.len - 6);
    z.next_out = (uint8_t *)back;
    z.avail_out = (uint32_t)len + 1;
    ck_assert_int_eq(isal_inflate(&z), ISAL_DECOMP_OK);
    ck_assert_int_eq(z.block_state, ISAL_BLOCK_FINISH);
    ck_assert_uint_eq(z.avail_in, 0);
    ck_assert_uint_eq(z.total_out, len);
    ck_assert_mem_eq(back, bytes, len);
    free(back);
    buf_free(&packed);
}

START_TEST(what_is_packed_comes_back)
{
    static const size_t sizes[] = {0, 1, 100, OUT_STEP - 1, OUT_STEP, 3 * OUT_STEP + 7, 8 << 20};
    uint64_t state = unit_seed() | 1;
    struct gzip *g = NULL;
    ck_assert(gzip_is_there());
    ck_assert_int_eq(gzip_new(&g), 0);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        char *bytes = malloc(sizes[i] + 8);
        for (size_t k = 0; k < sizes[i]; k += 8) {
            uint64_t r = unit_random(&state);
            memcpy(bytes + k, &r, 8); // noise, which becomes longer
        }
        check_back(g, bytes, sizes[i]);
        for (size_t k = 0; k < sizes[i]; k++) {
            bytes[k] = "virtrigaud_queue_depth 1\n"[k % 25];
        }
        check_back(g, bytes, sizes[i]);
        free(bytes);
    }
    gzip_free(g);
}
END_TEST

START_TEST(a_full_buffer_says_so)
{
    struct gzip *g = NULL;
    struct buf small = {.max = 1000};
    ck_assert_int_eq(gzip_new(&g), 0);
    ck_assert_int_eq(gzip_add(g, &small, "a", 1), -ENOMEM);
    ck_assert(small.failed);
    check_back(g, "a", 1);
    buf_free(&small);
    gzip_free(g);
}
END_TEST

UNIT_MAIN("gzip", what_is_packed_comes_back, a_full_buffer_says_so)
