"""Stands on the wire between a process and PostgreSQL, and counts what the process has made last.

Every transaction that may have written ends with a message to the client: the server is idle again. Between
two of them a killed client leaves nothing, whichever statement it had come to, so these ends are the
boundaries at which a kill can make a difference.
"""

from __future__ import annotations

import socket
import struct
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

SSL_REQUEST, GSS_REQUEST = 80877103, 80877104
WRITES = (b"INSERT", b"UPDATE", b"DELETE", b"COPY", b"CREATE", b"ALTER", b"DROP", b"TRUNCATE", b"COMMIT")


class Wire:
    """A listening port on this machine that passes everything on to a server.

    ``written`` is how many transactions that wrote have ended since it was last set to 0. When it reaches
    ``stop_at``, ``stop`` is called, before the client learns that its transaction has ended.
    """

    def __init__(self, host: str, port: int) -> None:
        self._server = (host, port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._lock = threading.Lock()
        self.port: int = self._listener.getsockname()[1]
        self.written = 0
        self.stop_at = 0
        self.stop: Callable[[], None] = lambda: None
        threading.Thread(target=self._listen, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

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
        has_written = False
        with suppress(OSError, EOFError):
            for kind, message in _messages(server):
                if kind == b"C":
                    has_written |= message[5:].startswith(WRITES)
                elif kind == b"Z" and message[5:6] == b"I" and has_written:
                    has_written = False
                    self._count()
                client.sendall(message)
        with suppress(OSError):
            client.shutdown(socket.SHUT_RDWR)

    def _count(self) -> None:
        with self._lock:
            self.written += 1
            if self.written == self.stop_at:
                self.stop()


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
