// SPDX-License-Identifier: Apache-2.0
#include "expose/format.c"

#include "unit.h"

static struct gzip *gzip;

static void begin(void)
{
    ck_assert(format_gzip_is_supported());
    ck_assert_int_eq(format_gzip_new(&gzip), 0);
}

static void check_stream(const char *compressed, size_t packed_len, const char *bytes, size_t len)
{
    char *back = malloc(len + 1);
    struct inflate_state z;
    isal_inflate_init(&z);
    z.crc_flag = ISAL_GZIP;
    z.next_in = (uint8_t *)(uintptr_t)compressed;
    z.avail_in = (uint32_t)packed_len;
    z.next_out = (uint8_t *)back;
    z.avail_out = (uint32_t)len + 1;
    ck_assert_int_eq(isal_inflate(&z), ISAL_DECOMP_OK);
    ck_assert_int_eq(z.block_state, ISAL_BLOCK_FINISH);
    ck_assert_uint_eq(z.avail_in, 0);
    ck_assert_uint_eq(z.total_out, len);
    ck_assert_mem_eq(back, bytes, len);
    free(back);
}

static void check_back(const char *bytes, size_t len, size_t piece)
{
    struct buf compressed = BUF_INIT;
    buf_str(&compressed, "before");
    gzip_begin(gzip);
    for (size_t at = 0; at < len; at += piece) {
        size_t some = len - at < piece ? len - at : piece;
        ck_assert_int_eq(gzip_add(gzip, &compressed, bytes + at, some), 0);
    }
    ck_assert_int_eq(gzip_end(gzip, &compressed), 0);
    check_stream(compressed.p + 6, compressed.len - 6, bytes, len);
    buf_free(&compressed);
}

START_TEST(what_is_packed_comes_back)
{
    begin();
    static const size_t sizes[] = {0, 1, 100, OUT_STEP - 1, OUT_STEP, 3 * OUT_STEP + 7, 8 << 20};
    uint64_t state = unit_seed() | 1;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        char *bytes = malloc(sizes[i] + 8);
        for (size_t k = 0; k < sizes[i]; k += 8) {
            uint64_t r = unit_random(&state);
            memcpy(bytes + k, &r, 8); // noise, which becomes longer
        }
        check_back(bytes, sizes[i], sizes[i]);
        check_back(bytes, sizes[i], 1 + sizes[i] / 3);
        for (size_t k = 0; k < sizes[i]; k++) {
            bytes[k] = "virtrigaud_queue_depth 1\n"[k % 25];
        }
        check_back(bytes, sizes[i], sizes[i]);
        check_back(bytes, sizes[i], 1 + sizes[i] / 50);
        free(bytes);
    }
    format_gzip_free(gzip);
}
END_TEST

START_TEST(a_full_buffer_says_so)
{
    begin();
    struct buf small = {.max = 1000};
    gzip_begin(gzip);
    ck_assert_int_eq(gzip_add(gzip, &small, "a", 1), -ENOMEM);
    ck_assert(small.failed);
    check_back("a", 1, 1);
    buf_free(&small);
    format_gzip_free(gzip);
}
END_TEST

// Something that repeats and something that does not.
static void add_line(struct buf *b, uint64_t r)
{
    buf_addf(b, "virtrigaud_queue_depth{queue=\"%d\",more=\"%.*s\"} %llu\n", (int)(r % 7),
             (int)(r % 200),
             "................................................................................"
             "................................................................................"
             "........................................",
             (unsigned long long)(r >> 40));
}

// A family of so many lines, to the sink and as text.
static void write_family(struct format_sink *sink, struct buf *want, uint64_t *state,
                         uint64_t lines)
{
    for (; lines > 0; lines--) {
        uint64_t r = unit_random(state);
        add_line(sink->text, r);
        format_sink_flush_full(sink);
        if (want != NULL) {
            add_line(want, r);
        }
    }
}

START_TEST(what_goes_through_a_sink_comes_back)
{
    begin();
    uint64_t state = unit_seed() | 1;
    struct buf text = BUF_INIT;
    struct buf compressed = BUF_INIT;
    struct buf want = BUF_INIT;
    for (int turn = 0; turn < 30; turn++) {
        struct format_sink sink = format_sink_gzip(&text, gzip, &compressed);
        for (int family = 0; family < 6; family++) {
            uint64_t most = unit_random(&state) % 2 ? 20 : 10000;
            write_family(&sink, &want, &state, unit_random(&state) % most);
        }
        ck_assert_int_eq(format_sink_end(&sink), 0);
        check_stream(compressed.p, compressed.len, want.p, want.len);
        buf_clear(&compressed);
        buf_clear(&want);
        buf_clear(&text);
    }
    buf_free(&text);
    buf_free(&compressed);
    buf_free(&want);
    format_gzip_free(gzip);
}
END_TEST

START_TEST(a_sink_holds_no_more_text_than_a_piece)
{
    begin();
    uint64_t state = 1;
    struct buf text = {.max = FORMAT_SINK_PIECE + 4096};
    struct buf compressed = BUF_INIT;
    struct format_sink sink = format_sink_gzip(&text, gzip, &compressed);
    write_family(&sink, NULL, &state, 50000);
    ck_assert_int_eq(format_sink_end(&sink), 0);
    ck_assert_uint_eq(text.len, 0);
    buf_free(&text);
    buf_free(&compressed);
    format_gzip_free(gzip);
}
END_TEST

START_TEST(a_sink_without_room_says_so)
{
    begin();
    for (size_t max = OUT_STEP - 1; max < 4 * OUT_STEP; max += OUT_STEP) {
        uint64_t state = 1;
        struct buf text = BUF_INIT;
        struct buf compressed = {.max = max};
        struct format_sink sink = format_sink_gzip(&text, gzip, &compressed);
        write_family(&sink, NULL, &state, 200000);
        ck_assert_int_eq(format_sink_end(&sink), -ENOMEM);
        buf_free(&text);
        buf_free(&compressed);
    }
    format_gzip_free(gzip);
}
END_TEST

UNIT_MAIN("format_gzip", what_is_packed_comes_back, a_full_buffer_says_so,
          what_goes_through_a_sink_comes_back, a_sink_holds_no_more_text_than_a_piece,
          a_sink_without_room_says_so)
