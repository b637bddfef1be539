# SPDX-License-Identifier: Apache-2.0
"""Draws the curves of bench/scaling with gnuplot. Colours are of a middle lightness, and nothing is behind them, so
that they can be read on white and on black."""
import os
import shutil
import subprocess
import sys

GREY = "#7d7d7d"
COLOURS = {"daemon": "#d9480f", "floor": GREY, "client_golang": "#2b84d6", "victoriametrics": "#2f9e44",
           "prom-client": "#9a67d8", "statsd": "#b8860b", "collectd": "#c8508f", "pushgateway": "#18979d"}
# Name of the figure: its title, and what its y axis says.
FIGURES = {"events": ("What an event costs", "CPU time of an event"),
           "scrape": ("How long a scrape takes", "time until the last byte")}
HEAD = """set encoding utf8
set micro
set terminal svg size 900,560 dynamic noenhanced font 'sans-serif,14' linewidth 1.5 name '{name}'
set output '{path}'
set title '{title}' textcolor rgb '{grey}'
set xlabel 'number of series' textcolor rgb '{grey}'
set ylabel '{what}' textcolor rgb '{grey}'
set logscale xy
set format x '%.0s %c'
set format y '%.0s %cs'
set xrange [{least}:{most}]
set border 3 linecolor rgb '{grey}'
set tics nomirror textcolor rgb '{grey}'
set grid xtics ytics linecolor rgb '{grey}' linewidth 0.3 dashtype 3
set key outside right Left reverse samplen 3 noenhanced textcolor rgb '{grey}'
"""
# What stands behind the comma of a curve's name: (its line, its points).
DASHES = {"": (1, 7), "our lines": (1, 7), "gzip": (2, 6), "cache of 1 GiB": (2, 6), "in process": (4, 9),
          "own protocol": (1, 5)}


def style(curve):
    """A colour for who it is, a dash for what."""
    name = next(name for name in COLOURS if curve.startswith(name))
    dash, point = DASHES[curve.removeprefix(name).lstrip(", ")]
    width = 2 if name == "daemon" else 1
    return f"linecolor rgb '{COLOURS[name]}' linewidth {width} dashtype {dash} pointtype {point} pointsize 0.6"


def script(figure, curves, path):
    title, what = FIGURES[figure]
    sizes = [n for points in curves.values() for n, _ in points]
    # Of two curves the upper one's name stands above, as far as their ends say.
    order = sorted(curves, key=lambda curve: -curves[curve][-1][1])
    out = [HEAD.format(name=figure, path=path, title=title, what=what, grey=GREY, least=min(sizes) / 1.2,
                       most=max(sizes) * 1.2)]
    for i, curve in enumerate(order):
        out.append(f"$curve{i} << END\n" + "".join(f"{n} {value}\n" for n, value in curves[curve]) + "END\n")
    plots = [f"$curve{i} using 1:2 with linespoints {style(curve)} title '{curve}'" for i, curve in enumerate(order)]
    return "".join(out) + "plot " + ", ".join(plots) + "\n"


def draw(result, folder):
    if shutil.which("gnuplot") is None:
        sys.exit("gnuplot is not installed; scripts/need bench does that")
    os.makedirs(folder, exist_ok=True)
    for figure in FIGURES:
        if result[figure]:
            path = os.path.join(folder, f"performance-{figure}.svg")
            subprocess.run(["gnuplot"], input=script(figure, result[figure], path), text=True, check=True)
