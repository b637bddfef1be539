// SPDX-License-Identifier: Apache-2.0
#include "web/view.h"

void view_begin(struct view *v, const struct view_facts *facts)
{
    v->now_ms = facts->now_ms;
    v->shows_texts = facts->shows_texts;
    v->form->begin(v, facts);
}

void view_part(struct view *v, enum view_part part)
{
    v->rows = v->left_out = 0;
    v->form->part(v, part);
}

static bool has_room(struct view *v, uint64_t most)
{
    if (v->rows == most) {
        v->left_out++;
        return false;
    }
    v->rows++;
    return true;
}

void view_component(struct view *v, const struct view_component *row)
{
    v->rows++;
    v->form->component(v, row);
}

void view_source(struct view *v, const struct view_source *row)
{
    if (has_room(v, VIEW_SOURCES)) {
        v->form->source(v, row);
    }
}

void view_refusal(struct view *v, const struct view_refusal *row)
{
    if (has_room(v, VIEW_REFUSALS)) {
        v->form->refusal(v, row);
    }
}

void view_metric(struct view *v, const struct view_metric *row)
{
    if (has_room(v, VIEW_METRICS)) {
        v->form->metric(v, row);
    }
}

void view_part_end(struct view *v, enum view_part part)
{
    v->form->part_end(v, part);
}

void view_end(struct view *v)
{
    v->form->end(v);
}
