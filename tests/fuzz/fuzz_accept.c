// SPDX-License-Identifier: Apache-2.0
/*
 * fuzz_accept: the form of an answer, against a naive reader of the rules. Each line of the input is a header field:
 * Accept-Encoding if it begins with `e`, else Accept; its value is what stands behind the first byte.
 *
 * The rules are those of released client_golang (prometheus/common, NegotiateIncludingOpenMetrics): clauses by falling
 * q, those with a star last among equals; the first that names a form that there is wins, else text; `escaping` is that
 * of the last clause looked at that said one. gzip is sent where it is named and not worse than plain bytes, or
 * where a star means it and it is better.
 */
#include "expose/negotiate.h"
#include "fuzz.h"

#include <ctype.h>
#include <math.h>
#include <strings.h>

struct part {
    const char *p;
    size_t len;
};

// The nth part of the text between the marks, without blanks around it. False when there is none; an empty one at the
// end is none.
static bool nth_part(struct part text, char mark, size_t nth, struct part *ret)
{
    size_t from = 0;
    for (size_t i = 0; i < text.len && nth > 0; i++) {
        if (text.p[i] == mark) {
            nth--;
            from = i + 1;
        }
    }
    if (nth > 0 || from >= text.len) {
        return false;
    }
    size_t to = from;
    while (to < text.len && text.p[to] != mark) {
        to++;
    }
    while (from < to && (text.p[from] == ' ' || text.p[from] == '\t')) {
        from++;
    }
    while (from < to && (text.p[to - 1] == ' ' || text.p[to - 1] == '\t')) {
        to--;
    }
    *ret = (struct part){text.p + from, to - from};
    return true;
}

static bool is(struct part s, const char *word)
{
    return s.len == strlen(word) && strncasecmp(s.p, word, s.len) == 0;
}

// The last good parameter of that name. False when there is none.
static bool parameter(struct part clause, const char *name, struct part *ret)
{
    struct part text;
    bool found = false;
    for (size_t i = 1; nth_part(clause, ';', i, &text); i++) {
        struct part key;
        struct part value;
        struct part more;
        if (!nth_part(text, '=', 0, &key) || !nth_part(text, '=', 1, &value) ||
            nth_part(text, '=', 2, &more) || text.p[text.len - 1] == '=' || !is(key, name)) {
            continue;
        }
        if (value.len >= 2 && value.p[0] == '"' && value.p[value.len - 1] == '"') {
            value = (struct part){value.p + 1, value.len - 2};
        }
        *ret = value;
        found = true;
    }
    return found;
}

static double quality(struct part clause)
{
    struct part value;
    char text[32];
    if (!parameter(clause, "q", &value)) {
        return 1;
    }
    if (value.len >= sizeof text || memchr(value.p, '\0', value.len) != NULL) {
        return 1e-9;
    }
    memcpy(text, value.p, value.len);
    text[value.len] = '\0';
    char *end;
    double q = strtod(text, &end);
    bool number = value.len > 0 && *end == '\0' &&
                  strspn(text, "+-.eE0123456789") == strlen(text) && isfinite(q) && q >= 0;
    return !number ? 1e-9 : q > 1 ? 1 : q;
}

struct clause {
    struct part text;
    double q;
};

enum { MOST = NEGOTIATE_CLAUSES };

struct asked {
    size_t n;
    struct clause clauses[MOST];
    double gzip; // below 0: not named
    double identity;
    double any;
};

static void take_accept(struct asked *a, struct part value)
{
    struct part clause;
    struct part type;
    for (size_t i = 0; nth_part(value, ',', i, &clause); i++) {
        if (nth_part(clause, ';', 0, &type) && type.len > 0 && quality(clause) > 0 && a->n < MOST) {
            a->clauses[a->n++] = (struct clause){clause, quality(clause)};
        }
    }
}

static void take_encoding(struct asked *a, struct part value)
{
    struct part clause;
    struct part coding;
    for (size_t i = 0; nth_part(value, ',', i, &clause); i++) {
        if (!nth_part(clause, ';', 0, &coding)) {
            continue;
        }
        if (is(coding, "gzip") || is(coding, "x-gzip")) {
            a->gzip = quality(clause);
        } else if (is(coding, "identity")) {
            a->identity = quality(clause);
        } else if (is(coding, "*")) {
            a->any = quality(clause);
        }
    }
}

static bool has_star(struct part clause)
{
    struct part type;
    return nth_part(clause, ';', 0, &type) && memchr(type.p, '*', type.len) != NULL;
}

// Takes the best clause that is left.
static bool next_clause(struct asked *a, struct part *ret)
{
    struct clause *best = NULL;
    for (size_t i = 0; i < a->n; i++) {
        struct clause *c = &a->clauses[i];
        if (c->q > 0 && (best == NULL || c->q > best->q ||
                         (c->q == best->q && has_star(best->text) && !has_star(c->text)))) {
            best = c;
        }
    }
    if (best != NULL) {
        best->q = 0;
        *ret = best->text;
    }
    return best != NULL;
}

static enum negotiate_kind kind(struct part clause)
{
    struct part type;
    struct part version = {"", 0};
    struct part proto = {"", 0};
    struct part encoding = {"", 0};
    nth_part(clause, ';', 0, &type);
    parameter(clause, "version", &version);
    parameter(clause, "proto", &proto);
    parameter(clause, "encoding", &encoding);
    if (is(type, "application/vnd.google.protobuf")) {
        bool delimited =
            is(proto, "io.prometheus.client.MetricFamily") && is(encoding, "delimited");
        return delimited ? NEGOTIATE_PROTOBUF : NEGOTIATE_NONE;
    }
    if (is(type, "text/plain")) {
        return version.len == 0 || is(version, "0.0.4") ? NEGOTIATE_TEXT
               : is(version, "1.0.0")                   ? NEGOTIATE_TEXT_1_0_0
                                                        : NEGOTIATE_NONE;
    }
    if (is(type, "application/openmetrics-text")) {
        return version.len == 0 || is(version, "0.0.1") ? NEGOTIATE_OPEN_0_0_1
               : is(version, "1.0.0")                   ? NEGOTIATE_OPEN_1_0_0
                                                        : NEGOTIATE_NONE;
    }
    return NEGOTIATE_NONE;
}

// The last one that is known; later ones that are not change nothing.
static enum negotiate_escaping escaping(struct part clause, enum negotiate_escaping before)
{
    struct part rest = clause;
    struct part value;
    if (!parameter(rest, "escaping", &value)) {
        return before;
    }
    return is(value, "allow-utf-8")                        ? NEGOTIATE_ESCAPING_ALLOW_UTF8
           : is(value, "underscores") || is(value, "dots") ? NEGOTIATE_ESCAPING_UNDERSCORES
           : is(value, "values")                           ? NEGOTIATE_ESCAPING_VALUES
                                                           : before;
}

static struct negotiate_form answer(struct asked *a)
{
    struct negotiate_form form = {.kind = NEGOTIATE_NONE};
    struct part clause;
    while (form.kind == NEGOTIATE_NONE && next_clause(a, &clause)) {
        form.kind = kind(clause);
        form.escaping = escaping(clause, form.escaping);
    }
    form.kind = form.kind == NEGOTIATE_NONE ? NEGOTIATE_TEXT : form.kind;
    double plain = a->identity >= 0 ? a->identity : a->any >= 0 ? a->any : 0;
    form.gzip = a->gzip >= 0 ? a->gzip > 0 && a->gzip >= plain : a->any > 0 && a->any > plain;
    return form;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct negotiate n;
    struct asked asked = {.gzip = -1, .identity = -1, .any = -1};
    negotiate_begin(&n);
    for (const char *at = (const char *)data, *end = at + size, *stop; at < end; at = stop + 1) {
        stop = memchr(at, '\n', (size_t)(end - at));
        stop = stop != NULL ? stop : end;
        if (stop == at) {
            continue;
        }
        struct part value = {at + 1, (size_t)(stop - at - 1)};
        if (*at == 'e') {
            negotiate_encoding(&n, value.p, value.len);
            take_encoding(&asked, value);
        } else {
            negotiate_accept(&n, value.p, value.len);
            take_accept(&asked, value);
        }
    }
    struct negotiate_form form = negotiate_end(&n);
    struct negotiate_form wanted = answer(&asked);
    must(form.kind == wanted.kind, "another form");
    must(form.escaping == wanted.escaping, "another escaping");
    must(form.gzip == wanted.gzip, "another coding");
    const char *wanted_in_type =
        form.kind == NEGOTIATE_PROTOBUF ? "encoding=delimited" : "charset=utf-8";
    must(strstr(negotiate_type(&form), wanted_in_type) != NULL, "no type");
    return 0;
}
