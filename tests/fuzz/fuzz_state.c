// SPDX-License-Identifier: Apache-2.0
/*
 * fuzz_state: what stands in a state file. The input says how the file of a small process was changed: its first
 * bytes whether it lost its end, its power, and whether the checks of its records were made to fit again, as only
 * somebody with the file's seed could; each further 8 bytes a place and four bytes that stand there. Whatever it
 * became, it is read, and what is then exposed is sane.
 */
#include "exposition.h"
#include "image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LIMIT = 300, HEAD = 4, PATCH = 8, MOST = 4096 };
enum { POWER_CUT = 1, SIGNED = 2, CUT = 4 };

static const char catalog[] =
    "labels:\n  o: {values: [a, b], closed: true}\n"
    "metrics:\n"
    "  - {name: c_total, type: counter, help: h, component: any, labels: [x, o], precreate: true}\n"
    "  - {name: g, type: gauge, help: h, component: any, labels: [x], owner: source, ttl: 1h}\n"
    "  - {name: s, type: histogram, help: h, component: any, labels: [x], buckets: [1, 2]}\n"
    "  - {name: b_info, type: gauge, help: h, component: any, labels: [x], owner: source}\n";

static void fill(struct fixture *h)
{
    struct arena_writer writer = {0};
    uint32_t lease;
    sources_bind(h->sources, h->store, &writer);
    static const char *const names[] = {"one", "two", "three", "four"};
    for (size_t i = 0; i < 4; i++) {
        const struct source *src = fixture_enter(h->sources, &writer, COMPONENT_PROVIDER, names[i],
                                                 false, h->p->now_ms, &lease);
        h->origin.owner.updater_id = source_updater_id(h->sources, src);
        h->origin.owner.lease = lease;
        char line[128];
        for (int k = 0; k < 4; k++) {
            snprintf(line, sizeof line,
                     "{\"metric\":\"c_total\",\"labels\":{\"x\":\"v%d\",\"o\":\"a\"},\"value\":%g}",
                     k, 1.5 * k);
            fixture_line(h, line);
            snprintf(line, sizeof line,
                     "{\"metric\":\"g\",\"labels\":{\"x\":\"v%d\"},\"value\":%d}", k, -k);
            fixture_line(h, line);
            snprintf(line, sizeof line,
                     "{\"metric\":\"s\",\"labels\":{\"x\":\"\\\"%d\"},\"value\":%d}", k, k);
            fixture_line(h, line);
        }
        snprintf(line, sizeof line, "{\"metric\":\"b_info\",\"labels\":{\"x\":\"%s\"},\"value\":1}",
                 names[i]);
        fixture_line(h, line);
    }
    sources_save(h->sources);
}

// Makes checks fit again, of records that are whole enough to have one.
static void sign(struct record_image *image, const struct record_image *before)
{
    for (size_t i = 0; i < before->n; i++) {
        uint64_t at = (uint64_t)before->handles[i] * ARENA_GRANULE;
        const struct record *r = record_at(image->base, before->handles[i]);
        if (at + sizeof *r <= image->size && record_size(r) <= image->size - at) {
            record_persist(image->base, before->handles[i]);
        }
    }
}

static void change(struct record_image *image, const struct record_image *before,
                   const uint8_t *data, size_t size)
{
    for (size_t at = HEAD; at + PATCH <= size; at += PATCH) {
        uint32_t where;
        memcpy(&where, data + at, sizeof where);
        // Within what is in use: the first 16 KiB behind the fixed places, or a redo record.
        uint64_t to = where % 2 == 0 ? ARENA_RESERVED + where / 2 % (16 << 10)
                                     : LAYOUT_REDO_AT + where / 2 % 1024;
        if (to + 4 <= image->size) {
            memcpy(image->base + to, data + at + sizeof where, 4);
        }
    }
    if ((data[0] & SIGNED) != 0) {
        sign(image, before);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < HEAD || size > MOST) {
        return 0;
    }
    struct fixture old;
    struct fixture h;
    fixture_open(&old, catalog, LIMIT, LIMIT);
    fill(&old);
    struct record_image before = image_of(&old);
    fixture_must(record_scan(&before) == 0 && before.damaged == 0, "no image");
    struct record_image image = image_of(&old);
    fixture_close(&old);
    change(&image, &before, data, size);
    image.power_cut = (data[0] & POWER_CUT) != 0;
    if ((data[0] & CUT) != 0) {
        uint16_t end;
        memcpy(&end, data + 1, sizeof end);
        image.size = ARENA_RESERVED + end % (16 << 10);
        image.base = realloc(image.base, image.size); // so that a read beyond its end is seen
    }
    fixture_open(&h, catalog, LIMIT, LIMIT);
    image_restore(&h, &image);
    const char *line = "";
    char *text = strdup(fixture_text_all(&h));
    const char *wrong = text == NULL ? "no memory" : exposition_check(text, &line);
    if (wrong != NULL) {
        fprintf(stderr, "%s: %.300s\n", wrong, line);
        abort();
    }
    free(text);
    h.p->now_ms += SOURCE_GRACE_MS + 1000;
    sources_tick(h.sources, h.store, h.p->now_ms);
    schema_reclaim(h.store);
    fixture_close(&h);
    image_free(&image);
    image_free(&before);
    return 0;
}
