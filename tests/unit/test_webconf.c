// SPDX-License-Identifier: Apache-2.0
#include "web/webconf.h"

#include "unit.h"
#include "web/web.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define HASH "$2y$10$qRTBuFoULoYNA7AQ/F3ck.trZBPyjV64.oA4ZsSBCIWvXuvQlQTuu"
#define TLS "tls_server_config: {cert_file: a, key_file: b"

static int parse(const char *text, struct webconf **ret, struct buf *said)
{
    struct errs errs = ERRS_INIT;
    int r = webconf_parse(ret, "/etc/x/web.yaml", true, text, strlen(text), &errs);
    errs_write(&errs, said);
    errs_free(&errs);
    return r;
}

START_TEST(each_mistake_is_named_at_its_place)
{
    static const struct {
        const char *text;
        const char *said; // after the file's name; one line each
    } table[] = {
        {"tls_server_confg: {}\n",
         "1:1: tls_server_confg: unknown key; the nearest is tls_server_config"},
        {"tls_server_config:\n  cert_filse: x\n",
         "2:3: tls_server_config.cert_filse: unknown key; the nearest is cert_file"},
        {"zzz: 1\n", "1:1: zzz: unknown key"},
        {"hello\n", "1:1: must be a mapping, not \"hello\""},
        {"tls_server_config: []\n", "1:20: tls_server_config: must be a mapping, not a list"},
        {"tls_server_config: {key_file: b}\n",
         "1:20: tls_server_config: missing cert_file or cert"},
        {"tls_server_config: {cert_file: b, key_file: ''}\n",
         "1:20: tls_server_config: missing key_file or key"},
        {TLS ", cert: c}\n", "1:54: tls_server_config.cert: is also given in another way, on "
                             "line 1"},
        {TLS ", client_ca_file: /dev/null}\n",
         "1:20: tls_server_config: a client CA has no effect without a client_auth_type"},
        {TLS ", client_auth_type: x}\n",
         "1:66: tls_server_config.client_auth_type: unknown value \"x\""},
        {TLS ", client_auth_type: RequireAnyClientCerts}\n",
         "1:66: tls_server_config.client_auth_type: unknown value \"RequireAnyClientCerts\"; the "
         "nearest is RequireAnyClientCert"},
        {TLS ", client_allowed_sans: [a], client_auth_type: RequireAnyClientCert}\n",
         "1:20: tls_server_config: client_allowed_sans counts only where client_auth_type is "
         "VerifyClientCertIfGiven or RequireAndVerifyClientCert"},
        {TLS ", min_version: TLS111}\n", "1:61: tls_server_config.min_version: unknown value "
                                         "\"TLS111\"; the nearest is TLS11"},
        {TLS ", min_version: TLS13, max_version: TLS12}\n",
         "1:20: tls_server_config: leaves no TLS version with a cipher"},
        {TLS ", cipher_suites: [RC4]}\n",
         "1:64: tls_server_config.cipher_suites: unknown value \"RC4\""},
        {TLS ", curve_preferences: [CurveP257]}\n",
         "1:68: tls_server_config.curve_preferences: unknown value \"CurveP257\"; the nearest is "
         "CurveP256"},
        {TLS ", prefer_server_cipher_suites: 'true'}\n",
         "1:77: tls_server_config.prefer_server_cipher_suites: must be true or false, not a text "
         "in quotes"},
        {"http_server_config: {http2: 1}\n",
         "1:29: http_server_config.http2: must be true or false, not \"1\""},
        {"http_server_config: {headers: {Content-Type: foo}}\n",
         "1:32: http_server_config.headers.Content-Type: unknown key"},
        {"http_server_config: {headers: {X-Frame-Options: foo}}\n",
         "1:49: http_server_config.headers.X-Frame-Options: must be deny or sameorigin, not "
         "\"foo\""},
        {"http_server_config: {headers: {X-XSS-Protection: \"1\\r\\nX: y\"}}\n",
         "1:50: http_server_config.headers.X-XSS-Protection: has control characters, or more than "
         "4096 bytes"},
        {"basic_auth_users: {john: doe}\n",
         "1:26: basic_auth_users: the password of \"john\" is not a bcrypt hash; it starts with "
         "$2a$, $2b$ or $2y$, and htpasswd -nB makes one"},
        {"basic_auth_users: [a]\n",
         "1:19: basic_auth_users: must be a mapping of at most 1000 entries, not a list"},
        {"rate_limit: {interval: 5}\n", "1:24: rate_limit.interval: must be a duration of at most "
                                        "24h, such as 500ms or 1m30s, not \"5\""},
        {"rate_limit: {interval: 24h1ns}\n", "1:24: rate_limit.interval: must be a duration of at "
                                             "most 24h, such as 500ms or 1m30s, not \"24h1ns\""},
        {"rate_limit: {burst: 100001}\n",
         "1:21: rate_limit.burst: must be a whole number from 0 to 100000, not \"100001\""},
        {"rate_limit: {interval: 1s, burst: 0}\n",
         "1:13: rate_limit: a burst of 0 would refuse every request"},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct webconf *c = NULL;
        struct buf said = BUF_INIT;
        char want[512];
        snprintf(want, sizeof want, "/etc/x/web.yaml:%s\n", table[i].said);
        ck_assert_int_eq(parse(table[i].text, &c, &said), -EINVAL);
        ck_assert_str_eq(buf_string(&said), want);
        buf_free(&said);
    }
}
END_TEST

static struct webconf *good(const char *text)
{
    struct webconf *c = NULL;
    struct buf said = BUF_INIT;
    int r = parse(text, &c, &said);
    ck_assert_msg(r == 0, "%s\n%s", text, buf_string(&said));
    buf_free(&said);
    return c;
}

START_TEST(every_key_is_read)
{
    struct webconf *c = good("tls_server_config:\n"
                             "  cert_file: a.crt\n"
                             "  key_file: /k/b.key\n"
                             "  client_ca: PEM\n"
                             "  client_auth_type: RequireAndVerifyClientCert\n"
                             "  client_allowed_sans: [a.example, 10.0.0.1]\n"
                             "  min_version: TLS11\n"
                             "  max_version: TLS12\n"
                             "  cipher_suites: [TLS_AES_128_GCM_SHA256, "
                             "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA]\n"
                             "  prefer_server_cipher_suites: no\n"
                             "  curve_preferences: [X25519, CurveP256, X25519]\n"
                             "http_server_config:\n"
                             "  http2: false\n"
                             "  headers: {X-Frame-Options: deny, X-XSS-Protection: 1}\n"
                             "basic_auth_users: {alice: " HASH ", bob: " HASH "}\n"
                             "rate_limit: {interval: 1m0.5s, burst: 7}\n");
    ck_assert(c->tls.on);
    ck_assert_str_eq(c->tls.cert.path, "/etc/x/a.crt");
    ck_assert_str_eq(c->tls.key.path, "/k/b.key");
    ck_assert_str_eq(c->tls.ca.text, "PEM");
    ck_assert_int_eq(c->tls.client_auth, WEBCONF_CLIENT_VERIFY);
    ck_assert_uint_eq(c->tls.n_sans, 2);
    ck_assert_str_eq(c->tls.sans[1], "10.0.0.1");
    ck_assert_int_eq(c->tls.priority.min, WEBCONF_PRIORITY_TLS11);
    ck_assert_int_eq(c->tls.priority.max, WEBCONF_PRIORITY_TLS12);
    ck_assert_uint_eq(c->tls.priority.ciphers, 1u << 0 | 1u << 13);
    ck_assert(!c->tls.priority.server_order);
    ck_assert_uint_eq(c->tls.priority.n_curves, 2);
    ck_assert_uint_eq(c->tls.priority.curves[0], 3);
    ck_assert_uint_eq(c->n_headers, 2);
    ck_assert_str_eq(c->headers[1].name, "X-XSS-Protection");
    ck_assert_str_eq(c->headers[1].value, "1");
    ck_assert_uint_eq(c->n_users, 2);
    ck_assert_str_eq(c->users[1].name, "bob");
    ck_assert_str_eq(c->users[1].hash, HASH);
    ck_assert_uint_eq(c->interval_ns, 60500000000);
    ck_assert_uint_eq(c->burst, 7);
    webconf_free(c);
}
END_TEST

START_TEST(nothing_at_all_asks_for_nothing)
{
    static const char *const texts[] = {
        "", "tls_server_config:\nhttp_server_config: ~\nbasic_auth_users:\nrate_limit: null\n",
        "tls_server_config: {min_version: TLS13, cert_file: '', key_file: ''}\n",
        "rate_limit: {interval: 0}\n"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct webconf *c = good(texts[i]);
        ck_assert(!c->tls.on);
        ck_assert_uint_eq(c->n_users + c->n_headers + c->interval_ns, 0);
        webconf_free(c);
    }
}
END_TEST

START_TEST(durations_read_as_in_go)
{
    static const struct {
        const char *text;
        uint64_t ns;
    } table[] = {
        {"0", 0},
        {"1ns", 1},
        {"1us", 1000},
        {"2\xc2\xb5s", 2000},
        {"1.5ms", 1500000},
        {"1s", 1000000000},
        {"2m", 120000000000},
        {"24h", 86400000000000},
        {"1h1m1s", 3661000000000},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        char text[64];
        snprintf(text, sizeof text, "rate_limit: {interval: %s}\n", table[i].text);
        struct webconf *c = good(text);
        ck_assert_uint_eq(c->interval_ns, table[i].ns);
        webconf_free(c);
    }
}
END_TEST

// What exporter-toolkit 0.8.2 says of its own files. It has no rate_limit, and no PEM as text.
START_TEST(files_of_exporter_toolkit_are_read_as_it_reads_them)
{
    static const char dir[] =
        "/usr/share/gocode/src/github.com/prometheus/exporter-toolkit/web/testdata/";
    static const struct {
        const char *name;
        bool good;
    } table[] = {
        {"tls_config_noAuth.requireandverifyclientcert.good.yml", true},
        {"tls_config_noAuth.requireanyclientcert.good.yml", true},
        {"web_config_auth_clientCAs_invalid.bad.yml", false},
        {"web_config_auth_clientCAs_missing.bad.yml",
         true}, // then the system's CAs count, there too
        {"web_config_auth_user_list_invalid.bad.yml", false},
        {"web_config_empty.yml", true},
        {"web_config_headers.good.yml", true},
        {"web_config_headers_content_type_options.bad.yml", false},
        {"web_config_headers_extra_header.bad.yml", false},
        {"web_config_headers_frame_options.bad.yml", false},
        {"web_config_junk.yml", false},
        {"web_config_junk_key.yml", false},
        {"web_config_noAuth.bad.yml", false},
        {"web_config_noAuth.good.blocking.yml", true},
        {"web_config_noAuth.good.yml", true},
        {"web_config_noAuth_allCiphers.good.yml", true},
        {"web_config_noAuth_allCurves.good.yml", true},
        {"web_config_noAuth_certPath_empty.bad.yml", false},
        {"web_config_noAuth_certPath_invalid.bad.yml", false},
        {"web_config_noAuth_certPath_keyPath_empty.bad.yml", false},
        {"web_config_noAuth_certPath_keyPath_invalid.bad.yml", false},
        {"web_config_noAuth_inventedCiphers.bad.yml", false},
        {"web_config_noAuth_inventedCurves.bad.yml", false},
        {"web_config_noAuth_keyPath_empty.bad.yml", false},
        {"web_config_noAuth_keyPath_invalid.bad.yml", false},
        {"web_config_noAuth_noHTTP2.good.yml", true},
        {"web_config_noAuth_noHTTP2Cipher.bad.yml",
         true}, // bad for HTTP/2 only, which there is not
        {"web_config_noAuth_someCiphers.good.yml", true},
        {"web_config_noAuth_someCiphers_noOrder.good.yml", true},
        {"web_config_noAuth_someCurves.good.yml", true},
        {"web_config_noAuth_wrongTLSVersion.bad.yml", false},
        {"web_config_users.good.yml", true},
        {"web_config_users_noTLS.good.yml", true},
        {"somefile", false},
    };
    if (access(dir, R_OK) < 0 || !tls_is_supported()) {
        printf("left out: exporter-toolkit's files, or TLS, are not there\n");
        return;
    }
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        char path[256];
        struct errs errs = ERRS_INIT;
        struct webconf_files seen = {0};
        struct web_config *g = NULL;
        struct buf said = BUF_INIT;
        snprintf(path, sizeof path, "%s%s", dir, table[i].name);
        int r = web_config_load(&g, path, &seen, &errs);
        errs_write(&errs, &said);
        ck_assert_msg(r == (table[i].good ? 0 : -EINVAL), "%s: %d\n%s", table[i].name, r,
                      buf_string(&said));
        ck_assert_uint_ge(seen.n, 1);
        buf_free(&said);
        errs_free(&errs);
        webconf_files_clear(&seen);
        web_config_free(g);
    }
}
END_TEST

UNIT_MAIN("webconf", each_mistake_is_named_at_its_place, every_key_is_read,
          nothing_at_all_asks_for_nothing, durations_read_as_in_go,
          files_of_exporter_toolkit_are_read_as_it_reads_them)
