// SPDX-License-Identifier: Apache-2.0
#include "event/bytes.h"
#include "unit.h"

enum { ROOM = 4 * BYTES_BLOCK };

#ifdef __x86_64__
__attribute__((target("avx2,aes,bmi"))) static void compare(const char *text, size_t at, size_t end)
{
    const char *p = text + at;
    for (char c = '!'; c < '}'; c += 5) {
        ck_assert_uint_eq(bytes_before_wide(p, text + ROOM, c),
                          bytes_before_plain(p, text + ROOM, c));
    }
    ck_assert_uint_eq(bytes_plain_wide(p, text + ROOM), bytes_plain_plain(p, text + ROOM));
    for (unsigned nth = 4; nth <= 6; nth++) {
        ck_assert_uint_eq(bytes_quote_wide(p, text + ROOM, nth),
                          bytes_quote_plain(p, text + ROOM, nth));
    }
    char copy[ROOM];
    memcpy(copy, p, end);
    memset(copy + end, '~', sizeof copy - end);
    ck_assert(bytes_same_wide(p, copy, end) && bytes_is_same_plain(p, copy, end));
    for (size_t i = 0; i < end; i++) {
        copy[i] ^= 1;
        ck_assert(!bytes_same_wide(p, copy, end) && !bytes_is_same_plain(p, copy, end));
        copy[i] ^= 1;
    }
}
#endif

START_TEST(the_wide_version_answers_as_the_other_one)
{
#ifdef __x86_64__
    static const char some[] = "\"\\a\x1f\x20\x7f\x80\xc3\xa9z\0,}1";
    uint64_t random = unit_seed() | 1;
    char text[2 * ROOM];
    for (int i = 0; bytes_can_wide() && i < 20000; i++) {
        uint64_t rare = unit_random(&random) % 3;
        for (size_t k = 0; k < sizeof text; k++) {
            text[k] = unit_random(&random) % (1 + 30 * rare) == 0
                          ? some[unit_random(&random) % (sizeof some - 1)]
                          : 'x';
        }
        compare(text, unit_random(&random) % 60, unit_random(&random) % (2 * BYTES_BLOCK + 1));
    }
#endif
}
END_TEST

START_TEST(hashes_differ)
{
    char text[2 * BYTES_BLOCK] = {0};
    bytes_hash seed = {0x123456789, 0x987654321};
    uint64_t seen[2 * BYTES_BLOCK * 8];
    for (unsigned i = 0; i < 2 * BYTES_BLOCK * 8; i++) {
        text[i / 8] = (char)(1 << i % 8);
        bytes_hash h = bytes_hash_plain(seed, text);
        seen[i] = h[0] ^ h[1];
        text[i / 8] = 0;
        for (unsigned k = 0; k < i; k++) {
            ck_assert_uint_ne(seen[i], seen[k]);
        }
    }
}
END_TEST

UNIT_MAIN("bytes", the_wide_version_answers_as_the_other_one, hashes_differ)
