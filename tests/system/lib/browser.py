# SPDX-License-Identifier: Apache-2.0
"""Chromium without a window: what becomes of a page in it, and how it looks. What is in a box of class "wide" may be moved sideways."""
import contextlib
import html
import json
import os
import re
import shutil
import subprocess

import check
from daemon import TMP, write

CHROMIUM = shutil.which("chromium")
LIGHT, DARK = "--blink-settings=preferredColorScheme=1", "--blink-settings=preferredColorScheme=0"

# Frames a page at several widths and writes what came of each as text: colours, widths, and what stands out of its box.
FRAMES = """<!DOCTYPE html>
{frames}<pre id="result"></pre>
<script>
const look = frame => {{
  const d = frame.contentDocument, wide = frame.contentWindow.innerWidth;
  const inside = e => e.parentElement.closest(".wide");
  const out = [...d.querySelectorAll("body *")].filter(e => !inside(e) && e.getBoundingClientRect().right > wide + 0.5);
  const shows = (what, how) => [...d.querySelectorAll(what)].every(e => frame.contentWindow.getComputedStyle(e).display == how);
  const style = frame.contentWindow.getComputedStyle(d.body);
  const shown = e => e.getBoundingClientRect().width > 0;
  return {{
    wide, scroll: d.documentElement.scrollWidth, out: out.map(e => e.outerHTML.slice(0, 200)),
    background: style.backgroundColor, color: style.color,
    cells: [...d.querySelectorAll("td")].filter(shown).length, rows: d.querySelectorAll("tbody tr").length,
    tables: shows("table", "table") && shows("tr", "table-row") && shows("td, th", "table-cell"),
    moved: [...d.querySelectorAll(".wide")].every(e => e.scrollWidth <= e.clientWidth || frame.contentWindow.getComputedStyle(e).overflowX == "auto"),
    plots: [...d.querySelectorAll("figure svg")].map(e => [e.getBoundingClientRect().width > 100, e.getBoundingClientRect().height > 40,
      [...e.querySelectorAll("path, rect")].every(p => p.getBBox().width <= 600 && p.getBBox().height <= 80)].every(Boolean)),
    heads: [...d.querySelectorAll("thead")].filter(shown).length,
    elements: [...new Set([...d.querySelectorAll("body *")].map(e => e.localName))].sort(),
    attributes: [...new Set([...d.querySelectorAll("body *")].flatMap(e => e.getAttributeNames()))].sort()}};
}};
onload = () => {{
  result.textContent = JSON.stringify([...document.querySelectorAll("iframe")].map(look));
}};
</script>
"""


def command(*arguments):
    """What runs it, and the environment for that."""
    home = os.path.join(TMP, "chromium")
    os.makedirs(home, exist_ok=True)
    return ([CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking",
             "--no-first-run", "--hide-scrollbars", "--enable-logging=stderr", f"--user-data-dir={home}", *arguments],
            {**os.environ, "HOME": home, "XDG_CONFIG_HOME": home, "XDG_CACHE_HOME": home})


def chromium(*arguments):
    """Runs it to its end. Returns what it wrote to standard output, and what the console of the page says."""
    what, environment = command(*arguments)
    end = subprocess.run(what, capture_output=True, check=False, timeout=500, stdin=subprocess.DEVNULL, env=environment)
    check.equal("exit status of chromium: " + end.stderr.decode(errors="replace"), end.returncode, 0)
    return end.stdout.decode(), re.findall(r"CONSOLE.*", end.stderr.decode(errors="replace"))


@contextlib.contextmanager
def stays(url):
    """With the page open, for as long as the context lasts."""
    what, environment = command("--remote-debugging-port=0", url)
    with subprocess.Popen(what, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment) as browser:
        try:
            yield
        finally:
            browser.terminate()


def dom(url, *arguments):
    """The document as it is once it has been loaded."""
    return chromium("--dump-dom", *arguments, url)


def framed(page, widths, *arguments):
    """What comes of a page's text in a frame of each of these widths, in pixels."""
    frames = "".join(f'<iframe width="{width}" height="800" srcdoc="{html.escape(page)}"></iframe>' for width in widths)
    path = write("frame.html", FRAMES.format(frames=frames))
    text, _ = dom("file://" + path, *arguments)
    return json.loads(html.unescape(re.search(r'<pre id="result">(.*?)</pre>', text, re.S).group(1)))


def picture(url, path, width, height, *arguments):
    chromium(f"--window-size={width},{height}", f"--screenshot={path}", *arguments, url)
