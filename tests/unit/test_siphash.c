// SPDX-License-Identifier: Apache-2.0
#include "base/siphash.h"

#include "unit.h"

START_TEST(it_gives_what_its_authors_give)
{
    // Of the authors' vectors_sip128: key 00 01 … 0f, input 00 01 … of 0 and 1 bytes.
    static const struct {
        size_t len;
        uint64_t word[2];
    } table[] = {
        {0, {0xe6a825ba047f81a3, 0x930255c71472f66d}},
        {1, {0x44af996bd8c187da, 0x45fc229b11597634}},
    };
    static const uint64_t key[2] = {0x0706050403020100, 0x0f0e0d0c0b0a0908};
    unsigned char input[16];
    for (unsigned i = 0; i < sizeof input; i++) {
        input[i] = (unsigned char)i;
    }
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct siphash h = siphash(key, input, table[i].len);
        ck_assert_uint_eq(h.word[0], table[i].word[0]);
        ck_assert_uint_eq(h.word[1], table[i].word[1]);
    }
}
END_TEST

START_TEST(key_length_and_each_byte_count)
{
    static const uint64_t key[2] = {1, 2};
    static const uint64_t other[2] = {1, 3};
    char input[24] = "abcdefghijklmnopqrstuvw";
    struct siphash whole = siphash(key, input, sizeof input);
    ck_assert_uint_ne(siphash(other, input, sizeof input).word[0], whole.word[0]);
    ck_assert_uint_ne(siphash(key, input, sizeof input - 1).word[1], whole.word[1]);
    for (size_t i = 0; i < sizeof input; i++) {
        input[i] ^= 1;
        struct siphash changed = siphash(key, input, sizeof input);
        ck_assert(changed.word[0] != whole.word[0] && changed.word[1] != whole.word[1]);
        input[i] ^= 1;
    }
}
END_TEST

UNIT_MAIN("siphash", it_gives_what_its_authors_give, key_length_and_each_byte_count)
