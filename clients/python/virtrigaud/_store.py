# SPDX-License-Identifier: Apache-2.0
"""What calls leave behind until it is sent.

A call looks its series up, appends one entry to a queue and returns: it takes no lock, so that it may be made from signal
handlers and finalizers too. Entries are merged, under `lock`, by the thread that sends, or by a caller when many wait:
additions into one `Sum` of a series, observations into `Chunk`s, gauges into their newest value. Sums and chunks wait in the
order in which they were begun. The memory of what waits is counted; past the limit the oldest observations go first, then
the oldest sums; a gauge keeps its newest value. Series have a limit of their own: one for which there is no room, though what
waits longest was dropped, is not made, and its calls are lost.

`sent` counts calls; each is in one of `applied`, `refused`, `lost`, and what waits.
"""
import collections
import itertools
import threading
import time
import weakref
from array import array
from typing import Any, Callable, Deque, Dict, Iterator, List, Optional, Tuple

from . import _text

COUNTER, GAUGE, HISTOGRAM, EVENT, INFO = "counter", "gauge", "histogram", "event", "info"
GAUGE_CALLS = "set", "add", "replace"  # what the third part of an entry says
LARGEST = 1.7976931348623157e308
DEFAULT_BYTES = 16 << 20
DEFAULT_SERIES = 20000
MEAN_SERIES_BYTES = 2048  # that a series may take
MERGE_AT = 512  # entries of the queue, merged by the caller that adds one
QUEUE_LIMIT = 200000  # entries; only reached while the thread that merges cannot run
WIRE_BYTES = 65536  # sent at once when about so much waits
CHUNK_VALUES = 1000
COUNT_LIMIT = 1000000
SERIES_BYTES = 700  # of a series besides its text, about
PENDING_BYTES = 200  # of a sum or chunk besides its values, about
EVICT_SECONDS = 0.05
NOTICES = 200

Entry = Tuple["Series", Any, Any]
Labels = Optional[Dict[Any, Any]]
STORES: Dict[int, Any] = {}  # weak references


class Series:
    """One metric or event with its label values."""

    __slots__ = ("kind", "name", "labels", "head", "sum", "chunk", "is_counted",
                 "last", "is_known", "dirty", "calls", "seq")

    def __init__(self, kind: str, name: str, labels: Tuple[Tuple[str, str], ...], head: bytes) -> None:
        self.kind, self.name, self.labels, self.head = kind, name, labels, head
        self.sum: Optional[Sum] = None  # open, additions go there
        self.chunk: Optional[Chunk] = None  # open, observations go there
        self.is_counted = False  # its memory is
        # Of a gauge: the value, which is this process' own; whether it was set or moved here, and is sent on each new
        # connection; whether it is to be sent now, the calls in that, and when it began to wait.
        self.last: float = 0
        self.is_known = False
        self.dirty = False
        self.calls = 0
        self.seq = 0

    def size(self) -> int:
        return SERIES_BYTES + 3 * len(self.head)

    def is_idle(self) -> bool:
        return self.sum is None and self.chunk is None and not self.dirty and not self.last and not self.is_known


class Sum:
    """What is added to a counter, or the happenings of an event without a value: one line."""

    __slots__ = ("series", "amount", "calls", "seq", "exemplar")

    def __init__(self, series: Series, seq: int) -> None:
        self.series, self.seq = series, seq
        self.amount: Any = 0
        self.calls = 0
        self.exemplar: Optional[bytes] = None

    def size(self) -> int:
        return PENDING_BYTES


class Chunk:
    """Observations of a histogram or an event: one line, or two when the exemplar is not of the last."""

    __slots__ = ("series", "values", "calls", "seq", "exemplar", "exemplar_index")

    def __init__(self, series: Series, seq: int) -> None:
        self.series, self.seq = series, seq
        self.values = array("d")
        self.calls = 0
        self.exemplar: Optional[bytes] = None
        self.exemplar_index = -1

    def size(self) -> int:
        return PENDING_BYTES + 8 * len(self.values)

    def drop(self, n: int) -> None:
        """Drops the oldest n observations."""
        del self.values[:n]
        self.calls -= n
        self.exemplar_index -= n
        if self.exemplar_index < 0:
            self.exemplar, self.exemplar_index = None, -1


class Gauged:
    """A gauge's line under way."""

    __slots__ = ("series", "value", "calls", "seq")

    def __init__(self, series: Series) -> None:
        self.series, self.value, self.calls, self.seq = series, series.last, series.calls, series.seq

    def size(self) -> int:
        return 0


class Store:
    """The series of one set of metrics, and what of them waits."""

    def __init__(self, max_bytes: int = DEFAULT_BYTES, max_series: int = DEFAULT_SERIES) -> None:
        self.max_bytes, self.max_series = max_bytes, max_series
        self.series: Dict[Tuple[str, bytes], Series] = {}
        self.handles: Dict[int, Any] = {}  # weak references, to empty their caches
        self.client: Any = None  # the one that sends
        # How an entry is put: None drops it at once.
        self.put: Optional[Callable[[Entry], None]] = self.enqueue
        self.notices: Deque[Tuple[str, str]] = collections.deque(maxlen=NOTICES)  # (kind, text)
        self.is_held_for_fork = False
        STORES[id(self)] = weakref.ref(self, lambda _, key=id(self): STORES.pop(key, None))  # type: ignore[misc]
        self._reset()

    @staticmethod
    def all() -> List["Store"]:
        return [store for store in (reference() for reference in list(STORES.values())) if store is not None]

    def _reset(self) -> None:
        self.lock = threading.Lock()
        self.queue: Deque[Entry] = collections.deque()
        self._overflow = itertools.count()  # entries that found no room in the queue
        self._overflow_seen = 0
        self.sums: Deque[Sum] = collections.deque()
        self.chunks: Deque[Chunk] = collections.deque()
        self.gauges: Dict[Series, None] = {}  # dirty ones, in order
        self.forgets: Deque[Dict[str, str]] = collections.deque()
        counted = [s.size() for s in list(self.series.values()) if s.is_counted]
        self.bytes = 0  # of sums and chunks
        self.n_series, self.series_bytes = len(counted), sum(counted)
        self.evict_after = 0.0
        self.wire = 0  # bytes that wait, about
        self.seq = 0
        self.sent = self.applied = self.refused = self.lost = self.unknown = self.invalid = 0

    # ---- What callers do

    def enqueue(self, entry: Entry) -> None:
        queue = self.queue
        waiting = len(queue)
        if waiting < QUEUE_LIMIT:
            queue.append(entry)
        else:
            next(self._overflow)
        if waiting >= MERGE_AT and self.lock.acquire(False):
            try:
                self.merge(2 * MERGE_AT)  # no call takes long, however many wait
            finally:
                self.lock.release()
            client = self.client
            if client is not None and self.wire >= WIRE_BYTES:
                client.wake()

    def notice(self, kind: str, text: str) -> None:
        """Leaves a text for the client's logger and hook."""
        self.notices.append((kind, text))

    def reject(self, reason: str, name: str, labels: Any) -> None:
        """A call that can be no line."""
        self.put_invalid()
        self.notice("invalid", f"invalid: {reason}: {_text.shown(name, labels)}")

    def put_invalid(self) -> None:
        put = self.put
        if put is not None:
            put((None, None, "invalid"))  # type: ignore[arg-type]

    # ---- Merging, with the lock held

    def merge(self, limit: int = QUEUE_LIMIT) -> None:
        """Merges what is in the queue, at most so many entries."""
        pop = self.queue.popleft
        for _ in range(min(limit, len(self.queue))):
            try:
                series, value, extra = pop()
            except IndexError:
                break
            if series is None:
                self._merge_special(value, extra)
                continue
            if not series.is_counted and not self._admit(series):
                self.sent += 1
                self.lost += 1
                if len(self.notices) < NOTICES // 4:
                    self.notice("lost", f"lost: no_room for another series: {_text.shown(series.name, dict(series.labels))}")
            elif value is None:
                self._merge_happening(series, extra)
            elif not -LARGEST <= value <= LARGEST:
                self._refuse(series, f"bad_value: {value}")
            else:
                self.sent += 1
                MERGE[series.kind](self, series, value, extra)
        if self.bytes > self.max_bytes:
            self._make_room(self.max_bytes)
        overflowed = next(self._overflow)
        self.sent += overflowed - self._overflow_seen
        self.lost += overflowed - self._overflow_seen
        self._overflow_seen = overflowed + 1

    def _merge_special(self, value: Any, extra: str) -> None:
        if extra == "invalid":
            self.invalid += 1
        elif extra == "forget":
            self._forget(value)
        elif extra == "replace":  # of an info metric, the series that a newer one replaces
            self._drop_gauge(value)

    def _drop_gauge(self, series: Series) -> None:
        """Its value is of no interest any more."""
        series.last, series.is_known, series.dirty = 0, False, False
        self.gauges.pop(series, None)
        self.applied += series.calls
        series.calls = 0

    def _refuse(self, series: Series, why: str) -> None:
        self.invalid += 1
        self.notice("invalid", f"invalid: {why}: {_text.shown(series.name, dict(series.labels))}")

    def _merge_counter(self, series: Series, value: Any, exemplar: Any) -> None:
        if value < 0:
            self.sent -= 1
            self._refuse(series, f"negative_counter: {value}")
            return
        into = series.sum
        if into is None or not into.amount + value <= LARGEST:
            into = self._open_sum(series)
        into.amount += value
        into.calls += 1
        if exemplar is not None:
            into.exemplar = exemplar

    def _merge_happening(self, series: Series, exemplar: Any) -> None:
        """An event without a value."""
        if series.kind != EVENT:
            self._refuse(series, "missing_value")
            return
        self.sent += 1
        into = series.sum
        if into is None or into.amount >= COUNT_LIMIT:
            into = self._open_sum(series)
        into.amount += 1
        into.calls += 1
        if exemplar is not None:
            into.exemplar = exemplar

    def _open_sum(self, series: Series) -> Sum:
        self.seq += 1
        into = series.sum = Sum(series, self.seq)
        self.sums.append(into)
        self.bytes += PENDING_BYTES
        self.wire += len(series.head) + 24
        return into

    def _merge_observation(self, series: Series, value: Any, exemplar: Any) -> None:
        into = series.chunk
        if into is None or len(into.values) >= CHUNK_VALUES:
            self.seq += 1
            into = series.chunk = Chunk(series, self.seq)
            self.chunks.append(into)
            self.bytes += PENDING_BYTES
            self.wire += len(series.head) + 24
        if exemplar is not None:
            into.exemplar, into.exemplar_index = exemplar, len(into.values)
        into.values.append(value)
        into.calls += 1
        self.bytes += 8
        self.wire += 10

    def _merge_gauge(self, series: Series, value: Any, op: Any) -> None:
        changed = series.last + value if op == "add" else value
        if not -LARGEST <= changed <= LARGEST:
            self.sent -= 1
            self._refuse(series, "bad_value: the sum is no number")
            return
        series.last, series.is_known = changed, True
        self._soil(series)
        series.calls += 1

    def _soil(self, series: Series) -> None:
        """Its value is to be sent."""
        if not series.dirty:
            self.seq += 1
            series.seq = self.seq
            self.wire += len(series.head) + 24
        series.dirty = True
        self.gauges[series] = None

    def _forget(self, labels: Dict[str, str]) -> None:
        self.forgets.append(labels)
        for series in list(self.series.values()):
            if series.is_known and labels.items() <= dict(series.labels).items():
                self._drop_gauge(series)

    # ---- Memory, with the lock held

    def _admit(self, series: Series) -> bool:
        """Counts a series and its memory. Returns whether there is room."""
        if not self._fits(series):
            if not self._evict() and (self.chunks or self.sums):
                self._drop_pending(len(self.chunks) // 8 + 1, len(self.sums) // 8 + 1)
                self.evict_after = 0.0
                self._evict()
            if not self._fits(series):
                return False
        if self.series.setdefault((series.kind, series.head), series) is not series:
            return True  # one that was removed while a call held it; the next call finds the other
        series.is_counted = True
        self.n_series += 1
        self.series_bytes += series.size()
        return True

    def _fits(self, series: Series) -> bool:
        return (self.n_series < self.max_series
                and self.series_bytes + series.size() <= self.max_series * MEAN_SERIES_BYTES)

    def _evict(self) -> bool:
        """Removes the series of which nothing waits. Returns whether there were any. It looks at all series, so when the last
        time few were idle, it waits a little before it looks again."""
        now = time.monotonic()
        if now < self.evict_after:
            return False
        idle = [(key, s) for key, s in list(self.series.items()) if s.is_idle()]
        self.evict_after = now + EVICT_SECONDS if len(idle) * 8 < len(self.series) else 0.0
        for key, series in idle:
            self.series.pop(key, None)
            if series.is_counted:
                series.is_counted = False
                self.n_series -= 1
                self.series_bytes -= series.size()
        for reference in list(self.handles.values()):
            handle = reference()
            if handle is not None:
                handle.empty()
        return bool(idle)

    def _drop_pending(self, chunks: int, sums: int) -> None:
        for _ in range(min(chunks, len(self.chunks))):
            self._drop_chunk(CHUNK_VALUES)
        for _ in range(min(sums, len(self.sums))):
            self._drop_sum()

    def _make_room(self, limit: int) -> None:
        while self.bytes > limit:
            if self.chunks:
                self._drop_chunk((self.bytes - limit) // 8 + 64)
            elif self.sums:
                self._drop_sum()
            else:
                break

    def _drop_chunk(self, n: int) -> None:
        chunk = self.chunks[0]
        n = min(n, len(chunk.values))
        chunk.drop(n)
        self.lost += n
        self.bytes -= 8 * n
        if not chunk.values:
            self.chunks.popleft()
            self._close(chunk)
            self.bytes -= PENDING_BYTES

    def _drop_sum(self) -> None:
        dropped = self.sums.popleft()
        self._close(dropped)
        self.lost += dropped.calls
        self.bytes -= PENDING_BYTES

    @staticmethod
    def _close(pending: Any) -> None:
        """Nothing is merged into it any more."""
        if isinstance(pending, Sum) and pending.series.sum is pending:
            pending.series.sum = None
        elif isinstance(pending, Chunk) and pending.series.chunk is pending:
            pending.series.chunk = None

    # ---- What the client does, with the lock held

    def take(self) -> Iterator[Any]:
        """What waits, piece by piece, gauges first. The caller owns a piece: it ends in settle() or give_back()."""
        while self.gauges:
            series = next(iter(self.gauges))
            del self.gauges[series]
            line = Gauged(series)
            series.dirty, series.calls = False, 0
            yield line
        all_waiting: Tuple[Deque[Any], ...] = (self.sums, self.chunks)
        for waiting in all_waiting:
            while waiting:
                pending = waiting.popleft()
                self._close(pending)
                yield pending
        self.wire = 0

    def give_back(self, pending: Any) -> None:
        """It was not sent, or not dealt with. Of several the last goes first."""
        if isinstance(pending, Gauged):
            self._give_back_gauge(pending)
        elif isinstance(pending, Sum):
            self.sums.appendleft(pending)
        elif isinstance(pending, Chunk):
            self.chunks.appendleft(pending)

    def _give_back_gauge(self, line: Gauged) -> None:
        series = line.series
        if not series.is_known:  # forgotten meanwhile
            self.applied += line.calls
            return
        self._soil(series)
        series.seq = min(series.seq, line.seq)
        series.calls += line.calls

    def settle(self, pending: Any, result: str) -> None:
        """The calls of the piece were "applied", "refused" or "lost"."""
        setattr(self, result, getattr(self, result) + pending.calls)
        self.bytes -= pending.size()

    def split(self, pending: Any, n: int) -> List[Any]:
        """Up to n happenings of the piece as pieces of their own; the rest goes back to the front."""
        pieces: List[Any] = []
        if isinstance(pending, Chunk):
            for value in pending.values[:n]:
                piece: Any = Chunk(pending.series, pending.seq)
                piece.values.append(value)
                if pending.exemplar_index == len(pieces):
                    piece.exemplar, piece.exemplar_index = pending.exemplar, 0
                pieces.append(piece)
            pending.drop(len(pieces))
            self.bytes += PENDING_BYTES * len(pieces)
        else:
            for _ in range(min(n, pending.amount)):
                piece = Sum(pending.series, pending.seq)
                piece.amount = 1
                pieces.append(piece)
            pieces[-1].exemplar, pending.exemplar = pending.exemplar, None
            pending.amount -= len(pieces)
            pending.calls -= len(pieces)
            self.bytes += PENDING_BYTES * len(pieces)
        for piece in pieces:
            piece.calls = 1
        if pending.calls > 0:
            self.give_back(pending)
        else:
            self.bytes -= PENDING_BYTES
        return pieces

    def split_at_exemplar(self, chunk: Chunk) -> None:
        """An exemplar belongs to the last value: what comes after it goes back to the front."""
        after = chunk.values[chunk.exemplar_index + 1:]
        if after:
            rest = Chunk(chunk.series, chunk.seq)
            rest.values, rest.calls = after, len(after)
            del chunk.values[chunk.exemplar_index + 1:]
            chunk.calls -= len(after)
            self.bytes += PENDING_BYTES
            self.give_back(rest)

    def lose(self, pending: Any) -> None:
        """Nobody knows whether it counted. The newest value of a gauge is sent again."""
        if isinstance(pending, Gauged):
            self._give_back_gauge(pending)
        else:
            self.settle(pending, "lost")

    def refresh(self, labels: Labels = None) -> None:
        """Sends the value of every gauge that was set once more, or of those with these labels."""
        for series in list(self.series.values()):
            if series.is_known and (labels or {}).items() <= dict(series.labels).items():
                self._soil(series)

    def is_empty(self, seq: Optional[int] = None) -> bool:
        """Whether nothing waits that began to wait at or before `seq`."""
        if seq is None:
            return not (self.gauges or self.sums or self.chunks or self.forgets)
        return ((not self.sums or self.sums[0].seq > seq) and (not self.chunks or self.chunks[0].seq > seq)
                and all(s.seq > seq for s in self.gauges) and not self.forgets)

    def abandon(self) -> None:
        """Loses all that waits."""
        for pending in self.take():
            self.settle(pending, "lost")
        self.forgets.clear()

    def waiting(self) -> int:
        return self.sent - self.applied - self.refused - self.lost

    # ---- A child process

    def after_fork(self) -> None:
        """What waited is the parent's to send. Gauges keep their values, but are the parent's too, unless it has no client:
        then each child's client sends them."""
        self.queue = collections.deque(entry for entry in list(self.queue) if entry[2] in GAUGE_CALLS)
        self.merge()
        for series in list(self.series.values()):
            series.sum = series.chunk = None
            series.dirty, series.calls = False, 0
            series.is_known = series.is_known and self.client is None
        self.notices.clear()
        self._reset()
        self.refresh()

    # ---- For calls that take their time

    def hold(self, seconds: float = 1.0) -> bool:
        """Takes the lock, which is held for milliseconds; False where this very thread was interrupted holding it."""
        return self.lock.acquire(True, seconds)


MERGE: Dict[str, Callable[[Store, Series, Any, Any], None]] = {
    COUNTER: Store._merge_counter,  # pylint: disable=protected-access
    GAUGE: Store._merge_gauge,
    INFO: Store._merge_gauge,
    HISTOGRAM: Store._merge_observation,
    EVENT: Store._merge_observation,
}
