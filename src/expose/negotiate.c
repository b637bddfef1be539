// SPDX-License-Identifier: Apache-2.0
#include "expose/negotiate.h"

#include "base/buf.h"
#include "base/num.h"

#include <string.h>
#include <strings.h>

#define Q_LEAST 1e-9 // of what is neither a number nor 0

// Cuts the text before the next `mark` off *rest, without blanks around it. False at the end.
static bool next_part(struct slice *rest, char mark, struct slice *ret)
{
    if (rest->len == 0) {
        return false;
    }
    const char *at = memchr(rest->p, mark, rest->len);
    size_t len = at != NULL ? (size_t)(at - rest->p) : rest->len;
    size_t used = at != NULL ? len + 1 : len;
    struct slice part = {rest->p, len};
    *rest = (struct slice){rest->p + used, rest->len - used};
    while (part.len > 0 && (part.p[0] == ' ' || part.p[0] == '\t')) {
        part = (struct slice){part.p + 1, part.len - 1};
    }
    while (part.len > 0 && (part.p[part.len - 1] == ' ' || part.p[part.len - 1] == '\t')) {
        part.len--;
    }
    *ret = part;
    return true;
}

static bool is_text(struct slice s, const char *text)
{
    return s.len == strlen(text) && strncasecmp(s.p, text, s.len) == 0;
}

// A parameter `name=value`, the value without quotes around it. False when it is none.
static bool read_param(struct slice param, struct slice *ret_name, struct slice *ret_value)
{
    bool one = param.len > 0 && param.p[param.len - 1] != '=';
    if (!next_part(&param, '=', ret_name) || !next_part(&param, '=', ret_value) || param.len > 0 ||
        !one) {
        return false;
    }
    if (ret_value->len >= 2 && ret_value->p[0] == '"' && ret_value->p[ret_value->len - 1] == '"') {
        *ret_value = (struct slice){ret_value->p + 1, ret_value->len - 2};
    }
    return true;
}

static double read_q(struct slice value)
{
    char text[NUM_MAX];
    double q;
    if (value.len >= sizeof text || memchr(value.p, '\0', value.len) != NULL) {
        return Q_LEAST;
    }
    memcpy(text, value.p, value.len);
    text[value.len] = '\0';
    if (num_parse_double(text, &q) < 0 || q < 0) {
        return Q_LEAST;
    }
    return q > 1 ? 1 : q;
}

static enum negotiate_escaping read_escaping(struct slice value)
{
    static const struct {
        const char *name;
        enum negotiate_escaping escaping;
    } table[] = {
        {"allow-utf-8", NEGOTIATE_ESCAPING_ALLOW_UTF8},
        {"underscores", NEGOTIATE_ESCAPING_UNDERSCORES},
        {"dots", NEGOTIATE_ESCAPING_UNDERSCORES}, // doubles each underscore: not for our names
        {"values", NEGOTIATE_ESCAPING_VALUES}};
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (is_text(value, table[i].name)) {
            return table[i].escaping;
        }
    }
    return NEGOTIATE_ESCAPING_UNSAID;
}

// The parameters of a media range that tell formats apart.
struct params {
    struct slice version;
    struct slice proto;
    struct slice encoding;
};

static enum negotiate_kind kind_of(struct slice type, const struct params *params)
{
    struct slice version = params->version;
    if (is_text(type, "application/vnd.google.protobuf")) {
        return is_text(params->proto, "io.prometheus.client.MetricFamily") &&
                       is_text(params->encoding, "delimited")
                   ? NEGOTIATE_PROTOBUF
                   : NEGOTIATE_NONE;
    }
    if (is_text(type, "text/plain")) {
        return version.len == 0 || is_text(version, "0.0.4") ? NEGOTIATE_TEXT
               : is_text(version, "1.0.0")                   ? NEGOTIATE_TEXT_1_0_0
                                                             : NEGOTIATE_NONE;
    }
    if (!is_text(type, "application/openmetrics-text")) {
        return NEGOTIATE_NONE;
    }
    if (version.len == 0 || is_text(version, "0.0.1")) {
        return NEGOTIATE_OPEN_0_0_1;
    }
    return is_text(version, "1.0.0") ? NEGOTIATE_OPEN_1_0_0 : NEGOTIATE_NONE;
}

// Whether `a` goes before `b`, which came earlier.
static bool is_better(const struct negotiate_clause *a, const struct negotiate_clause *b)
{
    return a->q > b->q || (a->q == b->q && !a->any && b->any);
}

static void add_clause(struct negotiate *n, const struct negotiate_clause *clause)
{
    if (n->n == NEGOTIATE_CLAUSES) {
        return;
    }
    size_t at = n->n++;
    while (at > 0 && is_better(clause, &n->clauses[at - 1])) {
        n->clauses[at] = n->clauses[at - 1];
        at--;
    }
    n->clauses[at] = *clause;
}

void negotiate_begin(struct negotiate *n)
{
    *n = (struct negotiate){.gzip = -1, .identity = -1, .any = -1};
}

void negotiate_accept(struct negotiate *n, const char *value, size_t len)
{
    struct slice rest = {value, len};
    struct slice part;
    while (next_part(&rest, ',', &part)) {
        struct negotiate_clause clause = {.q = 1};
        struct slice type;
        struct params params = {{"", 0}, {"", 0}, {"", 0}};
        struct slice param;
        if (!next_part(&part, ';', &type) || type.len == 0) {
            continue;
        }
        while (next_part(&part, ';', &param)) {
            struct slice name;
            struct slice text;
            if (!read_param(param, &name, &text)) {
                continue;
            }
            if (is_text(name, "q")) {
                clause.q = read_q(text);
            } else if (is_text(name, "version")) {
                params.version = text;
            } else if (is_text(name, "proto")) {
                params.proto = text;
            } else if (is_text(name, "encoding")) {
                params.encoding = text;
            } else if (is_text(name, "escaping")) {
                clause.escaping = read_escaping(text);
            }
        }
        clause.any = memchr(type.p, '*', type.len) != NULL;
        clause.kind = kind_of(type, &params);
        if (clause.q > 0) {
            add_clause(n, &clause);
        }
    }
}

void negotiate_encoding(struct negotiate *n, const char *value, size_t len)
{
    struct slice rest = {value, len};
    struct slice part;
    while (next_part(&rest, ',', &part)) {
        struct slice coding;
        struct slice param;
        struct slice name;
        struct slice text;
        double q = 1;
        if (!next_part(&part, ';', &coding)) {
            continue;
        }
        while (next_part(&part, ';', &param)) {
            if (read_param(param, &name, &text) && is_text(name, "q")) {
                q = read_q(text);
            }
        }
        if (is_text(coding, "gzip") || is_text(coding, "x-gzip")) {
            n->gzip = q;
        } else if (is_text(coding, "identity")) {
            n->identity = q;
        } else if (is_text(coding, "*")) {
            n->any = q;
        }
    }
}

struct negotiate_form negotiate_end(const struct negotiate *n)
{
    struct negotiate_form form = {.kind = NEGOTIATE_NONE};
    for (size_t i = 0; i < n->n && form.kind == NEGOTIATE_NONE; i++) {
        form.kind = n->clauses[i].kind;
        if (n->clauses[i].escaping != NEGOTIATE_ESCAPING_UNSAID) {
            form.escaping = n->clauses[i].escaping;
        }
    }
    if (form.kind == NEGOTIATE_NONE) {
        form.kind = NEGOTIATE_TEXT;
    }
    // Plain bytes may be sent although no field names them; gzip that only a `*` allows must have a higher q.
    double gzip = n->gzip >= 0 ? n->gzip : n->any;
    double identity = n->identity >= 0 ? n->identity : n->any >= 0 ? n->any : 0;
    form.gzip = gzip > 0 && (gzip > identity || (gzip == identity && n->gzip >= 0));
    return form;
}

#define WITH_ESCAPINGS(type)                                                                       \
    {                                                                                              \
        type, type "; escaping=allow-utf-8", type "; escaping=underscores",                        \
            type "; escaping=values"                                                               \
    }

const char *negotiate_type(const struct negotiate_form *form)
{
    static const char *const types[][NEGOTIATE_ESCAPING_VALUES + 1] = {
        [NEGOTIATE_TEXT] = WITH_ESCAPINGS("text/plain; version=0.0.4; charset=utf-8"),
        [NEGOTIATE_TEXT_1_0_0] = WITH_ESCAPINGS("text/plain; version=1.0.0; charset=utf-8"),
        [NEGOTIATE_PROTOBUF] = WITH_ESCAPINGS("application/vnd.google.protobuf; "
                                              "proto=io.prometheus.client.MetricFamily; "
                                              "encoding=delimited"),
        [NEGOTIATE_OPEN_1_0_0] =
            WITH_ESCAPINGS("application/openmetrics-text; version=1.0.0; charset=utf-8"),
        [NEGOTIATE_OPEN_0_0_1] =
            WITH_ESCAPINGS("application/openmetrics-text; version=0.0.1; charset=utf-8"),
    };
    return types[form->kind][form->escaping];
}
