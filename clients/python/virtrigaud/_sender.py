# SPDX-License-Identifier: Apache-2.0
"""The thread of a client: connects, says hello, sends what waits and settles it by what the daemon answers.

Lines are sent batch by batch, a sync after each, in a session: whatever breaks, the daemon's answer to the next hello tells how
many lines of the session it has dealt with, and those that it has not go back to where they waited. So each counts once.

What was added up goes as `count` and `values`, which an older daemon refuses as `unknown_field`. Such a daemon refuses a hello
with newer keys too: it is sent again without them, and no line with `count` or `values` follows. To be sure, the first such line
on each connection stands for one call and is the last one of its batch, and nothing is sent before its result. When it is refused,
all go one by one. When the connection breaks before a result is read, and the daemon has dealt with the line, the line is not sent
again, and its calls are `unknown`: the next daemon may be another one, and shows nothing of what this one did."""
import collections
import errno
import grp
import json
import math
import os
import random
import secrets
import select
import socket
import stat
import threading
import time
from typing import Any, Callable, Deque, Dict, List, Optional, Tuple

from . import _text
from ._store import COUNTER, Chunk, Gauged, Store

BATCH_LINES = 200  # so that the refusals of a whole batch find room with the daemon
BATCH_BYTES = 65536
ANSWER_SECONDS = 30.0
RETRY_FIRST, RETRY_LAST = 0.05, 0.9
GIVE_UP_SECONDS = 0.3  # at the end of the program, without a daemon
REFUSED_RETRY = 5.0  # after a refused hello
PATH_BYTES = 107
CHECKPOINTS = 4096
LOG_BURST, LOG_SECONDS = 5, 10.0  # of one kind


class Renew(Exception):
    """The daemon does not know the session, or counts otherwise than we do: another session begins."""


class Again(Exception):
    """The hello is said in another way."""


class Refused(Exception):
    """The hello was refused."""


class Ended(Exception):
    """The client was closed, and its time is over."""


class Line:
    """A line under way and what it carries."""

    __slots__ = ("text", "pending", "is_merged", "number")

    def __init__(self, text: bytes, pending: Any, is_merged: bool) -> None:
        self.text, self.pending, self.is_merged = text, pending, is_merged
        self.number = 0  # in the connection


def number_text(value: Any) -> bytes:
    return repr(value).encode()


def line_of(pending: Any, probes: bool = False) -> Line:
    """How a piece is spelled: with `count` or `values` if it is of several calls, or probes whether the daemon knows them.
    `value` comes last, so that the daemon knows the rest again."""
    head = pending.series.head
    if isinstance(pending, Gauged):
        return Line(b'%b,"op":"set","value":%b}\n' % (head, number_text(pending.value)), pending, False)
    if pending.exemplar is not None:
        head += b',"exemplar":' + pending.exemplar
    if isinstance(pending, Chunk):
        if len(pending.values) == 1 and not probes:
            return Line(b'%b,"value":%b}\n' % (head, number_text(pending.values[0])), pending, False)
        values = ",".join(map(repr, pending.values)).encode()
        return Line(b'%b,"values":[%b]}\n' % (head, values), pending, True)
    if pending.series.kind == COUNTER:
        return Line(b'%b,"value":%b}\n' % (head, number_text(pending.amount)), pending, False)
    if pending.amount == 1 and not probes:
        return Line(head + b"}\n", pending, False)
    return Line(b'%b,"count":%d}\n' % (head, pending.amount), pending, True)


def why_not(path: str, error: OSError) -> str:
    """What to do about a connection that fails."""
    if len(os.fsencode(path)) > PATH_BYTES:
        return f"the socket's path has {len(os.fsencode(path))} bytes, {PATH_BYTES} are possible"
    if error.errno == errno.ENOENT:
        return "no socket there: the daemon does not run, or has another path"
    if error.errno == errno.ECONNREFUSED:
        return "nobody listens: the daemon does not run"
    if error.errno == errno.EPROTOTYPE:
        return "it is a datagram socket, which takes single lines only"
    if error.errno in (errno.EACCES, errno.EPERM):
        try:
            found = os.stat(path)
        except OSError:
            return "permission denied: the socket's folder cannot be entered"
        try:
            group = grp.getgrgid(found.st_gid).gr_name
        except KeyError:
            group = str(found.st_gid)
        return f"permission denied: the socket's group is {group}, its mode {stat.S_IMODE(found.st_mode):04o}"
    return (error.strerror or str(error)).lower()


class Throttle:
    """Lets a few texts of a kind through in a while, and counts the others."""

    def __init__(self) -> None:
        self.seen: Dict[str, List[float]] = {}  # kind -> [begin, let through, held back]

    def admit(self, kind: str) -> Tuple[bool, int]:
        """Whether this one is logged, and how many were not since the last that was."""
        now = time.monotonic()
        state = self.seen.setdefault(kind, [now, 0, 0])
        if now - state[0] >= LOG_SECONDS:
            state[0], state[1] = now, 0
        if state[1] >= LOG_BURST:
            state[2] += 1
            return False, 0
        state[1] += 1
        held, state[2] = state[2], 0
        return True, int(held)


class Sender:
    def __init__(self, metrics: Store, path: str, hello: Dict[str, Any], newer_keys: Dict[str, Any],
                 seconds: float, tell: Callable[[str, str], None]) -> None:
        self.metrics, self.path, self.hello, self.seconds, self._tell = metrics, path, hello, seconds, tell
        self.newer_keys = newer_keys  # of the hello, which an older daemon does not know
        self.change = threading.Condition()  # notified when something is settled
        self.is_connected = False
        self.connections = 0
        self.error = ""  # why there is no connection
        self.stop_at: Optional[float] = None  # when closed: the last moment
        self.give_up_at = math.inf  # the same, while it cannot connect
        self._wakers: Optional[Tuple[socket.socket, socket.socket]] = None
        self._is_woken = False
        self._is_flushing = False  # somebody waits for it
        self._socket: Optional[socket.socket] = None
        self._poll = select.poll()
        self._throttle = Throttle()

        # The session.
        self._session, self._is_fresh = secrets.token_hex(16), True
        self._is_unheard = False  # the answer to the session's last hello was not read
        self._position = 0  # lines of the session that are settled
        self._window: Deque[Line] = collections.deque()  # sent, not settled
        self._told = 0  # of `lost`, what was acknowledged
        self._told_before = 0  # of that, in former sessions
        self._dealt = 0  # calls of settled lines
        self._checkpoints: Deque[Tuple[int, int]] = collections.deque([(0, 0)])  # position, calls

        # The connection.
        self._knows_keys = True  # False after a hello with newer_keys was refused
        self._can_merge: Optional[bool] = None  # None: to be seen
        self._input = b""
        self._numbered = 0  # lines sent
        self._applied = self._rejected = 0
        self._refusals: Dict[int, Tuple[str, str]] = {}  # of the window, by number: reason, detail
        self._syncs = 0
        self._last_sent = 0.0
        self._reported = 0  # of `lost`, what was told
        self.thread = threading.Thread(target=self._run, name="virtrigaud", daemon=True)

    # ---- For other threads

    def wake(self) -> None:
        """Async-signal-safe as far as Python goes: takes no lock."""
        if self._is_woken:
            return
        self._is_woken = True
        wakers = self._wakers
        if wakers is not None:
            try:
                wakers[1].send(b"\0")
            except OSError:
                pass

    def flush(self) -> None:
        self._is_flushing = True
        self.wake()

    def has_settled(self, seq: int) -> bool:
        """Whether all is settled that began to wait at or before that; with the metrics' lock held."""
        return self.metrics.is_empty(seq) and all(line.pending.seq > seq for line in self._window)

    def abandon(self) -> None:
        """After the end: loses what is under way, and what waits."""
        with self.metrics.lock:
            for line in self._window:
                self.metrics.settle(line.pending, "lost")
            self._window.clear()
            self.metrics.abandon()

    def stop(self, seconds: float, gives_up: bool = False) -> None:
        now = time.monotonic()
        if gives_up:
            self.give_up_at = now + min(GIVE_UP_SECONDS, seconds)
        self.stop_at = now + max(0.0, seconds)
        self.wake()

    def drop_descriptors(self) -> None:
        """In a child process: closes what belongs to the parent, who goes on with it."""
        for s in (self._socket, *(self._wakers or ())):
            if s is not None:
                try:
                    s.close()
                except OSError:
                    pass
        self._socket = self._wakers = None

    # ---- The thread

    def _run(self) -> None:
        retry, quick = RETRY_FIRST, 0
        while True:
            try:
                self._converse()
                break
            except Ended:
                break
            except (Renew, Again):
                quick = 1 if self.is_connected else quick + 1
                retry = 0.0 if quick < 4 else RETRY_LAST
            except Refused as refusal:
                self._say("refused", f"the hello is refused: {refusal}")
                retry = REFUSED_RETRY
            except OSError as error:
                self._tell_break(error)
            except Exception as error:  # pylint: disable=broad-except
                self._say("error", f"the client has a fault: {type(error).__name__}: {error}")
                retry = RETRY_LAST
            if self.is_connected:
                retry = min(retry, RETRY_FIRST)
            try:
                self._disconnect()
                if not self._back_off(retry):
                    break
            except Exception:  # pylint: disable=broad-except
                time.sleep(RETRY_LAST)  # no memory, for all that we know
                if self.stop_at is not None:
                    break
            retry = min(max(2 * retry, RETRY_FIRST), RETRY_LAST)
        self._end()

    def _back_off(self, seconds: float) -> bool:
        """Returns whether to try once more."""
        end = time.monotonic() + seconds * random.uniform(0.8, 1.1)
        while True:
            with self.metrics.lock:
                self.metrics.merge()
            self._pass_notices()
            if self.stop_at is not None:
                is_done = self.metrics.is_empty() and not self._window
                stop_at = min(self.stop_at, self.give_up_at) if self.error else self.stop_at
                if is_done or time.monotonic() >= stop_at:
                    return False
                end = min(end, time.monotonic() + RETRY_FIRST)
            left = end - time.monotonic()
            if left <= 0:
                return True
            self._wait(min(left, self.seconds))

    def _end(self) -> None:
        self._disconnect()
        with self.metrics.lock:
            self.metrics.merge()
        self._pass_notices()
        wakers, self._wakers = self._wakers, None
        for s in wakers or ():
            s.close()
        with self.change:
            self.change.notify_all()

    def _disconnect(self) -> None:
        self.is_connected = False
        self._input = b""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _converse(self) -> None:
        """One connection, from its beginning to the end of the client."""
        self._connect()
        self._greet()
        self._announce()
        while True:
            with self.metrics.lock:
                self.metrics.merge()
                has_more = self._collect()
                lost = self.metrics.lost
            self._pass_notices()
            if self._window or lost > self._told:
                self._send_batch(lost)
            elif not has_more and self.metrics.forgets:
                self._forget()
            with self.change:
                self.change.notify_all()
            if has_more:
                continue
            if self.stop_at is not None and self._is_done():
                return
            if not self.metrics.forgets:
                self._rest()

    def _is_done(self) -> bool:
        with self.metrics.lock:
            self.metrics.merge()
            return self.metrics.is_empty() and self.metrics.lost == self._told

    # ---- The connection

    def _connect(self) -> None:
        self._make_wakers()
        if len(os.fsencode(self.path)) > PATH_BYTES:
            raise OSError(errno.ENAMETOOLONG, "path too long")
        s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket = s
        s.setblocking(False)
        s.connect(self.path)
        self._poll = select.poll()
        self._poll.register(s, select.POLLIN)
        if self._wakers is not None:
            self._poll.register(self._wakers[0], select.POLLIN)
        self._numbered = self._applied = self._rejected = 0
        self._can_merge = None if self._knows_keys else False

    def _make_wakers(self) -> None:
        if self._wakers is None:
            try:
                wakers = socket.socketpair()
            except OSError:
                return  # later; until then it wakes by itself
            for s in wakers:
                s.setblocking(False)
            self._wakers = wakers
            self._is_woken = False

    def _drain_wakers(self) -> None:
        try:
            while self._wakers is not None and self._wakers[0].recv(4096):
                pass
        except OSError:
            pass
        self._is_woken = False

    def _wait(self, seconds: float) -> None:
        """Until something is to be read, or a call wakes us, or the time is over."""
        if self._wakers is None:
            seconds = min(seconds, RETRY_FIRST)
        if self.stop_at is not None:
            seconds = min(seconds, max(0.0, self.stop_at - time.monotonic()))
        if self._socket is None:
            waiter = select.poll()
            if self._wakers is not None:
                waiter.register(self._wakers[0], select.POLLIN)
        else:
            waiter = self._poll
        waiter.poll(max(1, int(seconds * 1000)))
        if self._is_woken:
            self._drain_wakers()

    def _read(self) -> List[Dict[str, Any]]:
        """The replies that have come. Raises OSError at the end of the connection."""
        assert self._socket is not None
        try:
            data = self._socket.recv(65536)
        except BlockingIOError:
            return []
        if not data:
            raise ConnectionResetError(errno.ECONNRESET, "the daemon has closed the connection")
        lines = (self._input + data).split(b"\n")
        self._input = lines.pop()
        replies = []
        for line in lines:
            try:
                reply = json.loads(line)
            except ValueError:
                continue
            if isinstance(reply, dict):
                replies.append(reply)
                if "error" in reply and isinstance(reply.get("line"), int):
                    self._refusals[reply["line"]] = str(reply["error"]), str(reply.get("detail", ""))
        return replies

    def _check_time(self, end: float) -> None:
        now = time.monotonic()
        if self.stop_at is not None and now >= self.stop_at:
            raise Ended
        if now >= end:
            raise TimeoutError(errno.ETIMEDOUT, f"no answer within {ANSWER_SECONDS:.0f} s")

    def _ask(self, data: bytes, kind: str) -> Dict[str, Any]:
        """Sends, and waits for the reply of this kind. For a hello a refusal is one too."""
        assert self._socket is not None
        end = time.monotonic() + ANSWER_SECONDS
        self._numbered += data.count(b"\n")
        self._last_sent = time.monotonic()
        left = memoryview(data)
        while True:
            if left:
                try:
                    left = left[self._socket.send(left):]
                except BlockingIOError:
                    pass
            self._poll.modify(self._socket, select.POLLIN | (select.POLLOUT if left else 0))
            for reply in self._read():
                if kind in reply or (kind in ("hello", "forget") and "error" in reply):
                    self._poll.modify(self._socket, select.POLLIN)
                    return reply
            self._check_time(end)
            self._wait(min(1.0, max(0.0, end - time.monotonic())))

    # ---- Hello and session

    def _greet(self) -> None:
        metrics = self.metrics
        hello = dict(self.hello, session=self._session)
        if self._knows_keys:
            hello.update(self.newer_keys)
        is_unheard, self._is_unheard = self._is_unheard, not self._is_fresh
        answer = self._ask(json.dumps({"hello": hello}).encode() + b"\n", "hello")
        if "error" in answer:
            self._refused_hello(answer)
        at, is_known = int(answer["hello"]["applied"]), bool(answer["hello"]["known"])
        passed, sent = at - self._position, len(self._window)
        if not is_known and not self._is_fresh:
            if 0 < at <= self._position + sent:
                self._roll_back(passed)
                raise self._renewed()
            if self._position or sent:
                raise self._renewed()
        if (is_unheard and sent and at == 0) or not 0 <= passed <= sent:
            raise self._renewed()
        self._is_fresh = self._is_unheard = False
        with metrics.lock:
            self._settle_passed(passed)
            while self._window:
                metrics.give_back(self._window.pop().pending)
            self._refusals.clear()
            metrics.refresh()

    def _refused_hello(self, answer: Dict[str, Any]) -> None:
        self._is_unheard = False
        if answer["error"] == "bad_control" and self._knows_keys and self.newer_keys:
            self._knows_keys = False
            raise Again
        self._knows_keys = True  # it was not for those keys
        raise Refused(f"{answer['error']}: {answer.get('detail', '')}")

    def _settle_passed(self, n: int) -> None:
        """The first n lines of the window were dealt with; which of them were refused is known as far as it was read."""
        for _ in range(n):
            line = self._window.popleft()
            refusal = self._refusals.get(line.number)
            if refusal is None:
                self.metrics.unknown += line.pending.calls
            self._settle_or_give_back(line, refusal)
            self._position += 1
        self._checkpoint()

    def _checkpoint(self) -> None:
        if self._position != self._checkpoints[-1][0]:
            self._checkpoints.append((self._position, self._dealt))
        if len(self._checkpoints) > CHECKPOINTS:  # of the older half every other one goes
            kept = list(self._checkpoints)
            self._checkpoints = collections.deque(kept[:CHECKPOINTS // 2:2] + kept[CHECKPOINTS // 2:])

    def _roll_back(self, passed: int) -> None:
        """What was acknowledged behind the position is lost. The session is told the sum of what is, since what it was told
        may have been rolled back, too; when that breaks off, the next hello is answered in the same way."""
        metrics = self.metrics
        with metrics.lock:
            self._settle_passed(max(passed, 0))
            if passed < 0:
                self._position += passed
                gone = self._dealt - self._dealt_at(self._position)
                self._dealt -= gone
                metrics.lost += gone
                metrics.applied -= gone  # which of them were refused nobody knows any more
                while self._checkpoints[-1][0] > self._position:
                    self._checkpoints.pop()
                self._checkpoint()
            self._lose_window()
            lost = metrics.lost
        self._ask(b'{"hello":{"lost":%d}}\n' % (lost - self._told_before), "hello")
        self._told = lost

    def _dealt_at(self, position: int) -> int:
        """Calls of the session's lines up to a position; between two checkpoints as if all lines were alike."""
        before = (0, 0)
        for after in self._checkpoints:
            if after[0] >= position:
                lines, calls = after[0] - before[0], after[1] - before[1]
                return before[1] + (calls * (position - before[0]) // lines if lines else calls)
            before = after
        return self._dealt

    def _lose_window(self) -> None:
        """What was sent and not acknowledged may have been counted or not: it is not sent again."""
        for line in self._window:
            self.metrics.lose(line.pending)
        self._window.clear()

    def _renewed(self) -> Renew:
        with self.metrics.lock:
            self._lose_window()
        self._session, self._is_fresh, self._is_unheard = secrets.token_hex(16), True, False
        self._refusals.clear()
        self._position = self._dealt = 0
        self._checkpoints = collections.deque([(0, 0)])
        self._told_before = self._told
        return Renew()

    # ---- Lines

    def _collect(self) -> bool:
        """Fills the window with what waits. Returns whether more does."""
        metrics, size = self.metrics, 0
        if self._window:
            return True
        for pending in metrics.take():
            if isinstance(pending, Chunk) and pending.exemplar is not None:
                metrics.split_at_exemplar(pending)
            line = line_of(pending)
            lines, probes = [line], line.is_merged and self._can_merge is None
            if probes:
                lines = [line_of(piece, probes) for piece in metrics.split(pending, 1)]
            elif line.is_merged and self._can_merge is False:
                lines = [line_of(piece) for piece in metrics.split(pending, BATCH_LINES - len(self._window))]
            self._window.extend(lines)
            size += sum(len(each.text) for each in lines)
            if len(self._window) >= BATCH_LINES or size >= BATCH_BYTES or probes:
                break
        return not metrics.is_empty() and bool(metrics.sums or metrics.chunks or metrics.gauges)

    def _send_batch(self, lost: int) -> None:
        """One batch, and what became of it."""
        for i, line in enumerate(self._window):
            line.number = self._numbered + i + 1
        data = b"".join(line.text for line in self._window)
        if lost > self._told:
            data += b'{"hello":{"lost":%d}}\n' % (lost - self._told_before)
        self._syncs += 1
        reply = self._ask(data + b'{"sync":%d}\n' % self._syncs, "sync")
        applied, rejected = reply["applied"] - self._applied, reply["rejected"] - self._rejected
        if reply["sync"] != self._syncs or not 0 <= applied <= len(self._window) <= applied + rejected:
            raise self._renewed()
        self._applied, self._rejected = reply["applied"], reply["rejected"]
        with self.metrics.lock:
            self._settle_window(applied)
            self._told = max(self._told, lost)
        self._refusals.clear()

    def _settle_window(self, applied: int) -> None:
        unread = len(self._window) - applied - sum(line.number in self._refusals for line in self._window)
        self._position += len(self._window)
        while self._window:
            line = self._window.popleft()
            refusal = self._refusals.get(line.number)
            if refusal is None and unread > 0 and not line.is_merged:
                refusal, unread = ("refused", "the daemon's reply found no room"), unread - 1
            is_settled = self._settle_or_give_back(line, refusal)
            if line.is_merged and self._can_merge is None:
                self._can_merge = is_settled
        self._checkpoint()

    def _settle_or_give_back(self, line: Line, refusal: Optional[Tuple[str, str]]) -> bool:
        """A line that was refused for `count` or `values` is sent in another way. Returns whether it was settled."""
        if line.is_merged and refusal is not None and refusal[0] == "unknown_field":
            self.metrics.give_back(line.pending)
            return False
        self._settle_line(line, refusal)
        return True

    def _settle_line(self, line: Line, refusal: Optional[Tuple[str, str]]) -> None:
        self._dealt += line.pending.calls
        self.metrics.settle(line.pending, "applied" if refusal is None else "refused")
        if refusal is not None:
            shown = line.text[:-1].decode("utf-8", "replace")
            shown = shown if len(shown) <= 300 else shown[:300] + "…"
            self.metrics.notice("refused", f"refused: {refusal[0]}: {refusal[1]}: {shown}")

    def _forget(self) -> None:
        """No line is under way that an error could be about."""
        metrics, labels = self.metrics, self.metrics.forgets[0]
        answer = self._ask(b"%b\n" % json.dumps({"forget": {"labels": labels}}).encode(), "forget")
        if "error" in answer:
            self._rejected += 1
            self._say("refused", f"refused: {answer['error']}: {answer.get('detail', '')}: forget {_text.shown('', labels)}")
        with metrics.lock:
            metrics.forgets.popleft()
            metrics.refresh(labels)

    def _rest(self) -> None:
        """Between two batches: until the time is over, or a call wakes us, or the connection breaks."""
        end = time.monotonic() + self.seconds
        interval = self.newer_keys.get("interval") if self._knows_keys else None
        if interval and time.monotonic() - self._last_sent > min(interval / 2, ANSWER_SECONDS):
            self._syncs += 1
            self._ask(b'{"ping":%d}\n' % self._syncs, "ping")
        while time.monotonic() < end and self.stop_at is None:
            self._wait(end - time.monotonic())
            self._read()
            if self.metrics.wire >= BATCH_BYTES or self._is_flushing:
                self._is_flushing = False
                return

    # ---- What is logged

    def _announce(self) -> None:
        self.connections += 1
        self.is_connected = True
        self.error = ""
        with self.metrics.lock:
            self.metrics.merge()
            lost = self.metrics.lost
        news, self._reported = lost - self._reported, lost
        self._throttle.seen.pop("connect", None)
        if self.connections > 1:
            self._say("connected", f"connected again, {news} lost")
        else:
            self._say("connected", f"connected to {self.path}" + (f", {news} lost before" if news else ""))

    def _tell_break(self, error: OSError) -> None:
        self._knows_keys = True  # what comes back may be newer
        if self.is_connected:
            return
        why = why_not(self.path, error)
        if why != self.error:
            self.error = why
            self._say("connect", f"cannot connect to {self.path}: {why}")

    def _pass_notices(self) -> None:
        while self.metrics.notices:
            try:
                kind, text = self.metrics.notices.popleft()
            except IndexError:
                return
            self._say(kind, text)

    def _say(self, kind: str, text: str) -> None:
        is_told, held = self._throttle.admit(kind)
        if is_told:
            text = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
            self._tell(kind, text + (f" (and {held} more before it)" if held else ""))
