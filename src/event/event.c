// SPDX-License-Identifier: Apache-2.0
#include "event/event.h"

#include "event/cache.h"
#include "event/parse.h"
#include "event/place.h"
#include "event/template.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>

struct event_reader {
    struct series_store *store;
    struct parser parser;
    struct plan plan; // of the present line
    struct placer placer;
    struct templates *templates; // NULL: lines are not recognised
    struct cache *cache;         // with them
    const struct line *missed;   // the line of the last event_prefetch at which the cache stopped
    struct origin_numbers origins;
    struct buf scratch; // for one step at a time
    size_t n_elements;  // of the present batch
    struct line elements[TEMPLATE_BATCH];
    size_t planned[TEMPLATE_BATCH + 1]; // where the updates of each begin
};

int event_reader_new(struct event_reader **ret, struct series_store *store,
                     struct series_writer *writer)
{
    struct event_reader *r = calloc(1, sizeof *r);
    if (r == NULL) {
        return -ENOMEM;
    }
    r->store = store;
    r->placer.writer = writer;
    *ret = r;
    return 0;
}

void event_reader_free(struct event_reader *r)
{
    if (r != NULL) {
        parse_free(&r->parser);
        plan_free(&r->plan);
        place_free(&r->placer);
        templates_free(r->templates);
        cache_free(r->cache);
        origin_free(&r->origins);
        buf_free(&r->scratch);
        free(r);
    }
}

int event_reader_cache(struct event_reader *r, uint64_t bytes)
{
    struct cache *cache;
    int rc = cache_new(&cache, r->store, r->placer.writer, bytes);
    struct templates *templates = rc == 0 ? templates_new() : NULL;
    if (templates == NULL) {
        cache_free(rc == 0 ? cache : NULL);
        return -ENOMEM;
    }
    r->cache = cache;
    r->templates = templates;
    return 0;
}

uint64_t event_origin_number(struct event_reader *r, const struct origin *origin, uint64_t source)
{
    return origin_number(&r->origins, origin, source);
}

static void limit(const struct permission *permission, struct rejection *why)
{
    reject_set(why, REJECT_rate_limited, "%s has pushed its events of this second",
               permission->name);
}

// Takes the line's events out of the permission's bucket. Returns whether it did, or why not.
static bool spend(const struct origin *origin, uint64_t n_events, struct rejection *why)
{
    const struct permission *permission = origin->permission;
    if (permission == NULL) {
        return true;
    }
    if (permission->denied != NULL) {
        reject_set(why, REJECT_not_permitted, "%s", permission->denied);
        return false;
    }
    if (!permission_take_events(permission, origin->now_ms, n_events)) {
        limit(permission, why);
        return false;
    }
    return true;
}

// Applies what is planned. Returns whether it did, or why not.
static bool run_plan(struct event_reader *r, struct rejection *why)
{
    struct plan *p = &r->plan;
    if (!spend(p->origin, p->n_events, why)) {
        return false;
    }
    bool reserved = apply_reserve(p, r->placer.writer);
    if (!reserved) {
        reject_set(why, REJECT_series_limit, "out of memory");
    }
    if (!reserved || !place_plan(&r->placer, p, why)) {
        permission_return_events(p->origin->permission, p->n_events);
        return false;
    }
    apply_plan(p, r->placer.writer, &r->scratch);
    return true;
}

// ---- Lines that were parsed

static bool handle_sample(struct event_reader *r, json_t *root, const struct line *line,
                          struct rejection *why)
{
    struct sample s;
    struct plan *p = &r->plan;
    if (sample_read(&s, p->schema->catalog, root, &p->exemplars, &p->values, why) != REJECT_NONE) {
        return false;
    }
    if (r->templates != NULL) {
        template_learn(r->templates, p->schema->catalog, line, &s);
    }
    p->n_events = 1;
    return plan_sample(p, &s, why) == REJECT_NONE && run_plan(r, why);
}

// Plans all elements. When one is rejected, the updates of those before it are in the plan.
static enum reject_reason plan_batch(struct plan *p, json_t *batch, struct rejection *why)
{
    size_t i;
    json_t *element;
    struct sample s;
    json_array_foreach(batch, i, element)
    {
        enum reject_reason reason =
            sample_read(&s, p->schema->catalog, element, &p->exemplars, &p->values, why);
        s.index = (int)i;
        reason = reason == REJECT_NONE ? plan_sample(p, &s, why) : reason;
        if (reason != REJECT_NONE) {
            why->element = (int)i;
            return reason;
        }
    }
    return REJECT_NONE;
}

static bool handle_batch(struct event_reader *r, json_t *root, const struct rejection *duplicate,
                         struct rejection *why)
{
    struct plan *p = &r->plan;
    if (p->origin->transaction != NULL) { // it has more updates than a redo record has room for
        reject_set(why, REJECT_not_an_object, "a session takes no batches");
        return false;
    }
    p->n_events = json_array_size(root);
    if (sample_check_batch(root, duplicate, why) != REJECT_NONE ||
        plan_batch(p, root, why) != REJECT_NONE) {
        place_rejected(&r->placer, p, why);
        return false;
    }
    return run_plan(r, why);
}

static enum event_kind handle_line(struct event_reader *r, const struct line *line,
                                   struct event_result *ret)
{
    struct rejection *why = &ret->rejection;
    struct rejection duplicate;
    parse_reset(&r->parser);
    json_t *root = parse_line(&r->parser, line->bytes, line->len, &duplicate, why);
    if (root == NULL) {
        return EVENT_REJECTED;
    }
    if (json_is_array(root)) {
        return handle_batch(r, root, &duplicate, why) ? EVENT_APPLIED : EVENT_REJECTED;
    }
    if (control_is_line(root)) {
        ret->was_hello = json_object_get(root, "hello") != NULL;
        enum reject_reason reason = control_parse(r->plan.schema->catalog, root, line->bytes,
                                                  line->len, &ret->control, why);
        return reason == REJECT_NONE ? EVENT_CONTROL : EVENT_REJECTED;
    }
    return handle_sample(r, root, line, why) ? EVENT_APPLIED : EVENT_REJECTED;
}

// ---- Lines that have templates

// Applies a line whose series are cached, with its exemplar. Returns whether it did: else it is to be planned.
static bool apply_exemplar(struct event_reader *r, struct line *line)
{
    struct sample_exemplar exemplar;
    struct rejection why;
    struct plan *p = &r->plan;
    line_template_fill_exemplar(line, &exemplar, &p->exemplars);
    if (plan_check_exemplar(&exemplar, &why) != REJECT_NONE ||
        !cache_plan_exemplar(r->cache, line, p)) {
        p->n = 0;
        buf_clear(&p->exemplars);
        return false;
    }
    plan_add_exemplar(p, &exemplar, 0);
    apply_plan(p, r->placer.writer, &r->scratch);
    return true;
}

static void set_name(const struct line *line, struct rejection *why)
{
    sample_set_name(line->template->metric, line->template->event, why);
}

static bool reject_limited(const struct plan *p, const struct line *line, struct rejection *why)
{
    set_name(line, why);
    limit(p->origin->permission, why);
    return false;
}

static bool plan_template(struct event_reader *r, const struct line *line, int index,
                          struct rejection *why)
{
    struct sample s;
    line_template_fill(line, &s, &r->plan.exemplars, &r->plan.values);
    s.index = index;
    set_name(line, why);
    return plan_sample(&r->plan, &s, why) == REJECT_NONE;
}

static bool handle_template(struct event_reader *r, struct line *line, struct rejection *why)
{
    struct plan *p = &r->plan;
    if (line->template->has_exemplar && apply_exemplar(r, line)) {
        return true;
    }
    why->element = -1;
    if (cache_is_limited(r->cache)) {
        return reject_limited(p, line, why);
    }
    p->n_events = 1;
    if (!plan_template(r, line, -1, why) || !run_plan(r, why)) {
        return false;
    }
    cache_learn(r->cache, p, 0, p->n, line);
    return true;
}

// A batch whose elements all have templates.
static bool handle_elements(struct event_reader *r, struct rejection *why)
{
    struct plan *p = &r->plan;
    size_t n = r->n_elements;
    cache_prefetch(r->cache, p->origin, r->elements, n);
    if (cache_apply_batch(r->cache, p->origin, r->elements, n)) {
        return true;
    }
    why->element = -1;
    if (cache_is_limited(r->cache)) {
        return reject_limited(p, &r->elements[n - 1], why);
    }
    p->n_events = n;
    for (size_t i = 0; i < n; i++) {
        r->planned[i] = p->n;
        if (!plan_template(r, &r->elements[i], (int)i, why)) {
            why->element = (int)i;
            place_rejected(&r->placer, p, why);
            return false;
        }
    }
    r->planned[n] = p->n;
    if (!run_plan(r, why)) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        cache_learn(r->cache, p, r->planned[i], r->planned[i + 1] - r->planned[i], &r->elements[i]);
    }
    return true;
}

// ---- Any lines

void event_prefetch(struct event_reader *r, const struct origin *origin, struct line *lines,
                    size_t n)
{
    r->missed = NULL;
    if (r->templates != NULL && template_match(r->templates, schema_current(r->store)->generation,
                                               origin->context, lines, n)) {
        cache_prefetch(r->cache, origin, lines, n);
    }
}

// Whether a line that event_prefetch saw has a template.
static bool has_template(const struct event_reader *r, const struct line *line)
{
    return r->templates != NULL && line->template != NULL;
}

size_t event_apply_cached(struct event_reader *r, const struct origin *origin, struct line *lines,
                          size_t n)
{
    if (lines == r->missed || !has_template(r, lines)) {
        return 0;
    }
    size_t applied = cache_apply(r->cache, origin, lines, n);
    r->missed = lines + applied;
    return applied;
}

static bool handle_recognised(struct event_reader *r, struct line *line, struct rejection *why)
{
    return line->template != NULL ? handle_template(r, line, why) : handle_elements(r, why);
}

// Whether the line is a batch that was recognised.
static bool is_batch(struct event_reader *r, const struct origin *origin, const struct line *line)
{
    r->n_elements = 0;
    if (line->template == NULL && line->len > 0 && *line->bytes == '[' &&
        origin->transaction == NULL) {
        r->n_elements = template_match_batch(r->templates, schema_current(r->store)->generation,
                                             line, r->elements);
    }
    return r->n_elements > 0;
}

void event_handle(struct event_reader *r, const struct origin *origin, struct line *line,
                  struct event_result *ret)
{
    ret->hit = event_apply_cached(r, origin, line, 1) == 1;
    if (ret->hit) {
        ret->kind = EVENT_APPLIED;
        return;
    }
    ret->was_hello = false;
    reject_clear(&ret->rejection);
    plan_begin(&r->plan, schema_current(r->store), origin, r->placer.writer->lane);
    ret->hit = r->templates != NULL && (line->template != NULL || is_batch(r, origin, line));
    if (ret->hit) {
        ret->kind = handle_recognised(r, line, &ret->rejection) ? EVENT_APPLIED : EVENT_REJECTED;
    } else {
        ret->kind = handle_line(r, line, ret);
    }
}

void event_line(struct event_reader *r, const struct origin *origin, const char *line, size_t len,
                struct event_result *ret)
{
    struct line one = {.bytes = line, .len = (uint32_t)len};
    event_prefetch(r, origin, &one, 1);
    event_handle(r, origin, &one, ret);
}

void event_precreate(struct event_reader *r, const struct origin_defaults *labels,
                     const struct origin *origin, unsigned component, uint32_t named)
{
    place_named(schema_current(r->store), component, labels, named, origin, r->placer.writer,
                &r->scratch);
}
