// SPDX-License-Identifier: Apache-2.0
#include "ingest/account.h"

#include "base/clock.h"

#include <errno.h>
#include <string.h>

static uint32_t make_record(const char *component, struct arena *arena, struct arena_hand *hand,
                            unsigned lanes)
{
    struct record_spec spec = {
        .kind = RECORD_COMPONENT,
        .lanes = (uint8_t)lanes,
        .created_ms = clock_real_ms(),
        .text = component,
        .text_len = strlen(component),
    };
    uint32_t handle = record_new(arena, hand, &spec);
    if (handle != 0) {
        record_publish(arena_base(arena), handle);
    }
    return handle;
}

int accounts_open(struct accounts *ret, struct account_records *records, const struct catalog *c,
                  struct arena *arena, struct arena_hand *hand, unsigned lanes, unsigned lane)
{
    for (size_t i = 0; i < c->n_components; i++) {
        if (records->of[i] == 0) {
            records->of[i] = make_record(c->components[i], arena, hand, lanes);
        }
        if (records->of[i] == 0) {
            return -ENOMEM;
        }
        ret->of[i] = record_cell(arena, hand, records->of[i], lane, sizeof *ret->of[i]);
        if (ret->of[i] == NULL) {
            return -ENOMEM;
        }
    }
    return 0;
}

static void add_cell(struct account *to, const struct account *from)
{
    count_add(&to->applied, count_read(&from->applied));
    count_add(&to->lost, count_read(&from->lost));
    for (unsigned r = 0; r < REJECT_COUNT; r++) {
        count_add(&to->rejected[r], count_read(&from->rejected[r]));
    }
}

void accounts_restore(struct accounts *to, const struct catalog *c, struct record_image *image)
{
    size_t at = 0;
    for (uint32_t handle; (handle = record_next(image, RECORD_COMPONENT, &at)) != 0;) {
        const struct record *r = record_at(image->base, handle);
        int component = catalog_find_component(c, record_text(r), r->text_len);
        for (unsigned lane = 0; component >= 0 && lane < r->lanes; lane++) {
            const struct account *from =
                record_image_cell(image, handle, lane, sizeof(struct account));
            if (from != NULL) {
                add_cell(to->of[component], from);
            }
        }
    }
}
