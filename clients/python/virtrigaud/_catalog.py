# SPDX-License-Identifier: Apache-2.0
"""What the daemon would say of a line, by its catalogue: virtrigaud-events(7) and virtrigaud-catalog(5)."""
import json
import math
import re
import subprocess
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

FIELDS = {"metric", "event", "labels", "op", "value", "exemplar"}
ADDED_UP = {"count", "values"}  # what an older daemon does not know
LABEL_BYTES = 256
DEFAULT_OP = {"counter": "add", "gauge": "set", "histogram": "observe"}
OPS = {"counter": {"add"}, "gauge": {"add", "set"}, "histogram": {"observe"}}


class Reject(Exception):
    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason, self.detail = reason, detail


class Update(NamedTuple):
    metric: str
    labels: Tuple[Tuple[str, str], ...]
    op: str  # add, set or observe
    values: List[float]  # one for each happening


def unique(pairs: List[Tuple[str, Any]]) -> Dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Reject("duplicate_field", "a key stands twice")
    return found


def parse(line: bytes) -> Any:
    if len(line) > 65536:
        raise Reject("too_long", f"the line has {len(line)} bytes")
    try:
        text = line.decode()
    except UnicodeDecodeError as error:
        raise Reject("bad_utf8", "the line is no UTF-8") from error
    try:
        value = json.loads(text, object_pairs_hook=unique)
        json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise Reject("bad_json", str(error)) from error
    if not isinstance(value, dict):
        raise Reject("not_an_object", "the line is no object")
    return value


def is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


class Catalog:
    """`Catalog.of_exporter()` asks the program; `Catalog(json.load(f))` takes what `--catalog.print=json` has printed."""

    def __init__(self, printed: Dict[str, Any], knows_sums: bool = True) -> None:
        self.metrics = {m["name"]: m for m in printed["metrics"]}
        self.events = {e["name"]: e for e in printed["events"]}
        self.definitions = {d["name"]: d for d in printed["labels"]}
        self.components = printed["components"]
        self.fields = FIELDS | ADDED_UP if knows_sums else FIELDS

    @classmethod
    def of_exporter(cls, program: str = "virtrigaud-exporter", *flags: str) -> "Catalog":
        return cls(json.loads(subprocess.run([program, "--catalog.print=json", *flags], check=True,
                                             stdout=subprocess.PIPE).stdout))

    def updates(self, line: Dict[str, Any], defaults: Optional[Dict[str, str]] = None) -> List[Update]:
        """What the line would do. Raises Reject."""
        for key in line:
            if key not in self.fields:
                raise Reject("unknown_field", f"there is no key {key!r}")
        if ("metric" in line) == ("event" in line):
            raise Reject("unknown_field", "either metric or event")
        if "count" in line and "metric" in line:
            raise Reject("unknown_field", "a metric has no count")
        found = self._metric(line, defaults or {}) if "metric" in line else self._event(line, defaults or {})
        check_exemplar(line, found, self.metrics)
        return found

    def _metric(self, line: Dict[str, Any], defaults: Dict[str, str]) -> List[Update]:
        metric = self.metrics.get(line["metric"]) if isinstance(line["metric"], str) else None
        if metric is None:
            raise Reject("unknown_metric", f"the catalogue has no metric {line['metric']!r}")
        op = line.get("op", DEFAULT_OP[metric["type"]])
        if not isinstance(op, str) or op not in OPS[metric["type"]]:
            raise Reject("bad_op", f"a {metric['type']} has no operation {op!r}")
        labels = self._labels(metric, metric["labels"], line, defaults, {d["name"] for d in metric["labels"]})
        values = numbers(line, metric["type"] == "histogram", metric["type"] != "counter")
        if op == "add" and metric["type"] == "counter" and any(v < 0 for v in values):
            raise Reject("negative_counter", "a counter cannot go down")
        return [Update(metric["name"], self._key(metric, labels), op, values)]

    def _event(self, line: Dict[str, Any], defaults: Dict[str, str]) -> List[Update]:
        event = self.events.get(line["event"]) if isinstance(line["event"], str) else None
        if event is None:
            raise Reject("unknown_event", f"the catalogue has no event {line['event']!r}")
        if "op" in line:
            raise Reject("bad_op", "an event has no operation")
        given = {**{k: v for k, v in defaults.items() if any(d["name"] == k for d in event["labels"])}, **line.get("labels", {})}
        chosen = [u for u in event["updates"] if self._applies(event, u, given)]
        needed = {d["name"] for u in chosen for d in self.metrics[u["metric"]]["labels"]}
        needed |= {name for u in event["updates"] for name in u.get("when", {})}
        labels = self._labels(event, event["labels"], line, defaults, needed)
        takes = event.get("value")
        if takes is None and ("value" in line or "values" in line):
            raise Reject("bad_value", "the event takes no value")
        values = numbers(line, takes is not None, takes is not None and not takes.get("optional"), True)
        has_value = "value" in line or "values" in line
        count = len(values)
        return [Update(u["metric"], self._key(self.metrics[u["metric"]], labels), u["op"],
                       [u.get("by", 1)] * count if u["op"] == "add" else values)
                for u in chosen if u["op"] == "add" or has_value]

    def _applies(self, event: Dict[str, Any], update: Dict[str, Any], labels: Dict[str, Any]) -> bool:
        bound = {d["name"]: d["definition"] for d in event["labels"]}
        for name, wanted in update.get("when", {}).items():
            value = self._rewritten(bound.get(name, name), labels.get(name, ""))
            if value not in (wanted if isinstance(wanted, list) else [wanted]):
                return False
        return True

    def _rewritten(self, definition: str, value: Any) -> Any:
        d = self.definitions.get(definition, {})
        if not isinstance(value, str):
            return value
        value = d.get("aliases", {}).get(value, value)
        if value == "" and "empty" in d:
            return d["empty"]
        if "otherwise" in d and value not in d["values"]:
            return d["otherwise"]
        return value

    def _labels(self, entry: Dict[str, Any], declared: List[Dict[str, str]], line: Dict[str, Any], defaults: Dict[str, str],
                needed: Any) -> Dict[str, str]:
        given = line.get("labels", {})
        if not isinstance(given, dict):
            raise Reject("bad_label_value", "labels is no object")
        bound = {d["name"]: d["definition"] for d in declared}
        ignored = set(entry.get("ignored_labels", ()))
        for name in given:
            if name not in ignored and (name not in bound or name not in needed):
                raise Reject("unknown_label", f"label {name!r} is not declared")
        labels = {k: v for k, v in {**defaults, **given}.items() if k in needed}
        labels = {k: self._rewritten(bound[k], v) for k, v in labels.items()}
        for name in sorted(needed):
            if labels.get(name, "") == "":
                raise Reject("missing_label", f"label {name!r} is missing")
        for name, value in labels.items():
            if not isinstance(value, str) or len(value.encode()) > LABEL_BYTES or "\0" in value:
                raise Reject("bad_label_value", f"label {name!r} is no text, too long or holds NUL")
        for name, value in labels.items():
            d = self.definitions.get(bound[name], {})
            if d.get("closed") and value not in d["values"]:
                raise Reject("label_value_not_allowed", f"label {name!r} has no value {value!r}")
        return labels

    @staticmethod
    def _key(metric: Dict[str, Any], labels: Dict[str, str]) -> Tuple[Tuple[str, str], ...]:
        return tuple(sorted((d["name"], labels[d["name"]]) for d in metric["labels"]))


def numbers(line: Dict[str, Any], takes_list: bool, is_required: bool, takes_count: bool = False) -> List[float]:
    """The values of a line, one for each happening."""
    if sum(key in line for key in ("value", "values", "count")) > 1:
        raise Reject("bad_value", "only one of value, values and count")
    if "count" in line:
        count = line["count"]
        if not takes_count or isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= 1000000:
            raise Reject("bad_value", "count is out of range")
        if is_required:
            raise Reject("missing_value", "a value is needed")
        return [1] * count
    if "values" in line:
        values = line["values"]
        if not takes_list or not isinstance(values, list) or not 1 <= len(values) <= 1000 or not all(map(is_number, values)):
            raise Reject("bad_value", "values is no list of 1 to 1000 numbers")
        return values
    if "value" not in line:
        if is_required:
            raise Reject("missing_value", "a value is needed")
        return [1]
    if not is_number(line["value"]):
        raise Reject("bad_value", "the value is no number")
    return [line["value"]]


def check_exemplar(line: Dict[str, Any], found: List[Update], metrics: Dict[str, Any]) -> None:
    if "exemplar" not in line:
        return
    exemplar = line["exemplar"]
    labels = exemplar.get("labels") if isinstance(exemplar, dict) else None
    if not isinstance(labels, dict) or not set(exemplar) <= {"labels", "timestamp"}:
        raise Reject("bad_exemplar", "the exemplar has no labels")
    if not all(isinstance(v, str) and re.fullmatch(r"[a-zA-Z_][a-zA-Z0-9_]*", k) for k, v in labels.items()):
        raise Reject("bad_exemplar", "the exemplar's labels are no texts")
    if sum(len(k) + len(v) for k, v in labels.items()) > 128:
        raise Reject("bad_exemplar", "the exemplar has more than 128 characters")
    if all(metrics[u.metric]["type"] == "gauge" for u in found):
        raise Reject("bad_exemplar", "a gauge has no exemplar")
