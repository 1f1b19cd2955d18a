"""What a vendor gives the sandbox engine: routes, credentials, rows. The engine does the rest.

Adding a vendor is one subclass of `Vendor` and one line in `registry.py`:

    class Example(Vendor):
        key, base = "example", "/sis"                 # `sis.url` is http://127.0.0.1:PORT/sis
        switches = {"strict": False}                  # name -> default; read as self.switch["strict"]
        last_name, identifiers, dates = "LastName", ("StateID", "Zip"), ("Birthdate",)   # what F34-F37 spoil

        def credentials(self) -> dict[str, str]: ...             # what `sis.credentials` gives
        def authenticate(self, request) -> Answer | None: ...     # an Answer refuses the request
        def error(self, status, message) -> Answer: ...           # the vendor's own error shape

        @route("GET", r"/v1/schools/(?P<school>\\d+)/students")
        def students(self, request: Request) -> Result: ...

A route's pattern must match the whole path after `base`. A handler takes its district from `request.district`
(a fault may swap it) and returns one of

- `Answer(status, body, content_type, headers)`, or `self.json(value, status)` for one;
- `Page(rows, start, stop, wrap, school)`: `rows` is every row of the listing in order as JSON bytes, `start`
  and `stop` the window asked for (0-based, half open), `wrap` turns the rows of the window into the body. The
  engine cuts the window and applies the paging and payload faults (F27-F46), so that no vendor knows of them;
- `Count(value, wrap, school)`: a total, where the vendor has one (F43, F45).

`self.cached(key, version, build)` keeps rendered rows until `version` changes, least recently used first out;
`redirects` names further places F20 can lead to.
"""

from __future__ import annotations

import json
import re
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, ClassVar

from integrations.sandbox.district import District
from integrations.sandbox.faults import Faults

ROW_CACHE_BYTES = 256_000_000


@dataclass(slots=True)
class Answer:
    """A finished answer; `rows` is how many records it holds, for the log; `detail` goes into the log too."""

    status: int = 200
    body: bytes = b""
    content_type: str = "application/json; charset=utf-8"
    headers: dict[str, str] = field(default_factory=dict)
    rows: int | None = None
    detail: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Page:
    """A window of a listing, see the module's docstring; `headers` are added to the answer."""

    rows: Sequence[bytes]
    start: int
    stop: int
    wrap: Callable[[Sequence[bytes]], bytes]
    school: int | None = None
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Count:
    """A total, where the vendor has an endpoint for it; `wrap` turns it into the body."""

    value: int
    wrap: Callable[[int], bytes]
    school: int | None = None


Result = Answer | Page | Count


@dataclass(slots=True)
class Request:
    """One request: `path` without the vendor's base, `query` with the last value of each name, lower-case
    keys in `headers`, `args` the named groups of the route."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    district: District
    full_path: str
    args: dict[str, str] = field(default_factory=dict)
    route: Route | None = None

    def number(self, name: str, default: int) -> int:
        """A query parameter as an integer (its name in any case), `default` when absent or no number."""
        text = next((value for key, value in self.query.items() if key.lower() == name.lower()), "")
        try:
            return int(text)
        except ValueError:
            return default

    def data(self) -> Any:
        """The JSON body; None when it is no JSON."""
        with suppress(ValueError):
            return json.loads(self.body)
        return None


@dataclass(frozen=True, slots=True)
class Route:
    """One endpoint; `open` needs no credentials; `area` is free for the vendor (its permission area)."""

    method: str
    pattern: str
    open: bool
    area: str
    handler: str = ""


def route(method: str, pattern: str, *, open: bool = False, area: str = "") -> Callable[[Any], Any]:
    """Mark a method of a Vendor as the handler of a path; may be given several times."""

    def mark(function: Any) -> Any:
        marked = [*getattr(function, "sandbox_routes", ()), Route(method, pattern, open, area)]
        function.sandbox_routes = marked
        return function

    return mark


class Vendor:
    """What one student information system does with a request; see the module's docstring."""

    key: ClassVar[str] = ""
    base: ClassVar[str] = ""
    ignore_case: ClassVar[bool] = False
    switches: ClassVar[dict[str, Any]] = {}
    last_name: ClassVar[str] = "last_name"
    identifiers: ClassVar[tuple[str, ...]] = ()
    dates: ClassVar[tuple[str, ...]] = ()
    secret_query: ClassVar[tuple[str, ...]] = ()
    redirects: ClassVar[dict[str, str]] = {}

    def __init__(self, district: District, faults: Faults, **switches: Any) -> None:
        """Keep district and faults. TypeError names a switch the vendor does not have."""
        if unknown := sorted(set(switches) - set(self.switches)):
            raise TypeError(
                f"the {self.key} sandbox has no switch {', '.join(unknown)}; "
                f"it has {', '.join(sorted(self.switches)) or 'none'}"
            )
        self.district, self.faults = district, faults
        self.switch = {**self.switches, **switches}
        self._cache: OrderedDict[Any, tuple[int, list[bytes], int]] = OrderedDict()
        self._cache_size, self._cache_lock = 0, threading.Lock()
        flags = re.IGNORECASE if self.ignore_case else 0
        self.routes = [
            (re.compile(mark.pattern, flags), mark, getattr(self, name))
            for name in dir(type(self))
            for mark in getattr(getattr(type(self), name), "sandbox_routes", ())
        ]
        self.setup()

    def setup(self) -> None:
        """Called once at the end of the constructor: the place for tokens and the like."""

    def credentials(self) -> dict[str, str]:
        """What a registrar types in besides the URL, by the console's credential keys."""
        raise NotImplementedError

    def options(self, url: str) -> dict[str, Any]:
        """What a registrar sets as Options besides, by the console's option keys. url: what is typed in."""
        return {}

    def address(self) -> str:
        """What the URL a registrar types in has after `base`, where it has more."""
        return ""

    def authenticate(self, request: Request) -> Answer | None:
        """None when the request may go on, else the refusal. Not asked for open routes."""
        raise NotImplementedError

    def error(self, status: int, message: str) -> Answer:
        """An error as this vendor words it."""
        return self.json({"message": message}, status)

    def unauthorized(self) -> Answer:
        """The answer to a missing or revoked token (F17, F18)."""
        return self.error(401, "Unauthorized")

    def revoke(self) -> None:
        """Make every token given out so far invalid (F17)."""

    def school_of(self, request: Request) -> int | None:
        """The school number a request is about, None when it is about none (F19)."""
        return int(request.args["school"]) if request.args.get("school", "").isdigit() else None

    def json(self, value: Any, status: int = 200, rows: int | None = None) -> Answer:
        """A JSON answer of a Python value."""
        return Answer(status, json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode(), rows=rows)

    def cached(self, key: Any, version: int, build: Callable[[], list[bytes]]) -> list[bytes]:
        """The rendered rows of `key`, built anew when `version` differs from the one they were built for."""
        with self._cache_lock:
            found = self._cache.get(key)
            if found is not None and found[0] == version:
                self._cache.move_to_end(key)
                return found[1]
        rows = build()
        size = sum(map(len, rows)) + 60 * len(rows)
        with self._cache_lock:
            old = self._cache.pop(key, None)
            self._cache_size += size - (old[2] if old else 0)
            self._cache[key] = (version, rows, size)
            while self._cache_size > ROW_CACHE_BYTES and len(self._cache) > 1:
                self._cache_size -= self._cache.popitem(last=False)[1][2]
        return rows

    def warm(self) -> None:
        """Render what will be asked for ahead of the first request; vendors extend it."""


def new_token(length: int = 32) -> str:
    """A random alphanumeric token."""
    letters = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789"
    return "".join(secrets.choice(letters) for _ in range(length))
