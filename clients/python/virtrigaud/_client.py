# SPDX-License-Identifier: Apache-2.0
"""The client: who speaks, and how it begins and ends, over forks too."""
import asyncio
import atexit
import logging
import os
import sys
import threading
import time
import weakref
from typing import Any, Callable, Dict, List, NamedTuple, Optional

from . import _text
from ._handles import Metrics, default
from ._sender import Sender
from ._store import Entry, Store

SOCKET = "/run/virtrigaud-exporter/events.sock"
INTERVAL = 10
FLUSH_SECONDS = 0.5
EXIT_SECONDS = 2.0
LEVELS = {"connected": logging.INFO}  # others are warnings

Hook = Callable[[str, str], None]


class Stats(NamedTuple):
    """Calls, of these metrics, since they were made or this process was forked."""

    sent: int  # each of them is in one of the next four
    applied: int
    refused: int  # by the daemon
    lost: int
    waiting: int
    invalid: int  # not sent, since the value can be none
    is_connected: bool
    connections: int
    error: str  # why there is no connection
    unknown: int  # of applied: the connection broke before the daemon could say whether it had refused them


class Client:
    """Sends metrics to the daemon, from a thread of its own, until it is closed. Nothing here raises but for a TypeError when
    arguments are missing.

    component, instance   who speaks: "manager" or "provider", and which one
    labels                for all lines that leave them out, where their metric has them
    path                  of the socket; else $VIRTRIGAUD_EVENTS_SOCKET, else the usual one
    metrics               which ones; else `default`
    interval              seconds in which the daemon hears of us at least once, else the source counts as down; None for no promise
    transient             comes and goes, as a batch job does: no source that could be down
    max_bytes             what may wait takes at most so much memory; beyond it the oldest is lost
    max_series            so many series may there be; calls for others are lost
    logger                of the module logging; else "virtrigaud"
    hook                  is called as hook(kind, text) in the client's thread, for what is logged: kind is "connect",
                          "connected", "refused", "invalid", "lost" or "error"
    enabled               False: calls do nothing
    """

    def __init__(self, component: str, instance: Optional[str] = None, labels: Optional[Dict[str, Any]] = None, *,
                 path: Optional[str] = None, metrics: Optional[Metrics] = None, interval: Optional[int] = INTERVAL,
                 transient: bool = False, max_bytes: Optional[int] = None, max_series: Optional[int] = None,
                 logger: Optional[logging.Logger] = None, hook: Optional[Hook] = None, enabled: bool = True) -> None:
        self.metrics: Metrics = default if metrics is None else metrics
        self._path = str(path or os.environ.get("VIRTRIGAUD_EVENTS_SOCKET") or SOCKET)
        self._logger = logger or logging.getLogger("virtrigaud")
        self._hook = hook
        self._hello: Dict[str, Any] = {"component": str(component)}
        if instance is not None:
            self._hello["instance"] = str(instance)
        self._newer_keys: Dict[str, Any] = {}
        try:
            if labels:
                self._hello["labels"] = dict(_text.label_pairs(dict(labels)))
            if interval is not None:
                self._newer_keys["interval"] = max(1, min(3600, int(interval)))
        except Exception as error:  # pylint: disable=broad-except
            self._tell("error", f"labels or interval of the client are left out: {type(error).__name__}: {error}")
        if transient or interval is None:  # said in any case, so that an older daemon shows itself
            self._newer_keys["transient"] = bool(transient)
        self._sender: Optional[Sender] = None
        self._is_closed = False
        self._finalizer: Any = None
        self._lock = threading.Lock()
        if self.metrics.client is not None:
            self._tell("error", "these metrics have a client already: this one does nothing")
            self._is_closed = True
            return
        if max_bytes is not None:
            self.metrics.max_bytes = max(1, int(max_bytes))
        if max_series is not None:
            self.metrics.max_series = max(1, int(max_series))
        if not enabled:
            self._is_closed = True
            self.metrics.put = None
            return
        self.metrics.client = self
        self.metrics.put = self.metrics.enqueue
        ALL[id(self)] = weakref.ref(self, lambda _, key=id(self): ALL.pop(key, None))  # type: ignore[misc]
        self._start()

    def _start(self) -> None:
        """Begins to send, in this process."""
        with self._lock:
            if self._sender is not None or self._is_closed:
                return
            sender = Sender(self.metrics, self._path, self._hello, self._newer_keys, FLUSH_SECONDS, self._tell)
            try:
                sender.thread.start()
            except RuntimeError:  # no more threads, or the interpreter is about to end; a later call tries again
                return
            self._sender = sender
        self._finalize_with_multiprocessing()

    def _finalize_with_multiprocessing(self) -> None:
        """Its child processes end without atexit."""
        util = sys.modules.get("multiprocessing.util")
        if util is not None and self._finalizer is None:
            self._finalizer = util.Finalize(None, _close_at_exit, args=(weakref.ref(self),), exitpriority=100)

    def _tell(self, kind: str, text: str) -> None:
        try:
            self._logger.log(LEVELS.get(kind, logging.WARNING), "%s", text)
        except Exception:  # pylint: disable=broad-except
            pass
        if self._hook is not None:
            try:
                self._hook(kind, text)
            except Exception:  # pylint: disable=broad-except
                pass

    def wake(self) -> None:
        """Sends soon what waits."""
        sender = self._sender
        if sender is not None:
            sender.wake()
        elif not self._is_closed:
            self._start()

    def forget(self, labels: Optional[Dict[str, Any]] = None, /, **more: Any) -> None:
        """See Metrics.forget()."""
        self.metrics.forget(labels, **more)

    def stats(self) -> Stats:
        m = self.metrics
        is_held = m.hold()
        try:
            if is_held:
                m.merge()
            sender = self._sender
            return Stats(m.sent, m.applied, m.refused, m.lost, m.waiting(), m.invalid,
                         sender is not None and sender.is_connected, sender.connections if sender is not None else 0,
                         sender.error if sender is not None else "", m.unknown)
        finally:
            if is_held:
                m.lock.release()

    def flush(self, timeout: float = 2.0) -> bool:
        """Waits until what was called before is acknowledged. Returns whether it was in time."""
        m, end = self.metrics, time.monotonic() + timeout
        self.wake()
        sender = self._sender
        if sender is None or sender.thread is threading.current_thread():  # the latter in a hook
            return m.waiting() == 0
        with m.lock:
            m.merge()
            seq = m.seq
        while True:
            sender.flush()
            with m.lock:
                if sender.has_settled(seq):
                    return True
            left = end - time.monotonic()
            if left <= 0 or not sender.thread.is_alive():
                return False
            with sender.change:
                sender.change.wait(min(left, 0.02))

    def close(self, timeout: float = 2.0) -> Stats:
        """Sends what waits, for no longer than that, and ends. Later calls of handles do nothing, until another client is made."""
        self._close(timeout)
        return self.stats()

    def _close(self, timeout: float, gives_up: bool = False) -> None:
        with self._lock:
            if self._is_closed:
                return
            sender = self._sender
            if sender is not None and sender.thread is threading.current_thread():  # in a hook, which must not wait for itself
                threading.Thread(target=self._close, args=(timeout, gives_up), name="virtrigaud-wait", daemon=True).start()
                return
            self._is_closed = True
        if sender is not None:
            sender.stop(timeout, gives_up)
            sender.thread.join(max(0.0, timeout) + 1.0)
        self.metrics.put = None
        if sender is not None:
            with self.metrics.lock:
                self.metrics.merge()
            sender.abandon()
        self.metrics.client = None
        ALL.pop(id(self), None)
        if self._finalizer is not None:
            self._finalizer.cancel()

    async def aflush(self, timeout: float = 2.0) -> bool:
        """flush() for asyncio."""
        return bool(await _in_thread(lambda: self.flush(timeout)))

    async def aclose(self, timeout: float = 2.0) -> Stats:
        """close() for asyncio: the loop goes on meanwhile."""
        result: Stats = await _in_thread(lambda: self.close(timeout))
        return result

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    async def __aenter__(self) -> "Client":
        return self

    async def __aexit__(self, *_: Any) -> None:
        await self.aclose()

    # ---- In a child process

    def _after_fork(self) -> None:
        """The child has a connection and a session of its own, once it calls a handle: a child that only executes another
        program starts nothing."""
        sender, self._sender = self._sender, None
        self._lock = threading.Lock()
        self._finalizer = None
        if sender is not None:
            sender.drop_descriptors()
        if not self._is_closed:
            self.metrics.put = self._start_and_put

    def _start_and_put(self, entry: Entry) -> None:
        self.metrics.put = self.metrics.enqueue
        self._start()
        self.metrics.enqueue(entry)


ALL: Dict[int, Any] = {}  # weak references to clients that are not closed


def _clients() -> List[Client]:
    return [client for client in (reference() for reference in list(ALL.values())) if client is not None]


async def _in_thread(function: Callable[[], Any]) -> Any:
    loop = asyncio.get_running_loop()
    future = loop.create_future()

    def finish(result: Any, error: Optional[BaseException]) -> None:
        if not future.done():
            if error is None:
                future.set_result(result)
            else:
                future.set_exception(error)

    def run() -> None:
        result, failed = None, None
        try:
            result = function()
        except BaseException as error:  # pylint: disable=broad-except
            failed = error
        try:
            loop.call_soon_threadsafe(finish, result, failed)
        except RuntimeError:
            pass  # the loop has ended

    threading.Thread(target=run, name="virtrigaud-wait", daemon=True).start()
    return await future


def _close_at_exit(reference: Any) -> None:
    client = reference()
    if client is not None:
        client._close(EXIT_SECONDS, gives_up=True)  # pylint: disable=protected-access


def _at_exit() -> None:
    for client in _clients():
        client._close(EXIT_SECONDS, gives_up=True)  # pylint: disable=protected-access


def _before_fork() -> None:
    for client in _clients():
        client.metrics.is_held_for_fork = client.metrics.hold()


def _after_fork_in_parent() -> None:
    for client in _clients():
        if client.metrics.is_held_for_fork:
            client.metrics.is_held_for_fork = False
            client.metrics.lock.release()


def _after_fork_in_child() -> None:
    for store in Store.all():
        store.after_fork()
    for client in _clients():
        client._after_fork()  # pylint: disable=protected-access


atexit.register(_at_exit)
os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child)
