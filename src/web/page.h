// SPDX-License-Identifier: Apache-2.0
/*
 * page: the page for people.
 *
 * Shape:   a sentence of what is wrong, or that nothing is; the process; the last hour; then rejected lines if there are
 *          any, sources, those that are down first, components and metrics.
 * Threads: as web/status_view.
 */
#ifndef VE_WEB_PAGE_H
#define VE_WEB_PAGE_H

#include "web/status_view.h"

extern const struct status_view_form page_form;

#endif
