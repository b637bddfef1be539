// SPDX-License-Identifier: Apache-2.0
#include "web/credentials.h"

#include "unit.h"

#include <string.h>

#define SALTED "abcdefghijklmnopqrstuv0123456789ABCDEFGHIJKLMNOPQRSTU"

START_TEST(a_hash_is_checked_by_its_form)
{
    static const struct {
        const char *text;
        const char *why; // how it begins; NULL: good
    } table[] = {
        {"$2y$10$" SALTED, NULL},
        {"$2a$04$" SALTED, NULL},
        {"$2b$31$" SALTED, NULL},
        {"doe", "is not a bcrypt hash"},
        {"", "is not a bcrypt hash"},
        {"$", "is not a bcrypt hash"},
        {"$2", "is not a bcrypt hash"},
        {"$2y", "is not a bcrypt hash"},
        {"$2x$10$" SALTED, "is not a bcrypt hash"},
        {"$2$10$" SALTED, "is not a bcrypt hash"},
        {"$6$salt$hash", "is not a bcrypt hash"},
        {"$2y$", "is not a complete bcrypt hash"},
        {"$2y$10$" SALTED "x", "is not a complete bcrypt hash"},
        {"$2y$10$abcdefghijklmnopqrstuv0123456789ABCDEFGHIJKLMNOPQRS",
         "is not a complete bcrypt hash"},
        {"$2y$10$!bcdefghijklmnopqrstuv0123456789ABCDEFGHIJKLMNOPQRSTU", "is not a complete"},
        {"$2y$03$" SALTED, "has a cost"},
        {"$2y$32$" SALTED, "has a cost"},
        {"$2y$ 4$" SALTED, "has a cost"},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        const char *why = NULL;
        ck_assert_msg(credentials_is_hash(table[i].text, &why) == (table[i].why == NULL), "%s",
                      table[i].text);
        if (table[i].why != NULL) {
            ck_assert_msg(strncmp(why, table[i].why, strlen(table[i].why)) == 0, "%s: %s",
                          table[i].text, why);
        }
    }
}
END_TEST

START_TEST(the_password_of_a_hash_is_good_and_no_other)
{
    // Of OpenBSD's and crypt_blowfish's own tests.
    static const struct {
        const char *hash;
        const char *password;
        int good;
    } table[] = {
        {"$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "U*U", 1},
        {"$2y$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "U*U", 1},
        {"$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "U*V", 0},
        {"$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "", 0},
        {"$2a$05$XXXXXXXXXXXXXXXXXXXXXOAcXxm9kjPGEMsLznoKqmqw7tc8WCx4a", "U*U*U", 1},
        {"$2a$05$CCCCCCCCCCCCCCCCCCCCC.7uG0VCzI2bS7j6ymqJi9CdcdxiRTWNy", "", 1},
        {"*0", "", 0},
        {"", "", 0},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        ck_assert_int_eq(credentials_try(table[i].hash, table[i].password), table[i].good);
    }
}
END_TEST

UNIT_MAIN("credentials_hash", a_hash_is_checked_by_its_form,
          the_password_of_a_hash_is_good_and_no_other)
