// SPDX-License-Identifier: Apache-2.0
#include "ingest/hello.h"

#include <errno.h>
#include <stdlib.h>

int hello_defaults(struct event_defaults *ret, const struct control_hello *h)
{
    struct event_defaults d = {0};
    for (; d.n < h->n_labels; d.n++) {
        const struct control_pair *pair = &h->labels[d.n];
        d.names[d.n] = strdup(pair->name);
        d.values[d.n] = strndup(pair->value.p, pair->value.len);
        if (d.names[d.n] == NULL || d.values[d.n] == NULL) {
            d.n++;
            hello_drop(&d);
            return -ENOMEM;
        }
    }
    *ret = d;
    return 0;
}

bool hello_same_labels(const struct event_defaults *d, const struct control_hello *h)
{
    size_t same = 0;
    for (size_t i = 0; i < h->n_labels; i++) {
        struct slice value = h->labels[i].value;
        for (size_t k = 0; k < d->n; k++) {
            same += strcmp(d->names[k], h->labels[i].name) == 0 &&
                    strlen(d->values[k]) == value.len &&
                    memcmp(d->values[k], value.p, value.len) == 0;
        }
    }
    return same == d->n && same == h->n_labels;
}

void hello_drop(struct event_defaults *d)
{
    for (size_t i = 0; i < d->n; i++) {
        free(d->names[i]);
        free(d->values[i]);
    }
    d->n = 0;
}

bool hello_is_likely(const char *line, size_t len)
{
    return memmem(line, len, "\"hello\"", 7) != NULL;
}

struct event_origin hello_origin(const struct protocol *p, const struct source *src, uint32_t life,
                                 const struct event_defaults *defaults, const struct permit *permit)
{
    struct event_origin origin = {
        .defaults = defaults->n > 0 ? defaults : NULL,
        .permit = permit,
        .now_ms = p->now_ms,
        .claimant = {.base = source_base(p->sources, src),
                     .life = life,
                     .is_own = sources_is_own,
                     .sources = p->sources},
    };
    origin.context = event_context(p->reader, &origin, src->born);
    return origin;
}
