"""Stands on the wire between a process and PostgreSQL, and tells of every statement the process has made.

A statement ends with a message to the client: the server is ready for the next one. What a killed client
leaves changes only where a transaction that wrote has ended; inside of one, the server takes everything back.
"""

from __future__ import annotations

import socket
import struct
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

SSL_REQUEST, GSS_REQUEST = 80877103, 80877104
WRITES = (b"INSERT", b"UPDATE", b"DELETE", b"COPY", b"CREATE", b"ALTER", b"DROP", b"TRUNCATE")


@dataclass(frozen=True)
class Boundary:
    """The end of a statement, the client's ``number``-th.

    A transaction is still open behind it, or the one that ended with it wrote, or nothing has changed.
    """

    number: int
    is_open: bool
    has_written: bool


class Wire:
    """A listening port on this machine that passes everything on to a server.

    ``watch`` is called at the end of every statement, before the client learns of it, with its number since
    `watched_by` was called last. Other connections wait meanwhile.
    """

    def __init__(self, host: str, port: int) -> None:
        self._server = (host, port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._lock = threading.Lock()
        self.port: int = self._listener.getsockname()[1]
        self._statements = 0
        self._watch: Callable[[Boundary], None] = lambda _: None
        threading.Thread(target=self._listen, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def watched_by(self, watch: Callable[[Boundary], None]) -> None:
        """Count anew, and tell of every statement."""
        with self._lock:
            self._statements, self._watch = 0, watch

    def _listen(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with suppress(OSError, EOFError), client, socket.create_connection(self._server) as server:
            for side in (client, server):  # or every small message waits for the other side's silence
                side.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            start = self._start_of(client)
            server.sendall(start)
            back = threading.Thread(target=self._answers, args=(server, client), daemon=True)
            back.start()
            try:
                while block := client.recv(1 << 16):
                    server.sendall(block)
            finally:  # closing alone would not end the session while the other thread reads from it
                server.shutdown(socket.SHUT_RDWR)
                back.join()

    @staticmethod
    def _start_of(client: socket.socket) -> bytes:
        """The client's first message; encryption is declined, so that the rest can be read."""
        while True:
            head = _exactly(client, 8)
            length, code = struct.unpack("!II", head)
            if code not in (SSL_REQUEST, GSS_REQUEST):
                return head + _exactly(client, length - 8)
            client.sendall(b"N")

    def _answers(self, server: socket.socket, client: socket.socket) -> None:
        is_logged_in = has_written = False
        try:
            for kind, message in _messages(server):
                if kind == b"C":
                    tag = message[5:-1]
                    has_written |= tag.startswith(WRITES) and not tag.endswith(b" 0")
                elif kind == b"Z" and not is_logged_in:
                    is_logged_in = True
                elif kind == b"Z":
                    is_open = message[5:6] != b"I"
                    self._tell(is_open, has_written and not is_open)
                    has_written &= is_open
                client.sendall(message)
        except (OSError, EOFError):
            pass
        finally:
            with suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)

    def _tell(self, is_open: bool, has_written: bool) -> None:
        with self._lock:
            self._statements += 1
            self._watch(Boundary(self._statements, is_open, has_written))


@contextmanager
def wire(host: str, port: int) -> Iterator[Wire]:
    """A wire to a server for the time of a block."""
    made, before = Wire(host, port), sys.getswitchinterval()
    sys.setswitchinterval(1e-4)  # every message waits for this process's other threads, twice
    try:
        yield made
    finally:
        sys.setswitchinterval(before)
        made.close()


def _messages(stream: socket.socket) -> Iterator[tuple[bytes, bytes]]:
    """The server's messages: their kind, and all their bytes."""
    pending = bytearray()
    while block := stream.recv(1 << 16):
        pending += block
        begin = 0
        while len(pending) - begin >= 5:
            end = begin + 1 + struct.unpack_from("!I", pending, begin + 1)[0]
            if len(pending) < end:
                break
            yield bytes(pending[begin : begin + 1]), bytes(pending[begin:end])
            begin = end
        del pending[:begin]


def _exactly(stream: socket.socket, count: int) -> bytes:
    found = b""
    while len(found) < count:
        block = stream.recv(count - len(found))
        if not block:
            raise EOFError
        found += block
    return found
