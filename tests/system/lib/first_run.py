# SPDX-License-Identifier: Apache-2.0
"""For the tests of scripts/run: starts it, waits until it has said where to look, and asks for its sample."""
import subprocess

import service as s

# Of each of the sample's sources one series, the last one sent.
SAMPLE = ('virtrigaud_errors_total{reason="provider-describe",component="manager"} 1',
          'virtrigaud_errors_total{reason="AuthenticationError",component="provider"} 1',
          'virtrigaud_errors_total{reason="ConnectionFailed",component="provider"} 1')


class FirstRun:
    def __init__(self, command, env=None):
        self.file = s.TMP + "/said"
        with open(self.file, "w", encoding="utf-8") as out:
            self.process = subprocess.Popen(command, stdout=out, stderr=out, env=env, start_new_session=True)

    def text(self):
        with open(self.file, encoding="utf-8") as f:
            return f.read()

    def wait_serving(self, seconds):
        def told():
            if self.process.poll() is not None:
                s.fail(f"scripts/run ends with status {self.process.returncode}:\n{self.text()}")
            return "stop      Ctrl-C\n" in self.text()

        s.wait_for("scripts/run", told, seconds)
        text = self.text()
        s.expect("it says where to look", True, f"curl http://127.0.0.1:{s.PORT}/metrics\n" in text)
        s.expect("the sample is refused", False, "not taken whole" in text)
        for line in SAMPLE:
            s.wait_for("of the sample " + line, lambda wanted=line: wanted in s.get()[1].splitlines())

    def wait_ended(self):
        """After a signal to it."""
        status = self.process.wait(30)
        s.expect(f"status, after saying\n{self.text()}\n", 0, status)
