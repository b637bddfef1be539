// SPDX-License-Identifier: Apache-2.0
// The page for people: HTML 5 in one piece, with no scripts and nothing from elsewhere.
#include "web/html.h"
#include "web/page_rows.h"

#include <inttypes.h>

#define TITLE "virtrigaud-exporter"

static const char style[] =
    ":root{color-scheme:light dark;--fg:#1b1f24;--bg:#fff;--soft:#5c6670;--line:#d9dee3;"
    "--band:#f4f6f8;--link:#0a58ca;--good:#146c43;--bad:#b02a37}\n"
    "@media(prefers-color-scheme:dark){:root{--fg:#e4e8ec;--bg:#14181c;--soft:#9aa5b1;"
    "--line:#333b44;--band:#1d2329;--link:#7ab3ff;--good:#5fd09b;--bad:#ff8a94}}\n"
    "*{box-sizing:border-box}\n"
    "body{margin:0 auto;max-width:90rem;padding:1rem;font:1rem/1.45 system-ui,sans-serif;"
    "color:var(--fg);background:var(--bg);overflow-wrap:anywhere}\n"
    "h1{font-size:1.5rem;margin:.2rem 0}h2{font-size:1.15rem;margin:1.6rem 0 .4rem}\n"
    "a{color:var(--link)}nav a{display:inline-block;padding:.3rem .8rem .3rem 0}\n"
    "dl{display:grid;grid-template-columns:max-content 1fr;gap:.2rem 1rem;margin:.8rem 0}\n"
    "dt,p,th{color:var(--soft)}dd{margin:0}\n"
    "table{border-collapse:collapse;width:100%;font-size:.9rem}\n"
    "th,td{text-align:left;vertical-align:top;padding:.3rem .8rem .3rem 0;"
    "border-bottom:1px solid var(--line)}\n"
    "th{overflow-wrap:normal}.n{text-align:right;font-variant-numeric:tabular-nums}\n"
    "code,pre{font:.85rem/1.4 ui-monospace,monospace}pre{margin:.3rem 0 0;padding:.4rem;"
    "background:var(--band);white-space:pre-wrap;overflow:hidden}\n"
    "i{font-style:normal;color:var(--soft);border:1px solid var(--line);border-radius:.2rem;"
    "padding:0 .15rem;font-size:.8em}\n"
    "b{font-weight:600}.good{color:var(--good)}.bad{color:var(--bad)}\n"
    ".components th:not(:first-child),.sources th:last-child,"
    ".metrics th:nth-child(n+3):not(:last-child){text-align:right}\n"
    "@media(min-width:50rem){time,.n,td[data-l=Type],td[data-l=Reason],th{white-space:nowrap}"
    "td[data-l=Metric]{min-width:20rem}}\n"
    "@media(max-width:49.99rem){thead{display:none}table,tbody{display:block}"
    "tr{display:block;padding:.5rem 0;border-bottom:1px solid var(--line)}"
    "td{display:grid;grid-template-columns:6.5rem minmax(0,1fr);gap:0 .5rem;border:0;padding:0;"
    "overflow:hidden}"
    "td:before{content:attr(data-l);color:var(--soft)}.n{text-align:left}"
    "dl{grid-template-columns:6.5rem minmax(0,1fr);gap:.1rem .5rem}}\n";

static void fact(struct view *v, const char *name)
{
    buf_addf(v->out, "<dt>%s</dt><dd>", name);
}

static void fact_end(struct view *v)
{
    buf_str(v->out, "</dd>\n");
}

static void state(struct view *v, const struct view_facts *f)
{
    fact(v, "State file");
    if (!f->state_kept) {
        buf_str(v->out, "none: series end with the process");
    } else if (f->state_ok) {
        buf_addf(v->out, "<b class=\"good\">kept</b>, %" PRIu64 " bytes", f->state_bytes);
    } else {
        buf_str(v->out, "<b class=\"bad\">not kept, in memory only</b>");
    }
    if (f->state_trouble != NULL) {
        buf_str(v->out, ": ");
        html_str(v->out, f->state_trouble);
    }
    if (f->state_set_aside > 0) {
        buf_addf(v->out, "; %" PRIu64 " damaged set aside", f->state_set_aside);
    }
    fact_end(v);
}

static void facts(struct view *v, const struct view_facts *f)
{
    buf_str(v->out, "<dl>\n");
    fact(v, "Version");
    html_str(v->out, f->version);
    buf_str(v->out, ", revision ");
    html_str(v->out, f->revision);
    fact_end(v);
    fact(v, "Uptime");
    page_span(v->out, f->now_ms > f->start_ms ? f->now_ms - f->start_ms : 0);
    buf_str(v->out, f->ready ? "" : ", <b class=\"bad\">not ready</b>");
    fact_end(v);
    state(v, f);
    fact(v, "Last reload");
    buf_str(v->out, f->reload_ok ? "<b class=\"good\">good</b>, "
                                 : "<b class=\"bad\">refused</b>; the last good one ");
    page_ago(v, f->reload_ms);
    fact_end(v);
    fact(v, "Series");
    buf_addf(v->out, "%" PRIu64 " of at most %" PRIu64, f->series, f->series_limit);
    fact_end(v);
    fact(v, "Connections");
    buf_addf(v->out, "%u", f->connections);
    fact_end(v);
    if (f->refusals_untold > 0) {
        fact(v, "Refused lines");
        buf_addf(v->out, "%" PRIu64 " came too fast to be told below", f->refusals_untold);
        fact_end(v);
    }
    buf_str(v->out, "</dl>\n");
}

static void begin(struct view *v, const struct view_facts *f)
{
    buf_str(v->out, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                    "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
                    "<title>" TITLE "</title>\n<style>\n");
    buf_str(v->out, style);
    buf_str(v->out, "</style>\n</head>\n<body>\n<h1>" TITLE "</h1>\n"
                    "<p>Metrics of VirtRigaud's manager and providers.</p>\n<nav>\n<a href=\"");
    html_path(v->out, v->telemetry_path);
    buf_str(v->out, "\">Metrics</a>\n<a href=\"/status\">Status as JSON</a>\n"
                    "<a href=\"/healthz\">Health</a>\n<a href=\"/readyz\">Readiness</a>\n"
                    "<a href=\"/sd\">Service discovery</a>\n</nav>\n");
    facts(v, f);
    buf_str(v->out,
            "<nav>\n<a href=\"#sources\">Sources</a>\n<a href=\"#refusals\">Refused lines</a>\n"
            "<a href=\"#metrics\">Metrics of the catalogue</a>\n</nav>\n");
}

static void end(struct view *v)
{
    buf_str(v->out, "<p>Manual pages: <code>virtrigaud-exporter(8)</code>, "
                    "<code>virtrigaud-exporter.yaml(5)</code>, <code>virtrigaud-catalog(5)</code>, "
                    "<code>virtrigaud-events(7)</code>, <code>virtrigaud-emit(1)</code></p>\n"
                    "</body>\n</html>\n");
}

const struct view_form page_form = {
    .type = "text/html; charset=utf-8",
    .policy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; "
              "frame-ancestors 'none'",
    .begin = begin,
    .part = page_part,
    .component = page_component,
    .source = page_source,
    .refusal = page_refusal,
    .metric = page_metric,
    .part_end = page_part_end,
    .end = end,
};
