// SPDX-License-Identifier: Apache-2.0
#include "web/head.h"

#include "unit.h"

#include <string.h>

// Feeds fields, written as "Name: value" with LF between them.
static const char *judge(const char *method, const char *version, const char *fields,
                         struct head *head)
{
    head_begin(head, version);
    while (*fields != '\0') {
        size_t len = strcspn(fields, "\n");
        const char *colon = memchr(fields, ':', len);
        ck_assert_ptr_nonnull(colon);
        size_t name = (size_t)(colon - fields);
        size_t skip = colon[1] == ' ' ? name + 2 : name + 1;
        head_field(head, fields, name, fields + skip, len - skip);
        fields += len + (fields[len] == '\n');
    }
    return head_end(head, method);
}

START_TEST(heads_are_judged_as_the_rfcs_say)
{
    static const struct {
        const char *method;
        const char *version;
        const char *fields;
        const char *wrong;
    } cases[] = {
        {"GET", "HTTP/1.1", "Host: a", NULL},
        {"GET", "HTTP/1.1", "host: a:8080", NULL},
        {"GET", "HTTP/1.1", "Host: [::1]:8080", NULL},
        {"GET", "HTTP/1.1", "Host: [::1]", NULL},
        {"GET", "HTTP/1.1", "Host: 127.0.0.1:9", NULL},
        {"GET", "HTTP/1.1", "Host: a:", NULL},
        {"GET", "HTTP/1.1", "Host: a \t", NULL},
        {"GET", "HTTP/1.0", "", NULL},
        {"GET", "HTTP/1.0", "Host: a", NULL},
        {"GET", "HTTP/1.1", "", "no Host"},
        {"GET", "HTTP/1.1", "Host: a\nHost: a", "more than one Host"},
        {"GET", "HTTP/1.0", "Host: a\nHost: b", "more than one Host"},
        {"GET", "HTTP/1.1", "Host:", "the Host is not one"},
        {"GET", "HTTP/1.1", "Host: :80", "the Host is not one"},
        {"GET", "HTTP/1.1", "Host: a b", "the Host is not one"},
        {"GET", "HTTP/1.1", "Host: u@a", "the Host is not one"},
        {"GET", "HTTP/1.1", "Host: a/b", "the Host is not one"},
        {"GET", "HTTP/1.1", "Host: a:8o", "the Host is not one"},
        {"GET", "HTTP/1.1", "Host: a:123456", "the Host is not one"},
        {"GET", "HTTP/1.1", "Host: [::1", "the Host is not one"},
        {"GET", "HTTP/1.1", "Host: []", "the Host is not one"},
        {"GET", "HTTP/1.1", "Host: [::1]x", "the Host is not one"},
        {"GET", "HTTP/1.1", "Host: a\nX[1]: b", "a header's name is not a token"},
        {"GET", "HTTP/1.1", "Host: a\n: b", "a header's name is not a token"},
        {"GET", "HTTP/1.1", "Host: a\nX Y: b", "a header's name is not a token"},
        {"GET", "HTTP/1.1", "Host: a\nX: a\tb", NULL},
        {"GET", "HTTP/1.1", "Host: a\nX: \xc3\xbc", NULL},
        {"GET", "HTTP/1.1", "Host: a\nX: a\x01", "a header's value has control characters"},
        {"GET", "HTTP/1.1", "Host: a\nX: a\x7f", "a header's value has control characters"},
        {"GET", "HTTP/1.1", "Host: a\nX: a\rb", "a header's value has control characters"},
        {"GET", "HTTP/1.1", "Host: a\nContent-Length: 0", NULL},
        {"GET", "HTTP/1.1", "Host: a\nContent-Length: 1", "a body where there can be none"},
        {"HEAD", "HTTP/1.1", "Host: a\nContent-Length: 1", "a body where there can be none"},
        {"GET", "HTTP/1.1", "Host: a\nTransfer-Encoding: chunked",
         "a body where there can be none"},
        {"POST", "HTTP/1.1", "Host: a\nContent-Length: 10", NULL},
        {"POST", "HTTP/1.1", "Host: a\nTransfer-Encoding: Chunked", NULL},
        {"POST", "HTTP/1.1", "Host: a\nContent-Length: 1\nContent-Length: 1",
         "more than one Content-Length"},
        {"POST", "HTTP/1.1", "Host: a\nContent-Length: 1\nContent-Length: 2",
         "more than one Content-Length"},
        {"POST", "HTTP/1.1", "Host: a\nContent-Length: 1, 1", "the Content-Length is not a number"},
        {"POST", "HTTP/1.1", "Host: a\nContent-Length: +1", "the Content-Length is not a number"},
        {"POST", "HTTP/1.1", "Host: a\nContent-Length: 0x1", "the Content-Length is not a number"},
        {"POST", "HTTP/1.1", "Host: a\nContent-Length: 9999999999999999999",
         "the Content-Length is not a number"},
        {"POST", "HTTP/1.1", "Host: a\nTransfer-Encoding: chunked\nContent-Length: 1",
         "both Transfer-Encoding and Content-Length"},
        {"POST", "HTTP/1.1", "Host: a\nTransfer-Encoding: gzip",
         "a Transfer-Encoding other than chunked"},
        {"POST", "HTTP/1.1", "Host: a\nTransfer-Encoding: chunked, gzip",
         "a Transfer-Encoding other than chunked"},
        {"POST", "HTTP/1.1", "Host: a\nTransfer-Encoding: chunked\nTransfer-Encoding: chunked",
         "a Transfer-Encoding other than chunked"},
        {"POST", "HTTP/1.0", "Transfer-Encoding: chunked", "a Transfer-Encoding in HTTP/1.0"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct head head;
        const char *wrong = judge(cases[i].method, cases[i].version, cases[i].fields, &head);
        ck_assert_msg((wrong == NULL) == (cases[i].wrong == NULL) &&
                          (wrong == NULL || strcmp(wrong, cases[i].wrong) == 0),
                      "%s: %s", cases[i].fields, wrong != NULL ? wrong : "accepted");
    }
}
END_TEST

START_TEST(a_nul_in_a_value_is_a_control_character)
{
    struct head head;
    head_begin(&head, "HTTP/1.1");
    head_field(&head, "Host", 4, "a", 1);
    head_field(&head, "X", 1, "a\0b", 3);
    ck_assert_pstr_eq(head_end(&head, "GET"), "a header's value has control characters");
}
END_TEST

START_TEST(a_host_has_at_most_255_bytes)
{
    char host[257];
    memset(host, 'a', sizeof host);
    struct head head;
    head_begin(&head, "HTTP/1.1");
    head_field(&head, "Host", 4, host, 255);
    ck_assert_ptr_null(head_end(&head, "GET"));
    head_begin(&head, "HTTP/1.1");
    head_field(&head, "Host", 4, host, 256);
    ck_assert_pstr_eq(head_end(&head, "GET"), "the Host is not one");
}
END_TEST

START_TEST(a_body_is_known_by_its_length_or_its_coding)
{
    struct head head;
    judge("POST", "HTTP/1.1", "Host: a", &head);
    ck_assert(!head_has_body(&head));
    judge("POST", "HTTP/1.1", "Host: a\nContent-Length: 0", &head);
    ck_assert(!head_has_body(&head));
    judge("POST", "HTTP/1.1", "Host: a\nContent-Length: 12", &head);
    ck_assert(head_has_body(&head));
    ck_assert_uint_eq(head.length, 12);
    judge("POST", "HTTP/1.1", "Host: a\nTransfer-Encoding: chunked", &head);
    ck_assert(head_has_body(&head));
}
END_TEST

UNIT_MAIN("head", heads_are_judged_as_the_rfcs_say, a_nul_in_a_value_is_a_control_character,
          a_host_has_at_most_255_bytes, a_body_is_known_by_its_length_or_its_coding)
