// SPDX-License-Identifier: Apache-2.0
/*
 * page: the status view as a page for people.
 */
#ifndef VE_WEB_PAGE_H
#define VE_WEB_PAGE_H

#include "web/status_view.h"

extern const struct status_view_form page_form;

#endif
