// SPDX-License-Identifier: Apache-2.0
/*
 * page_rows: the tables of the page.
 *
 * Shape:   as in struct view_form. On a narrow screen a row is a card, whose cells name themselves.
 */
#ifndef VE_WEB_PAGE_ROWS_H
#define VE_WEB_PAGE_ROWS_H

#include "web/view.h"

void page_part(struct view *v, enum view_part part);
void page_component(struct view *v, const struct view_component *row);
void page_source(struct view *v, const struct view_source *row);
void page_refusal(struct view *v, const struct view_refusal *row);
void page_metric(struct view *v, const struct view_metric *row);
void page_part_end(struct view *v, enum view_part part);

// "3 h 12 min ago" with the time itself in its `datetime`; times are CLOCK_REALTIME.
void page_ago(struct view *v, uint64_t at_ms);
// "3 h 12 min": the two largest units.
void page_span(struct buf *out, uint64_t ms);

#endif
