"""The HTTP engine of the sandbox: one server per vendor, with faults and a log of what it executed.

A vendor is a subclass of `Vendor`; the docstring of `vendor.py` says how to write one. Every name a vendor
needs can be imported from here.
"""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

from integrations.sandbox import control, spoil
from integrations.sandbox.district import District
from integrations.sandbox.faults import Faults
from integrations.sandbox.vendor import Answer, Count, Page, Request, Result, Route, Vendor, new_token, route

__all__ = [
    "Answer",
    "Count",
    "Page",
    "Request",
    "Result",
    "Route",
    "Sandbox",
    "Vendor",
    "new_token",
    "route",
    "start_vendor",
]


class Sandbox:
    """One running server: `url`, `credentials`, `options`, `district`, `faults`, `truth`, `requests`, `vendor`, `root`.

    `truth` lists every executed request as {at, method, path, query, status, fault, rows, ...}; `requests`
    counts every request that came, executed or not, by path pattern of its route. `root` is the address
    without what the vendor adds to it.
    """

    def __init__(
        self,
        vendor: type[Vendor],
        *,
        district: District,
        port: int = 0,
        host: str = "127.0.0.1",
        truth_path: str | Path | None = None,
        **switches: Any,
    ) -> None:
        """Serve `district` on host:port (0: any free port) until `stop`. OSError when the port is taken."""
        self.district, self.faults = district, Faults()
        self.vendor = vendor(district, self.faults, **switches)
        self.truth: list[dict[str, Any]] = []
        self.requests: Counter[str] = Counter()
        self.stopping = threading.Event()
        self._truth_path = Path(truth_path) if truth_path else None
        self._lock = threading.Lock()
        self._stranger: District | None = None
        self._server = _Server((host, port), _Handler, self)
        self.host, self.port = self._server.server_address[0], self._server.server_address[1]
        self.root = f"http://{self.host!s}:{self.port}{vendor.base}"
        self.url = self.root + self.vendor.address()
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), daemon=True, name=f"sandbox-{vendor.key}"
        )
        self._thread.start()

    @property
    def credentials(self) -> dict[str, str]:
        """What a registrar types in besides the URL, by the console's credential keys."""
        return self.vendor.credentials()

    @property
    def options(self) -> dict[str, Any]:
        """What a registrar sets as Options besides, by the console's option keys."""
        return self.vendor.options(self.url)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop serving, close every connection; hanging requests end at once. May be called twice."""
        self.stopping.set()
        self._server.shutdown()
        self._server.server_close()
        self._server.close_connections()

    def wait(self) -> None:
        """Block until `stop` is called (or the process is interrupted)."""
        while not self.stopping.wait(0.5):
            pass

    def warm(self) -> None:
        """Render rows ahead of the first request."""
        self.vendor.warm()

    def stranger(self, students: int) -> District:
        """The other district that F46 shows."""
        with self._lock:
            if self._stranger is None:
                self._stranger = District.generate(
                    students=students, seed=self.district.seed + 7919, year=self.district.year
                )
            return self._stranger

    def record(self, request: Request, answer: Answer, fault: str) -> None:
        """Append one executed request to the truth log."""
        hidden = {name.lower() for name in self.vendor.secret_query}
        entry = {
            "at": datetime.now(UTC).isoformat(),
            "method": request.method,
            "path": request.full_path,
            "query": {name: value for name, value in request.query.items() if name.lower() not in hidden},
            "status": answer.status,
            "fault": fault or None,
            "rows": answer.rows,
            **answer.detail,
        }
        with self._lock:
            self.truth.append(entry)
            if self._truth_path is not None:
                with self._truth_path.open("a", encoding="utf-8") as log:
                    log.write(json.dumps(entry, default=str) + "\n")

    def answer(self, request: Request, wire: list[str]) -> Answer:
        """Execute a request: authenticate, handle, cut the page, log. `wire` are the faults still to come."""
        vendor, names = self.vendor, list(wire)
        for fault in self.faults.take(("F46",), request.full_path):
            request.district = self.stranger(fault.settings["students"])
            names.append(fault.code)
        answer = self._refusal(request)
        if answer is None:
            handler = next(entry[2] for entry in vendor.routes if entry[1] is request.route)
            with request.district.lock:
                result = handler(request)
            answer, spoilt = spoil.finish(vendor, self.faults, request, result)
            names += spoilt
        self.record(request, answer, ",".join(names))
        return answer

    def _refusal(self, request: Request) -> Answer | None:
        vendor = self.vendor
        if request.route is None:
            return vendor.error(404, "No HTTP resource was found that matches the request URI.")
        if request.route.open:
            return None
        return vendor.authenticate(request)

    def find_route(self, request: Request) -> None:
        """Set the request's route and its named groups; a method no route has finds none."""
        path = request.path.rstrip("/") or "/"
        for pattern, mark, _ in self.vendor.routes:
            if mark.method == request.method and (found := pattern.fullmatch(path)):
                request.route, request.args = mark, found.groupdict(default="")
                break
        with self._lock:
            self.requests[request.route.pattern if request.route else "(no route)"] += 1


def start_vendor(
    vendor: type[Vendor],
    district: District | None = None,
    *,
    students: int = 500,
    seed: int = 1,
    port: int = 0,
    host: str = "127.0.0.1",
    truth_path: str | Path | None = None,
    **switches: Any,
) -> Sandbox:
    """Start the server of a Vendor class over `district`, or over a generated one of `students` children."""
    shown = district if district is not None else District.generate(students=students, seed=seed)
    return Sandbox(vendor, district=shown, port=port, host=host, truth_path=truth_path, **switches)


class _Server(ThreadingHTTPServer):
    daemon_threads, block_on_close, request_queue_size, allow_reuse_address = True, False, 128, True

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler], sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.open_sockets: set[Any] = set()
        super().__init__(address, handler)

    def close_connections(self) -> None:
        for connection in list(self.open_sockets):
            with suppress(OSError):
                connection.shutdown(2)

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass


class _Handler(BaseHTTPRequestHandler):
    protocol_version, server_version, sys_version = "HTTP/1.1", "sandbox", ""
    # Without these two, small answers wait for the delayed acknowledgement: 22 requests a second.
    wbufsize, disable_nagle_algorithm = 65536, True
    server: _Server

    def setup(self) -> None:
        super().setup()
        self.server.open_sockets.add(self.connection)

    def finish(self) -> None:
        self.server.open_sockets.discard(self.connection)
        with suppress(OSError):
            super().finish()

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def serve(self) -> None:
        """Answer one request, through the faults that apply to it."""
        sandbox = self.server.sandbox
        parts = urlsplit(self.path)
        length = self.headers.get("Content-Length", "0")
        body = self.rfile.read(int(length)) if length.isdigit() else b""
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        if parts.path.startswith("/_sandbox/"):
            self.send(control.answer(sandbox, self.command, parts.path, body, self.client_address[0]))
            return
        base = sandbox.vendor.base
        inside = parts.path[len(base) :] if parts.path.lower().startswith(base.lower()) else "/(outside)"
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(self.command, inside, query, headers, body, sandbox.district, parts.path)
        sandbox.find_route(request)
        try:
            spoil.serve(self, sandbox, request)
        except (BrokenPipeError, ConnectionError):
            self.close_connection = True

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = serve

    def send(self, answer: Answer, *, extra_length: int = 0) -> None:
        """Write a whole answer; `extra_length` is added to its Content-Length."""
        self.head(answer, len(answer.body) + extra_length)
        if self.command != "HEAD":
            self.wfile.write(answer.body)
        self.wfile.flush()

    def head(self, answer: Answer, length: int) -> None:
        """Write the status line and headers."""
        phrase = HTTPStatus(answer.status).phrase if answer.status in HTTPStatus._value2member_map_ else "Status"
        self.send_response(answer.status, phrase)
        if answer.status != 204:
            self.send_header("Content-Type", answer.content_type)
            self.send_header("Content-Length", str(length))
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.end_headers()

    def reset(self) -> None:
        """Drop the connection so that the client sees a reset."""
        with suppress(OSError):
            self.wfile.flush()
        spoil.reset(self.connection)
        self.close_connection = True

    def drip(self, body: bytes, interval: float, seconds: float) -> Iterator[None]:
        """Send `body` a byte at a time for `seconds`; yields after each byte."""
        until = time.monotonic() + seconds
        for position in range(len(body)):
            if time.monotonic() >= until or self.server.sandbox.stopping.wait(interval):
                return
            self.wfile.write(body[position : position + 1])
            self.wfile.flush()
            yield
