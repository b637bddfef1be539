// SPDX-License-Identifier: Apache-2.0
#include "web/webconf.h"

#include "unit.h"

#define REST ":+SIGN-ALL:+CTYPE-X509:+COMP-NULL"
#define GROUPS ":+GROUP-X25519:+GROUP-SECP256R1:+GROUP-SECP384R1:+GROUP-SECP521R1"
#define ECDHE ":+AES-128-GCM:+AEAD:+AES-256-GCM:+CHACHA20-POLY1305:+ECDHE-ECDSA:+ECDHE-RSA"

static uint32_t ciphers(const char *const *names)
{
    uint32_t set = 0;
    for (; *names != NULL; names++) {
        unsigned i = 0;
        while (strcmp(webconf_ciphers[i], *names) != 0) {
            ck_assert_uint_lt(++i, WEBCONF_PRIORITY_CIPHERS);
        }
        set |= 1u << i;
    }
    return set;
}

START_TEST(versions_ciphers_and_curves_become_words)
{
    static const struct {
        int min;
        int max;
        const char *ciphers[4];
        const char *want;
    } table[] = {
        {WEBCONF_PRIORITY_TLS12,
         WEBCONF_PRIORITY_TLS13,
         {NULL},
         "NONE:+VERS-TLS1.3:+VERS-TLS1.2" ECDHE},
        {WEBCONF_PRIORITY_TLS13, WEBCONF_PRIORITY_TLS13, {NULL}, "NONE:+VERS-TLS1.3" ECDHE},
        {WEBCONF_PRIORITY_TLS11,
         WEBCONF_PRIORITY_TLS12,
         {NULL},
         "NONE:+VERS-TLS1.2:+VERS-TLS1.1" ECDHE ":+AES-128-CBC:+SHA1:+AES-256-CBC"},
        {WEBCONF_PRIORITY_TLS10,
         WEBCONF_PRIORITY_TLS13,
         {"TLS_RSA_WITH_AES_128_CBC_SHA"},
         "NONE:+VERS-TLS1.2:+VERS-TLS1.1:+VERS-TLS1.0:+RSA:+AES-128-CBC:+SHA1"},
        {WEBCONF_PRIORITY_TLS12,
         WEBCONF_PRIORITY_TLS13,
         {"TLS_AES_256_GCM_SHA384"},
         "NONE:+VERS-TLS1.3:+AES-256-GCM:+AEAD"},
        {WEBCONF_PRIORITY_TLS10,
         WEBCONF_PRIORITY_TLS12,
         {"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "TLS_RSA_WITH_AES_128_GCM_SHA256"},
         "NONE:+VERS-TLS1.2:+ECDHE-RSA:+AES-128-GCM:+AEAD:+RSA"},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct webconf_priority p = {
            .min = table[i].min, .max = table[i].max, .ciphers = ciphers(table[i].ciphers)};
        struct buf out = BUF_INIT;
        char want[512];
        snprintf(want, sizeof want, "%s" GROUPS REST, table[i].want);
        ck_assert(webconf_write_priority(&p, &out));
        ck_assert_str_eq(buf_string(&out), want);
        buf_free(&out);
    }
}
END_TEST

START_TEST(the_servers_order_and_chosen_curves_are_told)
{
    struct webconf_priority p = {.min = WEBCONF_PRIORITY_TLS13,
                                 .max = WEBCONF_PRIORITY_TLS13,
                                 .server_order = true,
                                 .n_curves = 2,
                                 .curves = {2, 0}};
    struct buf out = BUF_INIT;
    ck_assert(webconf_write_priority(&p, &out));
    ck_assert_str_eq(buf_string(&out),
                     "NONE:+VERS-TLS1.3" ECDHE ":+GROUP-SECP521R1:+GROUP-SECP256R1" REST
                     ":%SERVER_PRECEDENCE");
    buf_free(&out);
}
END_TEST

START_TEST(what_leaves_no_version_is_told)
{
    static const struct {
        int min;
        int max;
        const char *ciphers[2];
    } table[] = {
        {WEBCONF_PRIORITY_TLS13, WEBCONF_PRIORITY_TLS12, {NULL}},
        {WEBCONF_PRIORITY_TLS13, WEBCONF_PRIORITY_TLS13, {"TLS_RSA_WITH_AES_128_CBC_SHA"}},
        {WEBCONF_PRIORITY_TLS12, WEBCONF_PRIORITY_TLS12, {"TLS_AES_128_GCM_SHA256"}},
        {WEBCONF_PRIORITY_TLS10, WEBCONF_PRIORITY_TLS11, {"TLS_RSA_WITH_AES_128_GCM_SHA256"}},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct webconf_priority p = {
            .min = table[i].min, .max = table[i].max, .ciphers = ciphers(table[i].ciphers)};
        struct buf out = BUF_INIT;
        ck_assert(!webconf_write_priority(&p, &out));
        buf_free(&out);
    }
}
END_TEST

UNIT_MAIN("tls_priority", versions_ciphers_and_curves_become_words,
          the_servers_order_and_chosen_curves_are_told, what_leaves_no_version_is_told)
