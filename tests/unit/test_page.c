// SPDX-License-Identifier: Apache-2.0
#include "web/page.h"

#include "unit.h"

START_TEST(the_page_shows_the_metrics_and_escapes_everything)
{
    struct buf out = BUF_INIT;
    struct web_page page;
    page_begin(&page, &out, "1.0<b>", "/a b\"/<x>");
    page_metric(&page, "a_total", "counter", 12, "Things & <others>.");
    page_metric(&page, "b\"<", "gauge", 0, "");
    page_end(&page);
    const char *text = buf_string(&out);
    ck_assert_ptr_nonnull(text);
    ck_assert_ptr_eq(strstr(text, "<!DOCTYPE html>\n"), text);
    ck_assert_ptr_nonnull(strstr(text, "<title>virtrigaud-exporter</title>"));
    ck_assert_ptr_nonnull(strstr(text, "<p>Version: 1.0&lt;b&gt;</p>"));
    ck_assert_ptr_nonnull(strstr(text, "<a href=\"/a%20b%22/%3Cx%3E\">Metrics</a>"));
    ck_assert_ptr_nonnull(strstr(text, "<a href=\"/healthz\">Health</a>"));
    ck_assert_ptr_nonnull(strstr(text, "<a href=\"/readyz\">Readiness</a>"));
    ck_assert_ptr_nonnull(strstr(text, "<tr><td><code>a_total</code></td><td>counter</td>"
                                       "<td class=\"n\">12</td>"
                                       "<td>Things &amp; &lt;others&gt;.</td></tr>\n"
                                       "<tr><td><code>b&quot;&lt;</code></td><td>gauge</td>"
                                       "<td class=\"n\">0</td><td></td></tr>\n"
                                       "</table>\n<p>2 metrics.</p>\n</body>\n</html>\n"));
    buf_free(&out);
}
END_TEST

UNIT_MAIN("page", the_page_shows_the_metrics_and_escapes_everything)
