// SPDX-License-Identifier: Apache-2.0
#include "web/wish.h"

#include "base/num.h"
#include "expose/gzip.h"

#include <string.h>
#include <strings.h>

void wish_begin(struct wish *w)
{
    negotiate_begin(&w->negotiate);
    w->timeout_ns = UINT64_MAX;
}

static void read_timeout(struct wish *w, const char *value, size_t len)
{
    char text[64];
    double seconds;
    if (len >= sizeof text) {
        return;
    }
    memcpy(text, value, len);
    text[len] = '\0';
    if (num_parse_double(text, &seconds) == 0 && seconds > 0 && seconds <= WISH_TIMEOUT_MAX_S) {
        w->timeout_ns = (uint64_t)(seconds * 1e9);
    }
}

void wish_field(struct wish *w, const char *name, size_t name_len, const char *value,
                size_t value_len)
{
    static const struct {
        const char *name;
        enum { ACCEPT, ENCODING, TIMEOUT } is;
    } table[] = {{"Accept", ACCEPT},
                 {"Accept-Encoding", ENCODING},
                 {"X-Prometheus-Scrape-Timeout-Seconds", TIMEOUT}};
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (strlen(table[i].name) != name_len || strncasecmp(name, table[i].name, name_len) != 0) {
            continue;
        }
        if (table[i].is == ACCEPT) {
            negotiate_accept(&w->negotiate, value, value_len);
        } else if (table[i].is == ENCODING) {
            negotiate_encoding(&w->negotiate, value, value_len);
        } else {
            read_timeout(w, value, value_len);
        }
    }
}

struct negotiated wish_end(const struct wish *w)
{
    struct negotiated form = negotiate_end(&w->negotiate);
    form.gzip = form.gzip && gzip_is_there();
    return form;
}
