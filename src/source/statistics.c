// SPDX-License-Identifier: Apache-2.0
#include "source/statistics.h"

#include "base/clock.h"

#include <errno.h>
#include <string.h>

static uint32_t make_record(const char *component, struct arena *arena, struct arena_writer *writer,
                            unsigned lanes)
{
    struct record_spec spec = {
        .kind = RECORD_COMPONENT,
        .lanes = (uint8_t)lanes,
        .created_ms = clock_real_ms(),
        .text = component,
        .text_len = strlen(component),
    };
    uint32_t handle = record_new(arena, writer, &spec);
    if (handle != 0) {
        record_persist(arena_base(arena), handle);
    }
    return handle;
}

int statistics_open(struct statistics_lane *ret, struct statistics_records *records,
                    const struct catalog *c, struct arena *arena, struct arena_writer *writer,
                    unsigned lanes, unsigned lane)
{
    for (size_t i = 0; i < c->n_components; i++) {
        if (records->handles[i] == 0) {
            records->handles[i] = make_record(c->components[i], arena, writer, lanes);
        }
        if (records->handles[i] == 0) {
            return -ENOMEM;
        }
        struct statistics *cell =
            record_cell(arena, writer, records->handles[i], lane, sizeof *cell);
        if (cell == NULL) {
            return -ENOMEM;
        }
        atomic_store_explicit(&ret->cells[i], cell, memory_order_release);
    }
    return 0;
}

static void add_cell(struct statistics *to, const struct statistics *from)
{
    count_add(&to->applied, count_read(&from->applied));
    count_add(&to->lost, count_read(&from->lost));
    for (unsigned r = 0; r < REJECT_COUNT; r++) {
        count_add(&to->rejected[r], count_read(&from->rejected[r]));
    }
}

void statistics_restore(struct statistics_lane *to, const struct catalog *c,
                        struct record_image *image)
{
    size_t at = 0;
    for (uint32_t handle; (handle = record_next(image, RECORD_COMPONENT, &at)) != 0;) {
        const struct record *r = record_at(image->base, handle);
        int component = catalog_find_component(c, record_text(r), r->text_len);
        for (unsigned lane = 0; component >= 0 && lane < r->lanes; lane++) {
            const struct statistics *from =
                record_image_cell(image, handle, lane, sizeof(struct statistics));
            if (from != NULL) {
                add_cell(to->cells[component], from);
            }
        }
    }
}
