# SPDX-License-Identifier: Apache-2.0
"""A real Prometheus, VE_PROMETHEUS or Debian's, started with a configuration of the test's own; with its log when the test fails."""
import json
import os
import subprocess
import urllib.parse
import urllib.request

import check
from daemon import TMP, write

PROGRAM = os.environ.get("VE_PROMETHEUS", "/usr/bin/prometheus")


class Prometheus:
    def __init__(self, config, *flags, port=int(os.environ["VE_PORT"]) + 10, name="prometheus"):
        self.url = f"http://127.0.0.1:{port}"
        self.log = os.path.join(TMP, name + ".log")
        path = write(name + ".yml", config)
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [PROGRAM, f"--config.file={path}", f"--storage.tsdb.path={TMP}/{name}", "--log.level=warn",
                 f"--web.listen-address=127.0.0.1:{port}", *flags], stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def __enter__(self):
        try:
            check.until("Prometheus is up", lambda: self.ask("status/buildinfo"))
        except AssertionError:
            self.__exit__(AssertionError, None, None)
            raise
        return self

    def __exit__(self, kind, value, trace):
        self.process.kill()
        self.process.wait()
        if kind is not None:
            with open(self.log, encoding="utf-8", errors="replace") as file:
                print(file.read())

    def ask(self, path, **query):
        """The `data` of an answer of the API; None when there is none."""
        url = f"{self.url}/api/v1/{path}?" + urllib.parse.urlencode(query)
        try:
            with urllib.request.urlopen(url, timeout=check.PATIENCE) as answer:
                return json.load(answer)["data"]
        except OSError:
            return None

    def rules(self):
        """What became of each rule when it was last evaluated: {(name, expression): "ok", "unknown" or an error}."""
        groups = (self.ask("rules") or {"groups": []})["groups"]
        return {(r["name"], r["query"]): r.get("lastError") or r["health"] for g in groups for r in g["rules"]}

    def query(self, text):
        """The result of an instant query: [{metric, value}]."""
        data = self.ask("query", query=text)
        return data["result"] if data else []
