# SPDX-License-Identifier: Apache-2.0
"""Stands between clients and the daemon, and cuts all connections now and then, in the middle of whatever is sent."""
import socket
import threading


class Cutter:
    def __init__(self, path, to):
        self.path, self.to = path, to
        self.lock = threading.Lock()
        self.pairs = []
        self.cuts = 0  # of connections
        self.ended = threading.Event()
        self.listener = socket.socket(socket.AF_UNIX)

    def __enter__(self):
        self.listener.bind(self.path)
        self.listener.listen(8)
        threading.Thread(target=self.accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.cut()

    def accept(self):
        while not self.ended.is_set():
            try:
                pair = self.listener.accept()[0], socket.socket(socket.AF_UNIX)
                pair[1].connect(self.to)
            except OSError:
                return
            with self.lock:
                self.pairs.append(pair)
            for a, b in pair, pair[::-1]:
                threading.Thread(target=self.copy, args=(a, b), daemon=True).start()

    @staticmethod
    def copy(a, b):
        try:
            # Pieces of an odd size, so that cuts fall inside of lines.
            while data := a.recv(777):
                b.sendall(data)
        except OSError:
            pass
        Cutter.end(a, b)

    @staticmethod
    def end(*sockets):
        for s in sockets:
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def cut(self):
        with self.lock:
            pairs, self.pairs = self.pairs, []
        self.cuts += len(pairs)
        for pair in pairs:
            self.end(*pair)
