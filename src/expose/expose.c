// SPDX-License-Identifier: Apache-2.0
#include "expose/expose.h"

#include "expose/family.h"
#include "series/rcu.h"

#include <errno.h>

static bool is_wanted(const struct expose_filter *filter, const char *name)
{
    return filter == NULL || filter->wants(filter->ctx, name);
}

static int expose(struct format_sink *sink, struct series_store *store, const struct self *self,
                  const struct format *format, const struct expose_filter *filter)
{
    int rc = 0;
    rcu_enter();
    uint32_t scrape =
        table_scrape(&store->share); // its fence goes with that before the reply to a sync
    const struct schema *schema = schema_current(store);
    for (size_t i = 0; rc == 0 && i < schema->catalog->n_metrics; i++) {
        if (is_wanted(filter, schema->families[i].metric->name)) {
            rc = family_write(sink, format, &schema->families[i], scrape);
        }
    }
    if (rc == 0) {
        rc = self_write(sink->text, format, schema, self, filter);
    }
    rcu_leave();
    format_end(sink->text, format);
    return rc < 0 || !sink->text->failed ? rc : -ENOMEM;
}

int expose_text(struct format_sink *sink, struct series_store *store, const struct self *self,
                const struct expose_filter *filter)
{
    const struct format text = {.openmetrics = false};
    return expose(sink, store, self, &text, filter);
}

int expose_openmetrics(struct format_sink *sink, struct series_store *store,
                       const struct self *self, const struct expose_filter *filter, bool created)
{
    const struct format openmetrics = {.openmetrics = true, .created = created};
    return expose(sink, store, self, &openmetrics, filter);
}

int expose_protobuf(struct format_sink *sink, struct series_store *store, const struct self *self,
                    const struct expose_filter *filter)
{
    const struct format protobuf = {.protobuf = true};
    return expose(sink, store, self, &protobuf, filter);
}
