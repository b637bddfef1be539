// SPDX-License-Identifier: Apache-2.0
#include "unit.h"

#include <string.h>

#include "series/record.c"

static struct arena *arena;
static struct arena_writer writer;
static char *base;

static void begin(void)
{
    writer = (struct arena_writer){0};
    ck_assert_int_eq(arena_new(&arena, 4 * (uint64_t)ARENA_STEP), 0);
    base = arena_base(arena);
    layout_init(base, 100);
}

static void end(void)
{
    arena_free(arena);
}

static uint32_t make(const char *text, enum record_kind kind)
{
    struct record_spec spec = {.kind = kind,
                               .lanes = 3,
                               .payload = 16,
                               .slot = 7,
                               .signature = 99,
                               .created_ms = 1234,
                               .text = text,
                               .text_len = strlen(text)};
    uint32_t handle = record_new(arena, &writer, &spec);
    ck_assert_uint_ne(handle, 0);
    return handle;
}

static struct record_image image_of(void)
{
    return (struct record_image){
        .base = base, .size = ARENA_STEP, .seed = layout_of(base)->seed, .lease_from = 100};
}

static size_t found(uint64_t damaged_most)
{
    struct record_image image = image_of();
    ck_assert_int_eq(record_scan(&image), 0);
    ck_assert_uint_le(image.damaged, damaged_most);
    size_t n = image.n;
    record_scan_free(&image);
    return n;
}

START_TEST(a_record_is_found_while_it_is_published)
{
    begin();
    uint32_t handle = make("one", RECORD_SERIES);
    ck_assert_uint_eq(found(0), 0);
    record_persist(base, handle);
    record_persist(base, handle);
    ck_assert_uint_eq(found(0), 1);
    record_withdraw(base, handle);
    ck_assert_uint_eq(found(0), 0);
    record_persist(base, handle);
    record_free(arena, handle, 32);
    ck_assert_uint_eq(found(0), 0);
    end();
}
END_TEST

START_TEST(a_record_reads_back_as_it_was_made)
{
    begin();
    uint32_t handle = make("one", RECORD_SESSION);
    struct record *r = record_at(base, handle);
    static const uint64_t nothing[2] = {0};
    ck_assert_mem_eq(record_payload(r), nothing, 16);
    ck_assert_uint_eq(r->word, 0);
    ck_assert_mem_eq(record_text(r), "one", 3);
    ck_assert_uint_eq(record_size(r), sizeof *r + 16 + 3 * 4 + 3);
    memset(record_payload(r), 0xFF, 16);
    atomic_store(&r->word, 5);
    record_persist(base, handle);
    struct record_image image = image_of();
    ck_assert_int_eq(record_scan(&image), 0);
    size_t at = 0;
    ck_assert_uint_eq(record_next(&image, RECORD_SERIES, &at), 0);
    at = 0;
    ck_assert_uint_eq(record_next(&image, RECORD_SESSION, &at), handle);
    ck_assert_uint_eq(record_next(&image, RECORD_SESSION, &at), 0);
    record_scan_free(&image);
    end();
}
END_TEST

START_TEST(a_record_that_is_too_long_is_not_made)
{
    begin();
    static char text[UINT16_MAX + 1];
    struct record_spec spec = {.kind = RECORD_SERIES, .text = text, .text_len = UINT16_MAX + 1};
    ck_assert_uint_eq(record_new(arena, &writer, &spec), 0);
    spec.text_len = UINT16_MAX;
    ck_assert_uint_eq(record_new(arena, &writer, &spec), 0);
    spec.text_len = ARENA_MAX_PIECE - sizeof(struct record);
    uint32_t handle = record_new(arena, &writer, &spec);
    ck_assert_uint_ne(handle, 0);
    record_persist(base, handle);
    ck_assert_uint_eq(found(0), 1);
    end();
}
END_TEST

// Every byte that names the record, one after the other, is changed; what may change freely is left out.
START_TEST(a_record_with_any_other_byte_is_none)
{
    begin();
    uint32_t handle = make("a longer text", RECORD_SERIES);
    struct record *r = record_at(base, handle);
    record_persist(base, handle);
    size_t size = record_size(r);
    for (size_t at = 0; at < size; at++) {
        bool free_to_change =
            (at >= offsetof(struct record, word) && at < offsetof(struct record, signature)) ||
            (at >= offsetof(struct record, touched) && at < offsetof(struct record, text_len)) ||
            (at >= sizeof *r && at < sizeof *r + 16 + 3 * 4);
        for (unsigned bit = 0; bit < 8; bit++) {
            ((unsigned char *)r)[at] ^= (unsigned char)(1u << bit);
            struct record_image image = image_of();
            ck_assert_int_eq(record_scan(&image), 0);
            ck_assert_msg(image.n == free_to_change, "byte %zu", at);
            record_scan_free(&image);
            ((unsigned char *)r)[at] ^= (unsigned char)(1u << bit);
        }
    }
    // At another place it is none either.
    struct arena_writer other = {0};
    uint32_t elsewhere = arena_alloc(arena, &other, size);
    memcpy(arena_at(base, elsewhere), r, size);
    ck_assert_uint_eq(found(1), 1);
    end();
}
END_TEST

START_TEST(a_text_cannot_pretend_to_be_a_record)
{
    begin();
    uint32_t handle = make("victim", RECORD_SERIES);
    record_persist(base, handle);
    char copy[512] = "";
    struct record *r = record_at(base, handle);
    // As good as it gets: a whole record, at every distance, in a text that was published.
    for (size_t i = 0; i < 16; i++) {
        struct record_spec spec = {.kind = RECORD_SERIES, .text = copy, .text_len = sizeof copy};
        memset(copy, 'x', sizeof copy);
        memcpy(copy + i, r, record_size(r));
        uint32_t forger = record_new(arena, &writer, &spec);
        record_persist(base, forger);
        ck_assert_uint_eq(found(16), 2);
        record_withdraw(base, forger); // its text is damage at most
        ck_assert_uint_eq(found(16), 1);
    }
    end();
}
END_TEST

START_TEST(a_cell_belongs_to_its_record_and_lane)
{
    begin();
    uint32_t one = make("one", RECORD_SERIES);
    uint32_t two = make("two", RECORD_SERIES);
    record_persist(base, one);
    record_persist(base, two);
    uint64_t *cell = record_cell(arena, &writer, one, 1, 32);
    ck_assert_ptr_eq(record_cell(arena, &writer, one, 1, 32), cell);
    ck_assert_ptr_eq(record_cell_made(base, record_at(base, one), 1), cell);
    ck_assert_ptr_null(record_cell_made(base, record_at(base, one), 0));
    ck_assert_uint_ne(cell[0], 0);
    cell[1] = 5;
    struct record_image image = image_of();
    ck_assert_int_eq(record_scan(&image), 0);
    ck_assert_ptr_null(record_image_cell(&image, one, 0, 32));
    ck_assert_ptr_eq(record_image_cell(&image, one, 1, 32), cell);
    ck_assert_uint_eq(image.damaged, 0);

    _Atomic uint32_t *lanes = record_lanes(record_at(base, one));
    uint32_t handle = lanes[1];
    const uint32_t wrong[] = {
        1, handle + 1, two, UINT32_MAX, ARENA_STEP / ARENA_GRANULE, ARENA_STEP / ARENA_GRANULE - 1};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        lanes[1] = wrong[i];
        ck_assert_ptr_null(record_image_cell(&image, one, 1, 32));
        ck_assert_uint_eq(image.damaged, i + 1);
    }
    lanes[2] = handle;                              // another lane's
    record_lanes(record_at(base, two))[1] = handle; // another record's
    ck_assert_ptr_null(record_image_cell(&image, one, 2, 32));
    ck_assert_ptr_null(record_image_cell(&image, two, 1, 32));
    record_scan_free(&image);
    end();
}
END_TEST

START_TEST(a_record_and_its_cells_give_their_memory_back)
{
    begin();
    uint64_t used = 0;
    for (int i = 0; i < 10000; i++) {
        uint32_t handle = make("one", RECORD_SERIES);
        record_cell(arena, &writer, handle, 0, 100);
        record_cell(arena, &writer, handle, 2, 100);
        record_free(arena, handle, 100);
        used = i == 0 ? arena_used(arena) : used;
    }
    ck_assert_uint_eq(arena_used(arena), used);
    end();
}
END_TEST

START_TEST(a_header_is_good_or_it_is_not)
{
    begin();
    static char page[ARENA_PAGE];
    memcpy(page, base, sizeof page);
    ck_assert(layout_is_good(page) && layout_is_of_this_boot(page));
    for (size_t at = 0; at < offsetof(struct layout, phase); at++) {
        page[at] ^= 0x10;
        ck_assert_msg(!layout_is_good(page), "byte %zu", at);
        page[at] ^= 0x10;
    }
    struct layout *l = layout_of(page);
    l->boot[0] ^= 1;
    ck_assert(!layout_is_of_this_boot(page));
    memset(l->boot, 0, sizeof l->boot);
    ck_assert(!layout_is_of_this_boot(page));
    end();
}
END_TEST

// The bytes may be anything: nothing is read beyond them, and nothing is found that was not published.
START_TEST(damaged_bytes_lose_records_and_make_none)
{
    uint64_t seed = unit_seed() | 1;
    begin();
    char text[64];
    for (int i = 0; i < 200; i++) {
        snprintf(text, sizeof text, "series %d", i);
        uint32_t handle = make(text, RECORD_SERIES);
        record_cell(arena, &writer, handle, (unsigned)i % 3, 32);
        record_persist(base, handle);
    }
    uint64_t size = arena_used(arena);
    for (int round = 0; round < 300; round++) {
        char *copy = malloc(size);
        memcpy(copy, base, size);
        uint64_t cut = round % 3 == 0 ? unit_random(&seed) % size : size;
        for (int i = 0; i < round; i++) {
            copy[ARENA_RESERVED + unit_random(&seed) % (size - ARENA_RESERVED)] =
                (char)unit_random(&seed);
        }
        char *exact = malloc(cut + 1); // so that a sanitiser sees its end
        memcpy(exact, copy, cut);
        struct record_image image = {.base = exact, .size = cut, .seed = layout_of(base)->seed};
        ck_assert_int_eq(record_scan(&image), 0);
        ck_assert_uint_le(image.n, 200);
        for (size_t i = 0; i < image.n; i++) {
            for (unsigned lane = 0; lane < 3; lane++) {
                record_image_cell(&image, image.handles[i], lane, 32);
            }
        }
        record_scan_free(&image);
        free(exact);
        free(copy);
    }
    end();
}
END_TEST

UNIT_MAIN("record", a_record_is_found_while_it_is_published, a_record_reads_back_as_it_was_made,
          a_record_that_is_too_long_is_not_made, a_record_with_any_other_byte_is_none,
          a_text_cannot_pretend_to_be_a_record, a_cell_belongs_to_its_record_and_lane,
          a_record_and_its_cells_give_their_memory_back, a_header_is_good_or_it_is_not,
          damaged_bytes_lose_records_and_make_none)
