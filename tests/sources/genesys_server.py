"""A server on loopback that answers like Genesys Cloud's API, with faults on demand."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

LOGIN, SECRET = "client-id-4711", "secret/with:all&sorts?of=signs"
PATHS = {
    "/api/v2/analytics/conversations/details/query": ("conversations", "conversationStart"),
    "/api/v2/analytics/users/details/query": ("userDetails", ""),
}


@dataclass
class GenesysServer:
    """``records`` by the list they are answered in; ``faults`` come one per query, by page, before it.

    A fault is a status (``429``: with ``retry_after``), ``expire`` (the token ends), ``cut`` (half a body,
    then the connection closes), ``garbage`` (200 with half a body, all of it) or an address to be sent to.
    """

    records: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    faults: dict[int, list[int | str]] = field(default_factory=dict)
    retry_after: str = "0"
    url: str = ""
    tokens: list[str] = field(default_factory=list)
    queries: list[tuple[int, int | str]] = field(default_factory=list)  # page, status or fault
    bodies: list[bytes] = field(default_factory=list)  # answered whole
    strangers: int = 0  # requests that a Genesys Cloud would not get

    def answer(self, path: str, query: dict[str, Any]) -> bytes:
        name, date_field = PATHS[path]
        found = self.records.get(name, [])
        start, end = query["interval"].split("/")
        if date_field:
            found = sorted((r for r in found if start <= r[date_field] < end), key=lambda r: r[date_field])
        size, number = query["paging"]["pageSize"], query["paging"]["pageNumber"]
        assert size <= 100
        page = found[(number - 1) * size : number * size]
        # As the API does: no list at all where there is nothing.
        content = {name: page, "totalHits": len(found)} if page else {"totalHits": len(found)}
        return json.dumps(content).encode()


def _handler(server: GenesysServer) -> type[BaseHTTPRequestHandler]:
    basic = "Basic " + base64.b64encode(f"{LOGIN}:{SECRET}".encode()).decode()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: Any) -> None:
            pass

        def do_GET(self) -> None:
            server.strangers += 1
            self.reply(404, b"{}")

        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers["Content-Length"]))
            if self.path == "/oauth/token":
                self.give_token(content)
            elif self.path in PATHS:
                self.answer_query(json.loads(content))
            else:
                server.strangers += 1
                self.reply(404, b"{}")

        def give_token(self, content: bytes) -> None:
            if self.headers["Authorization"] != basic or content != b"grant_type=client_credentials":
                self.reply(400, b'{"error":"invalid_client","description":"client not found"}')
                return
            server.tokens.append(f"token-{len(server.tokens) + 1}")
            self.reply(200, json.dumps({"access_token": server.tokens[-1], "expires_in": 86399}).encode())

        def answer_query(self, query: dict[str, Any]) -> None:
            page = query["paging"]["pageNumber"]
            fault = server.faults.get(page, []).pop(0) if server.faults.get(page) else None
            if fault == "expire":
                server.tokens.append("ended")
            if not server.tokens or self.headers["Authorization"] != f"Bearer {server.tokens[-1]}":
                server.queries.append((page, 401))
                self.reply(401, b'{"code":"bad.credentials","message":"Invalid login credentials."}')
                return
            body = server.answer(self.path, query)
            server.queries.append((page, fault or 200))
            if fault is None:
                server.bodies.append(body)
                self.reply(200, body)
            elif fault == "cut":
                self.start(200, len(body))
                self.wfile.write(body[: len(body) // 2])
                self.wfile.flush()
                self.close_connection = True
            elif fault == "garbage":
                self.reply(200, body[: len(body) // 2])
            elif isinstance(fault, int):
                self.reply(fault, b'{"code":"some.code","message":"of Jane Doe, +1 202 555 0100"}')
            else:
                self.start(307, 0, Location=f"{fault}{self.path}")

        def start(self, status: int, length: int, **headers: str) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            if status == 429:
                self.send_header("Retry-After", server.retry_after)
            self.send_header("Content-Length", str(length))
            self.end_headers()

        def reply(self, status: int, body: bytes) -> None:
            self.start(status, len(body))
            self.wfile.write(body)

    return Handler


@contextmanager
def serving(**fields: Any) -> Iterator[GenesysServer]:
    """A server for the length of a ``with`` block."""
    state = GenesysServer(**fields)
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), _handler(state))
    httpd.daemon_threads = True
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    state.url = f"http://127.0.0.1:{httpd.server_port}"
    try:
        yield state
    finally:
        httpd.shutdown()
        httpd.server_close()
        thread.join()
