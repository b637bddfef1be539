# SPDX-License-Identifier: Apache-2.0
"""Handles: Counter, Gauge, Histogram, Event, Info, and timers.

A handle is made once, as a module is imported, and works before there is a client, without one, and after it was closed. No
call of it waits, and none raises, whatever it is given: what cannot be sent is counted, and the client's logger told.

Labels are given as keywords or as one dictionary, or bound beforehand: `handle.labels(kind="VMSet").inc()`.
"""
import functools
import inspect
import time
import weakref
from typing import Any, Callable, Dict, Optional, Sequence, Tuple, TypeVar

from . import _text
from ._store import COUNTER, EVENT, GAUGE, HISTOGRAM, INFO, Labels, Series, Store

H = TypeVar("H", bound="Handle")
F = TypeVar("F", bound=Callable[..., Any])
NO_LABELS: Dict[str, str] = {}
CACHE_LIMIT = 5000  # ways to say the labels of a handle's series


class Metrics(Store):
    """A set of metrics and events that one client sends. Most programs need only `default`, to which handles belong that are
    made by their classes."""

    def counter(self, name: str, labelnames: Sequence[str] = (), /, **labels: Any) -> "Counter":
        return Counter.of(self, name, labelnames, labels)  # type: ignore[no-any-return]

    def gauge(self, name: str, labelnames: Sequence[str] = (), /, **labels: Any) -> "Gauge":
        return Gauge.of(self, name, labelnames, labels)  # type: ignore[no-any-return]

    def info(self, name: str, labelnames: Sequence[str] = (), /, **labels: Any) -> "Info":
        return Info.of(self, name, labelnames, labels)  # type: ignore[no-any-return]

    def histogram(self, name: str, labelnames: Sequence[str] = (), /, **labels: Any) -> "Histogram":
        return Histogram.of(self, name, labelnames, labels)  # type: ignore[no-any-return]

    def event(self, name: str, labelnames: Sequence[str] = (), /, **labels: Any) -> "Event":
        return Event.of(self, name, labelnames, labels)  # type: ignore[no-any-return]

    def forget(self, labels: Labels = None, /, **more: Any) -> None:
        """Something is gone for good, such as a provider: the daemon removes its series, those with all of these labels, and
        their gauges are not sent again. What is still waiting is sent before."""
        put = self.put
        try:
            pairs = dict(_text.label_pairs({**(labels or {}), **more}))
        except Exception:  # pylint: disable=broad-except
            self.reject("bad_label_value", "forget", None)
            return
        if put is not None and pairs:
            put((None, pairs, "forget"))  # type: ignore[arg-type]


default = Metrics()


class Handle:
    """What all handles share."""

    __slots__ = ("_metrics", "_name", "_names", "_fixed", "_cache", "_bound", "__weakref__")
    KIND = ""
    FIELD = "metric"

    def __init__(self, name: str, labelnames: Sequence[str] = (), /, **labels: Any) -> None:
        """`labelnames` gives labels() positions, and timers what labels there are; `labels` are fixed."""
        self._set_up(default, name, labelnames, labels)

    @classmethod
    def of(cls: Any, metrics: Metrics, name: str, labelnames: Sequence[str], labels: Dict[Any, Any]) -> Any:
        """The same, for other Metrics than the default ones."""
        self = cls.__new__(cls)
        self._set_up(metrics, name, labelnames, labels)
        return self

    def _set_up(self, metrics: Metrics, name: str, labelnames: Sequence[str], labels: Dict[Any, Any]) -> None:
        self._metrics = metrics
        self._name = name
        self._names = (labelnames,) if isinstance(labelnames, str) else tuple(labelnames)
        self._fixed = dict(labels)
        self.empty()
        metrics.handles[id(self)] = weakref.ref(self, lambda _, key=id(self): metrics.handles.pop(key, None))  # type: ignore[misc]

    def empty(self) -> None:
        """Forgets the series that were looked up: some were removed."""
        self._cache: Dict[Any, Series] = {}
        self._bound: Dict[Any, Any] = {}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({_text.shown(self._name, self._fixed)})"

    def labels(self: H, *values: Any, **labels: Any) -> H:
        """A handle with these labels fixed: a dictionary, values in the order of labelnames, or keywords."""
        try:
            return self._bound[values, tuple(labels.items())]  # type: ignore[no-any-return]
        except Exception:  # pylint: disable=broad-except
            return self._bind(values, labels)

    def _bind(self: H, values: Tuple[Any, ...], labels: Dict[str, Any]) -> H:
        fixed = dict(self._fixed)
        key = values, tuple(labels.items())
        try:
            if len(values) == 1 and isinstance(values[0], dict):
                fixed.update(values[0])
            else:
                for i, value in enumerate(values):  # one too many is named so that the refusal says it
                    fixed[self._names[i] if i < len(self._names) else f"label_{i + 1}"] = value
        except Exception:  # pylint: disable=broad-except
            pass
        fixed.update(labels)
        bound: H = type(self).of(self._metrics, self._name, self._names, fixed)
        if all(type(v) is str for v in (*values, *labels.values())):  # pylint: disable=unidiomatic-typecheck
            if len(self._bound) >= CACHE_LIMIT:
                self._bound = {}
            self._bound[key] = bound
        return bound

    def _find(self, labels: Labels, more: Dict[str, Any]) -> Optional[Series]:
        """The series of these labels, new if need be; None when there can be none, which is counted."""
        try:
            every = dict(self._fixed)
            if labels is not None:
                every.update(labels)
            every.update(more)
            pairs = _text.label_pairs(every)
            head = _text.head(self.FIELD, _text.well_formed(str(self._name)), pairs)
            given = (*(labels or {}).values(), *more.values())
        except Exception as error:  # pylint: disable=broad-except
            self._metrics.reject(f"bad_label_value: {type(error).__name__}", self._name, None)
            return None
        if head is None:
            self._metrics.reject("too_long", self._name, every)
            return None
        known = self._metrics.series
        series = known.get((self.KIND, head))
        if series is None:
            series = known.setdefault((self.KIND, head), Series(self.KIND, str(self._name), pairs, head))
        # Only text is looked up by itself: 1, 1.0 and True are the same to a dictionary.
        if all(type(v) is str for v in given):  # pylint: disable=unidiomatic-typecheck
            if len(self._cache) >= CACHE_LIMIT:
                self._cache = {}
            self._cache[tuple(more.items()) if labels is None else (tuple(labels.items()), tuple(more.items()))] = series
        return series

    def _put(self, value: Any, extra: Any, labels: Labels, more: Dict[str, Any]) -> None:
        """One call: the part that has to be fast."""
        put = self._metrics.put
        if put is None:
            return
        try:
            series = self._cache[tuple(more.items()) if labels is None else (tuple(labels.items()), tuple(more.items()))]
        except Exception:  # pylint: disable=broad-except
            found = self._find(labels, more)
            if found is None:
                return
            series = found
        try:
            # pylint: disable-next=unidiomatic-typecheck
            if type(value) is not float and type(value) is not int and value is not None:
                value = self._convert(value)
                if value is None:
                    return
            put((series, value, extra))
        except Exception as error:  # pylint: disable=broad-except
            self._metrics.notice("invalid", f"invalid: {type(error).__name__}")

    def _convert(self, value: Any) -> Any:
        number = _text.number(value)
        if number is None:
            self._metrics.reject(f"bad_value: {type(value).__name__}", self._name, self._fixed)
        return number

    def _exemplar(self, exemplar: Any, timestamp: Any) -> Optional[bytes]:
        try:
            text = _text.exemplar(exemplar, timestamp)
        except Exception:  # pylint: disable=broad-except
            text = None
        if text is None:
            self._metrics.notice("invalid", f"invalid: bad_exemplar, left out: {_text.shown(self._name, self._fixed)}")
        return text


class Counter(Handle):
    """Counts up."""

    __slots__ = ()
    KIND = COUNTER

    def inc(self, amount: float = 1, labels: Labels = None, /, **more: Any) -> None:
        self._put(amount, None, labels, more)

    add = inc

    def inc_with_exemplar(self, amount: float, exemplar: Dict[str, str], labels: Labels = None, /, *,
                          exemplar_timestamp: Optional[float] = None, **more: Any) -> None:
        """`exemplar` names a trace: {"trace_id": …}."""
        self._put(amount, self._exemplar(exemplar, exemplar_timestamp), labels, more)

    def init(self, labels: Labels = None, /, **more: Any) -> None:
        """Makes the series exist with 0, so that rate() sees its first step."""
        self._put(0, None, labels, more)


class Gauge(Handle):
    """A value that goes up and down. It is this process' own, 0 before the first call, and its newest value is sent, again
    when the daemon comes back. What several processes move together needs an event."""

    __slots__ = ()
    KIND = GAUGE

    def set(self, value: float, labels: Labels = None, /, **more: Any) -> None:
        self._put(value, "set", labels, more)

    def add(self, amount: float, labels: Labels = None, /, **more: Any) -> None:
        self._put(amount, "add", labels, more)

    def inc(self, amount: float = 1, labels: Labels = None, /, **more: Any) -> None:
        self._put(amount, "add", labels, more)

    def dec(self, amount: float = 1, labels: Labels = None, /, **more: Any) -> None:
        number = amount if isinstance(amount, (int, float)) else self._convert(amount)
        if number is not None:
            self._put(-number, "add", labels, more)

    def set_to_current_time(self, labels: Labels = None, /, **more: Any) -> None:
        self._put(time.time(), "set", labels, more)

    def track(self, labels: Labels = None, /, **more: Any) -> "Tracker":
        """`with gauge.track(): …` counts the blocks that are being run."""
        return Tracker(self, labels, more)


class Info(Handle):
    """A gauge that is 1, whose labels tell something, such as a build. Newer labels replace the older ones."""

    __slots__ = ("_latest",)
    KIND = INFO

    def info(self, labels: Labels = None, /, **more: Any) -> None:
        put = self._metrics.put
        series = self._find(labels, more)
        if put is None or series is None:
            return
        latest = getattr(self, "_latest", None)
        if latest is not None and latest is not series:
            put((None, latest, "replace"))  # type: ignore[arg-type]
        self._latest = series
        put((series, 1, "set"))


class Histogram(Handle):
    """Observes values."""

    __slots__ = ()
    KIND = HISTOGRAM

    def observe(self, value: float, labels: Labels = None, /, **more: Any) -> None:
        self._put(value, None, labels, more)

    def observe_with_exemplar(self, value: float, exemplar: Dict[str, str], labels: Labels = None, /, *,
                              exemplar_timestamp: Optional[float] = None, **more: Any) -> None:
        """`exemplar` names a trace: {"trace_id": …}. The last one of what is sent together is kept."""
        self._put(value, self._exemplar(exemplar, exemplar_timestamp), labels, more)

    def timer(self, labels: Labels = None, /, **more: Any) -> "Timer":
        """`with histogram.timer(): …` observes the seconds that the block took, or a decorated function."""
        return Timer(self, NO_LABELS, NO_LABELS, labels, more)


class Event(Handle):
    """One happening that updates several metrics at once."""

    __slots__ = ("_ends",)
    KIND = EVENT
    FIELD = "event"
    _ends: Tuple[Tuple[Dict[str, str], Dict[str, str]], Tuple[Dict[str, str], Dict[str, str]]]

    def record(self, value: Optional[float] = None, labels: Labels = None, /, **more: Any) -> None:
        """It has happened, with a value where the catalogue's event takes one."""
        self._put(value, None, labels, more)

    __call__ = record

    def record_with_exemplar(self, value: Optional[float], exemplar: Dict[str, str], labels: Labels = None, /, *,
                             exemplar_timestamp: Optional[float] = None, **more: Any) -> None:
        """`exemplar` names a trace: {"trace_id": …}. The last one of what is sent together is kept."""
        self._put(value, self._exemplar(exemplar, exemplar_timestamp), labels, more)

    def timer(self, labels: Labels = None, /, **more: Any) -> "Timer":
        """`with event.timer(method="Create") as t: …` records it with the seconds that the block took; t.labels() adds what is
        known at the end. A label `outcome` is error after an exception, else success unless it was given; a label `code`
        is UNKNOWN, else OK. Which of them there is, `labelnames` says; where that was left out, `outcome` after an exception,
        unless a `code` was given."""
        try:
            good, bad = self._ends["code" in more]
        except AttributeError:
            self._ends = self._find_ends(False), self._find_ends(True)
            good, bad = self._ends["code" in more]
        return Timer(self, good, bad, labels, more)

    def _find_ends(self, has_code: bool) -> Tuple[Dict[str, str], Dict[str, str]]:
        """The labels of a timer's block that ends well, and of one that ends with an exception."""
        names = self._names or (("code",) if has_code or "code" in self._fixed else ())
        good = {k: v for k, v in (("outcome", "success"), ("code", "OK")) if k in self._names and k not in self._fixed}
        bad = {k: v for k, v in (("outcome", "error"), ("code", "UNKNOWN")) if k in names or (not names and k == "outcome")}
        return good, bad


class Timer:
    """Measures a block or a function, which may be a coroutine."""

    __slots__ = ("_handle", "_good", "_bad", "_labels", "_begin")

    def __init__(self, handle: Handle, good: Dict[str, str], bad: Dict[str, str], labels: Labels, more: Dict[Any, Any]) -> None:
        self._handle, self._good, self._bad = handle, good, bad
        self._labels = {**labels, **more} if isinstance(labels, dict) else more

    def labels(self, labels: Labels = None, /, **more: Any) -> None:
        """Adds labels, or replaces some."""
        if isinstance(labels, dict):
            self._labels.update(labels)
        self._labels.update(more)

    def on_error(self, **labels: Any) -> None:
        """The labels that an exception gives, instead of the usual ones."""
        self._bad = labels

    def __enter__(self) -> "Timer":
        self._begin = time.perf_counter()
        return self

    def __exit__(self, kind: Any, *_: Any) -> None:
        took = time.perf_counter() - self._begin
        labels = {**self._good, **self._labels} if kind is None else {**self._labels, **self._bad}
        self._handle._put(took, None, None, labels)  # pylint: disable=protected-access

    def __call__(self, function: F) -> F:
        if inspect.iscoroutinefunction(function):
            @functools.wraps(function)
            async def timed_coroutine(*args: Any, **more: Any) -> Any:
                with Timer(self._handle, self._good, self._bad, self._labels, {}):
                    return await function(*args, **more)
            return timed_coroutine  # type: ignore[return-value]

        @functools.wraps(function)
        def timed(*args: Any, **more: Any) -> Any:
            with Timer(self._handle, self._good, self._bad, self._labels, {}):
                return function(*args, **more)
        return timed  # type: ignore[return-value]


class Tracker:
    """See Gauge.track()."""

    __slots__ = ("_gauge", "_labels", "_more")

    def __init__(self, gauge: Gauge, labels: Labels, more: Dict[str, Any]) -> None:
        self._gauge, self._labels, self._more = gauge, labels, more

    def __enter__(self) -> "Tracker":
        self._gauge.inc(1, self._labels, **self._more)
        return self

    def __exit__(self, *_: Any) -> None:
        self._gauge.dec(1, self._labels, **self._more)
