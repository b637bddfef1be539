// SPDX-License-Identifier: Apache-2.0
#include "web/html.h"

#include "unit.h"

#include <math.h>

static struct buf out;

static void check_text(const char *expected)
{
    ck_assert_str_eq(buf_string(&out), expected);
    buf_free(&out);
    out = BUF_INIT;
}

#define SVG(class, label)                                                                          \
    "<figure>\n<svg" class " viewBox=\"0 0 600 80\" preserveAspectRatio=\"none\" role=\"img\" "    \
                           "aria-label=\"" label "\">"

START_TEST(a_line_goes_from_left_to_right_with_gaps)
{
    static const struct plot plot = {"T", " u", "bad", 1000};
    const struct plot_point points[] = {{1500, 1}, {750, 2}, {500, NAN}, {250, 4}, {0, 0}};
    html_plot(&out, &plot, points, 5);
    check_text(SVG(
        "", "T: 0 u, at most 4 u") "<path class=\"line bad\" "
                                   "d=\"M0.0 59.0h0L150.0 40.0M450.0 2.0h0L600.0 78.0\"/></svg>\n"
                                   "<figcaption>T: 0 u, at most 4 u</figcaption>\n</figure>\n");
    html_plot(&out, &plot, points + 2, 1);
    check_text(SVG("", "T: not known, at most 0 u") "<path class=\"line bad\" d=\"\"/></svg>\n"
                                                    "<figcaption>T: not known, at most 0 "
                                                    "u</figcaption>\n</figure>\n");
    html_plot(&out, &plot, NULL, 0);
    check_text(SVG("", "T: not known") "<path class=\"line bad\" d=\"\"/></svg>\n"
                                       "<figcaption>T: not known</figcaption>\n</figure>\n");
    const struct plot_point flat[] = {{100, 0}, {0, 0}};
    html_plot(&out, &plot, flat, 2);
    check_text(SVG(
        "",
        "T: 0 u, at most 0 u") "<path class=\"line bad\" d=\"M540.0 78.0h0L600.0 78.0\"/></svg>\n"
                               "<figcaption>T: 0 u, at most 0 u</figcaption>\n</figure>\n");
}
END_TEST

#define SPARK(title)                                                                               \
    "<svg class=\"spark\" viewBox=\"0 0 120 20\" role=\"img\"><title>" title "</title>"            \
    "<path class=\"line \" d=\""

START_TEST(a_sparkline_goes_from_the_smallest_to_the_largest)
{
    const struct plot_point points[] = {{1500, -1}, {750, NAN}, {500, 3}, {250, INFINITY}, {0, 1}};
    html_spark(&out, 1000, points, 5);
    check_text(SPARK("min -1, max 3") "M0.0 18.0h0M60.0 2.0h0M120.0 10.0h0\"/></svg>");
    const struct plot_point flat[] = {{1000, 0.25}, {0, 0.25}};
    html_spark(&out, 1000, flat, 2);
    check_text(SPARK("min 0.25, max 0.25") "M0.0 18.0h0L120.0 18.0\"/></svg>");
    const struct plot_point wide[] = {{1000, -1.5e308}, {0, 1.5e308}};
    html_spark(&out, 1000, wide, 2);
    check_text(SPARK("min -1.5e+308, max 1.5e+308") "M0.0 18.0h0L120.0 2.0\"/></svg>");
    html_spark(&out, 1000, points + 1, 1);
    html_spark(&out, 1000, NULL, 0);
    ck_assert_uint_eq(out.len, 0);
}
END_TEST

START_TEST(a_heatmap_shows_the_rows_that_hold_anything)
{
    static const double bounds[] = {0.5, 1, 2};
    static const struct plot_heat heat = {"H", 1000, 4, bounds};
    const uint64_t first[] = {0, 4, 0, 1};
    const struct plot_column columns[] = {{1000, 500, first}, {500, 0, NULL}};
    html_heatmap(&out, &heat, columns, 2);
    check_text(SVG(
        " class=\"heat\"",
        "H") "<rect class=\"cell\" x=\"0.0\" y=\"53.3\" width=\"300.0\" height=\"26.7\" "
             "fill-opacity=\"1.00\"><title>4 at most 1</title></rect>"
             "<rect class=\"cell\" x=\"0.0\" y=\"0.0\" width=\"300.0\" height=\"26.7\" "
             "fill-opacity=\"0.55\"><title>1 at most +Inf</title></rect></svg>\n"
             "<figcaption>H: bottom row at most 1, top row at most +Inf, darkest 4</figcaption>\n"
             "</figure>\n");
    html_heatmap(&out, &heat, columns + 1, 1);
    check_text("<p>Nothing was observed in the last hour.</p>\n");
}
END_TEST

UNIT_MAIN("html_plot", a_line_goes_from_left_to_right_with_gaps,
          a_sparkline_goes_from_the_smallest_to_the_largest,
          a_heatmap_shows_the_rows_that_hold_anything)
