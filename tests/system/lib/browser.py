# SPDX-License-Identifier: Apache-2.0
"""Chromium without a window: what becomes of a page in it, and how it looks."""
import html
import os
import re
import shutil
import subprocess

import check
from daemon import TMP, write

CHROMIUM = shutil.which("chromium")
LIGHT, DARK = "--blink-settings=preferredColorScheme=1", "--blink-settings=preferredColorScheme=0"

# Frames a page at a width and writes what came of it as text: colours, widths, and what stands out of its box.
FRAME = """<!DOCTYPE html>
<iframe id="frame" width="{width}" height="800" srcdoc="{page}"></iframe><pre id="result"></pre>
<script>
onload = () => {{
  const d = frame.contentDocument, wide = frame.contentWindow.innerWidth;
  const out = [...d.querySelectorAll("body *")].filter(e => e.getBoundingClientRect().right > wide + 0.5);
  const style = frame.contentWindow.getComputedStyle(d.body);
  const shown = e => e.getBoundingClientRect().width > 0;
  result.textContent = JSON.stringify({{
    wide, scroll: d.documentElement.scrollWidth, out: out.map(e => e.outerHTML.slice(0, 200)),
    background: style.backgroundColor, color: style.color,
    cells: [...d.querySelectorAll("td")].filter(shown).length, rows: d.querySelectorAll("tbody tr").length,
    heads: [...d.querySelectorAll("thead")].filter(shown).length,
    elements: [...new Set([...d.querySelectorAll("body *")].map(e => e.localName))].sort(),
    attributes: [...new Set([...d.querySelectorAll("body *")].flatMap(e => e.getAttributeNames()))].sort()}});
}};
</script>
"""


def chromium(*arguments):
    """Runs it to its end. Returns what it wrote to standard output, and what the console of the page says."""
    home = os.path.join(TMP, "chromium")
    os.makedirs(home, exist_ok=True)
    end = subprocess.run(
        [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking",
         "--no-first-run", "--hide-scrollbars", "--enable-logging=stderr", f"--user-data-dir={home}", *arguments],
        capture_output=True, check=False, timeout=120, stdin=subprocess.DEVNULL,
        env={**os.environ, "HOME": home, "XDG_CONFIG_HOME": home, "XDG_CACHE_HOME": home})
    check.equal("exit status of chromium: " + end.stderr.decode(errors="replace"), end.returncode, 0)
    return end.stdout.decode(), re.findall(r"CONSOLE.*", end.stderr.decode(errors="replace"))


def dom(url, *arguments):
    """The document as it is once it has been loaded."""
    return chromium("--dump-dom", *arguments, url)


def framed(page, width, *arguments):
    """What comes of a page's text in a frame of that many pixels, as JSON text."""
    path = write("frame.html", FRAME.format(width=width, page=html.escape(page)))
    text, _ = dom("file://" + path, *arguments)
    return html.unescape(re.search(r'<pre id="result">(.*?)</pre>', text, re.S).group(1))


def picture(url, path, width, height, *arguments):
    chromium(f"--window-size={width},{height}", f"--screenshot={path}", *arguments, url)
