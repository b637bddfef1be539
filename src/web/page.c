// SPDX-License-Identifier: Apache-2.0
#include "web/page.h"

#include "base/text.h"

#define TITLE "virtrigaud-exporter"

static void html(struct buf *out, const char *s)
{
    text_html(out, s, strlen(s));
}

// A path as the value of href: every segment percent-encoded, the slashes kept.
static void href(struct buf *out, const char *path)
{
    while (*path != '\0') {
        size_t len = strcspn(path, "/");
        text_percent(out, path, len);
        path += len;
        if (*path == '/') {
            buf_char(out, '/');
            path++;
        }
    }
}

void page_begin(struct web_page *p, struct buf *out, const char *version,
                const char *telemetry_path)
{
    *p = (struct web_page){.out = out};
    buf_str(out, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                 "<title>" TITLE "</title>\n"
                 "<style>body{font-family:sans-serif;margin:2em}table{border-collapse:collapse}"
                 "td,th{padding:.2em .8em;text-align:left;border-bottom:1px solid #ccc}"
                 "td.n{text-align:right}</style>\n"
                 "</head>\n<body>\n<h1>" TITLE "</h1>\n"
                 "<p>Metrics of VirtRigaud's manager and providers.</p>\n<p>Version: ");
    html(out, version);
    buf_str(out, "</p>\n<ul>\n<li><a href=\"");
    href(out, telemetry_path);
    buf_str(out, "\">Metrics</a></li>\n"
                 "<li><a href=\"/healthz\">Health</a></li>\n"
                 "<li><a href=\"/readyz\">Readiness</a></li>\n</ul>\n"
                 "<h2>Catalogue</h2>\n<table>\n"
                 "<tr><th>Metric</th><th>Type</th><th>Series</th><th>Help</th></tr>\n");
}

void page_metric(struct web_page *p, const char *name, const char *type, uint64_t series,
                 const char *help)
{
    buf_str(p->out, "<tr><td><code>");
    html(p->out, name);
    buf_str(p->out, "</code></td><td>");
    html(p->out, type);
    buf_addf(p->out, "</td><td class=\"n\">%llu</td><td>", (unsigned long long)series);
    html(p->out, help);
    buf_str(p->out, "</td></tr>\n");
    p->metrics++;
}

void page_end(struct web_page *p)
{
    buf_addf(p->out, "</table>\n<p>%zu metrics.</p>\n</body>\n</html>\n", p->metrics);
}
