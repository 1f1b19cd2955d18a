"""HTTP as we allow it: the one module that opens connections to other systems.

Only https to public addresses, unless the host is named as allowed; redirects never followed; every answer
bounded in time and size and, when it is a success, of a kind the caller takes. What goes wrong becomes one
sentence that names the host and the remedy, and never holds a query string, a header or a body.
"""

from __future__ import annotations

import logging
import os
import random
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.cookiejar import DefaultCookiePolicy
from typing import Any, BinaryIO, ClassVar
from urllib.parse import SplitResult, urlsplit

import msgspec
import requests
import urllib3.exceptions
from requests.adapters import HTTPAdapter
from requests_hardened.ip_filter import InvalidIPAddress, get_ip_address
from urllib3.connection import HTTPSConnection
from urllib3.connectionpool import HTTPSConnectionPool

from . import reasons
from .errors import (
    AddressRefused,
    AnswerTooLarge,
    AuthenticationFailed,
    ConfigurationError,
    IntegrationError,
    RateLimited,
    SystemUnavailable,
    UnusableAnswer,
    WrongSystem,
)

log = logging.getLogger(__name__)
# At DEBUG, and as a warning of odd headers, it writes whole addresses: some hold a student's id or a secret.
logging.getLogger("urllib3").setLevel(logging.ERROR)

PIECE = 1 << 18
EXPLAINED = 1 << 16
AGAIN = frozenset({500, 502, 503, 504})
JSON = frozenset({"json"})
KINDS: Mapping[str, str] = {
    "application/json": "json",
    "text/json": "json",
    "text/csv": "csv",
    "application/csv": "csv",
    "application/vnd.ms-excel": "csv",
    "text/plain": "csv",
    "application/zip": "zip",
    "application/x-zip": "zip",
    "application/x-zip-compressed": "zip",
    "application/octet-stream": "zip",
}
"""Content type → what we call its kind; what ends in ``+json`` is json too."""
WINDOWS_SIGN_IN = re.compile(r"\b(NTLM|Negotiate)\b", re.IGNORECASE)


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How patient one client is.

    connect_s, read_s: seconds without a connection, without a byte. body_s: seconds for a whole answer.
    body_bytes: the largest answer, unpacked. attempts and wait_s: tries of one repeatable call, and the
    most seconds waited between them in all. at_once and interval_s: requests to one host at the same
    time, and seconds between the starts of two, within this process.
    """

    connect_s: float = 5.0
    read_s: float = 60.0
    body_s: float = 300.0
    body_bytes: int = 64 << 20
    attempts: int = 4
    wait_s: float = 60.0
    at_once: int = 2
    interval_s: float = 0.0


class Answer(msgspec.Struct, frozen=True):
    """A whole answer. headers: names in any case. body: unpacked bytes, b"" for 204 and for a download."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def kind(self) -> str:
        """What the content type says: "json", "csv" or "zip"; "" for anything else or nothing."""
        return _kind(self.headers.get("Content-Type", ""))

    @property
    def is_json(self) -> bool:
        """Whether the content type says JSON."""
        return self.kind == "json"


def _never(answer: Answer) -> bool:
    return False


class _Request(msgspec.Struct, frozen=True, kw_only=True):
    """One request, as often as it is sent. into: where a success is written, None for into memory."""

    method: str
    url: str
    params: Mapping[str, str] | None
    body: bytes | None
    headers: Mapping[str, str]
    kinds: frozenset[str]
    settled: Callable[[Answer], bool]
    into: BinaryIO | None = None


class Client:
    """Requests to one system below one base address. Threads may share it; close it when done."""

    def __init__(
        self,
        url: str,
        *,
        system: str,
        allowed_hosts: frozenset[str] = frozenset(),
        headers: Mapping[str, str] | None = None,
        limits: Limits | None = None,
        ca_bundle: str | None = None,
        sign: Callable[[str, str], Mapping[str, str]] | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Prepare, without connecting.

        url: the base address. system: its name for messages. allowed_hosts: ``host`` or ``host:port``
        that may be private and plain http. headers: sent with every request. ca_bundle: a file of
        trusted certificates (default: REQUESTS_CA_BUNDLE of the environment, else the public ones). sign:
        gives the headers of one attempt from its method and whole address, query included.
        Raises AddressRefused or ConfigurationError.
        """
        self.limits = limits or Limits()
        parts = checked_address(url, allowed_hosts)
        self.base, self.host = parts.geturl().rstrip("/"), parts.netloc
        self.where = f"{system} at {self.host}"
        self._sleep, self._sign = sleep, sign
        self._gate = _gate(self.host, self.limits)
        session = _Session()
        session.trust_env = False
        session.verify = ca_bundle or os.environ.get("REQUESTS_CA_BUNDLE") or True
        session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        session.headers.update({"User-Agent": "sis-console", "Accept": "application/json"})
        session.headers.update({"Accept-Encoding": "gzip", **_printable(headers or {})})
        adapter = HTTPAdapter if _is_allowed(parts, allowed_hosts) else PublicOnly
        for scheme in ("https://", "http://"):
            session.mount(scheme, adapter(pool_maxsize=self.limits.at_once, pool_block=True))
        self._session = session

    def close(self) -> None:
        """Close all connections."""
        self._session.close()

    def get(
        self,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        kinds: frozenset[str] = JSON,
        settled: Callable[[Answer], bool] = _never,
    ) -> Answer:
        """Read one address; as ``send``."""
        return self.send("GET", path, params=params, headers=headers, repeatable=True, kinds=kinds, settled=settled)

    def send(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        repeatable: bool = False,
        kinds: frozenset[str] = JSON,
        settled: Callable[[Answer], bool] = _never,
    ) -> Answer:
        """Send one request and return its whole answer: a success of one of the kinds, a 204, a 4xx or a settled 5xx.

        path: after the base address, quoted. repeatable: may be sent again after a broken connection, a
        timeout, 429, 500, 502, 503 or 504. kinds: "json", "csv", "zip"; of several the answer's ``kind``
        tells which came. settled: says of a 5xx answer that it is the system's own word, neither asked
        again nor raised. Raises SystemUnavailable and its kinds (``sent`` tells whether the request may
        have been executed), AddressRefused, CertificateRefused.
        """
        request = _Request(
            method=method, url=self.base + path, params=params, body=body, headers=_printable(headers or {}),
            kinds=kinds, settled=settled,
        )  # fmt: skip
        return self._until_answered(request, repeatable=repeatable)

    def download(
        self,
        path: str,
        into: BinaryIO,
        *,
        method: str = "GET",
        params: Mapping[str, str] | None = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        kinds: frozenset[str] = JSON,
    ) -> Answer:
        """Write the body of a success into an open file, from its beginning on, and return the answer without it.

        Only for requests that change nothing in the system: they are repeated as with ``get``. The file
        holds the unpacked bytes as they came, at most ``body_bytes`` of them, and is left at its end; after
        a 4xx it is empty and the answer holds the body. Raises as ``send``.
        """
        request = _Request(
            method=method, url=self.base + path, params=params, body=body, headers=_printable(headers or {}),
            kinds=kinds, settled=_never, into=into,
        )  # fmt: skip
        return self._until_answered(request, repeatable=True)

    def refusal(self, answer: Answer) -> IntegrationError | None:
        """What a 4xx answer means whatever the system: a Windows sign-in, a wrong address; else None."""
        if answer.status == 401 and WINDOWS_SIGN_IN.search(answer.headers.get("WWW-Authenticate", "")):
            return AuthenticationFailed(
                f"{self.where} asks for a Windows sign-in before its API sees the request. "
                "Ask the district for an address of the API that does not."
            )
        if answer.status in (404, 405) and not answer.is_json:
            return WrongSystem(f"{self.where} has no such address ({answer.status}). Check the Url.")
        return None

    def _until_answered(self, request: _Request, *, repeatable: bool) -> Answer:
        waited, attempt = 0.0, 1
        while True:
            outcome = self._once(request)
            if isinstance(outcome, Answer):
                return outcome
            asked = outcome.retry_after_s
            wait = _backoff(attempt) if asked is None else asked
            if not repeatable or attempt >= self.limits.attempts or waited + wait > self.limits.wait_s:
                raise outcome
            log.warning("%s: %s, again in %.1f s", self.host, outcome.code, wait)
            self._sleep(wait)
            waited, attempt = waited + wait, attempt + 1

    def _once(self, request: _Request) -> Answer | SystemUnavailable:
        """One attempt; a trouble that may pass is returned, any other raised."""
        try:
            with self._gate.turn(self._sleep), self._open(request) as response:
                return self._judge(response, request)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            trouble = reasons.failed(self.where, self.host, error)
        # Raised out here, so that no traceback shows the cause: its text holds the whole address.
        if isinstance(trouble, reasons.NoSuchHost) or not isinstance(trouble, SystemUnavailable):
            raise trouble
        return trouble

    def _open(self, request: _Request) -> requests.Response:
        given = requests.Request(
            request.method, request.url, params=request.params, data=request.body, headers=dict(request.headers)
        )
        prepared = self._session.prepare_request(given)
        if self._sign is not None:
            prepared.headers.update(_printable(self._sign(request.method, prepared.url or request.url)))
        timeout = (self.limits.connect_s, self.limits.read_s)
        settings = self._session.merge_environment_settings(prepared.url, {}, True, None, None)
        return self._session.send(prepared, timeout=timeout, allow_redirects=False, **settings)

    def _judge(self, response: requests.Response, request: _Request) -> Answer | SystemUnavailable:
        """The answer as it is, a trouble that may pass, or an error raised."""
        status, headers = response.status_code, response.headers
        if 300 <= status < 400:
            raise reasons.redirected(self.where, self.host, headers.get("Location", ""))
        if status == 204:
            return Answer(status, headers, b"")
        if 200 <= status < 300:
            return Answer(status, headers, self._data(response, request))
        answer = Answer(status, headers, _beginning(response))
        if status == 429:
            message = f"{self.where} asks us to slow down. The run goes on later by itself."
            return RateLimited(message, retry_after_s=reasons.retry_after(headers), sent=False)
        if status in AGAIN and not request.settled(answer):
            message = f"{self.where} is not working at the moment (error {status}). Try again later."
            return SystemUnavailable(message, retry_after_s=reasons.retry_after(headers))
        return answer

    def _data(self, response: requests.Response, request: _Request) -> bytes:
        """The body of a success of a kind that was asked for, b"" when it has gone into a file."""
        stated = response.headers.get("Content-Type", "")
        kind = _kind(stated)
        if stated and kind not in request.kinds:
            raise reasons.no_data(self.where, stated, _beginning(response), kinds=request.kinds)
        if request.into is not None:
            self._write(response, request.into)
            return b""
        body = b"".join(self._pieces(response))
        if not body.strip():
            raise self._empty()
        if not stated and request.kinds == JSON and body.lstrip()[:1] not in (b"{", b"["):
            raise reasons.no_data(self.where, "data of no stated kind", body[:EXPLAINED], kinds=request.kinds)
        return _as_utf8(body, stated) if kind in ("json", "") else body

    def _write(self, response: requests.Response, into: BinaryIO) -> None:
        into.seek(0)
        into.truncate()
        for piece in self._pieces(response):
            into.write(piece)
        if into.tell() == 0:
            raise self._empty()

    def _empty(self) -> UnusableAnswer:
        return UnusableAnswer(f"{self.where} sent an empty answer. Try again later.")

    def _pieces(self, response: requests.Response) -> Iterator[bytes]:
        """The unpacked body in pieces, so that neither size nor time can run away."""
        until = time.monotonic() + self.limits.body_s
        size = 0
        while piece := response.raw.read1(PIECE, decode_content=True):
            size += len(piece)
            if size > self.limits.body_bytes:
                most = self.limits.body_bytes >> 20
                raise AnswerTooLarge(f"{self.where} sent more than {most} MB. Ask for smaller pages.")
            if time.monotonic() > until:
                raise SystemUnavailable(f"{self.where} sent its answer too slowly. Try again later.")
            yield piece


class _Session(requests.Session):
    def get_redirect_target(self, resp: requests.Response) -> None:
        """Nothing: else even a redirect that is not followed is parsed, and its body read whole."""


class PublicOnly(HTTPAdapter):
    """Connects to public addresses only, over TLS; the address that was checked is the one connected to."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"https": _PublicPool}


class _PublicConnection(HTTPSConnection):
    def _new_conn(self) -> socket.socket:
        name = self._dns_host
        address, _ = get_ip_address(name.strip("[]"), self.port or 443, allow_loopback=False)
        self._dns_host = str(address)
        try:
            return super()._new_conn()
        finally:
            self._dns_host = name


class _PublicPool(HTTPSConnectionPool):
    ConnectionCls: ClassVar[type[Any]] = _PublicConnection  # type: ignore[misc]


def checked_address(url: str, allowed_hosts: frozenset[str] = frozenset()) -> SplitResult:
    """The parts of a base address without query and fragment, for checking a form too; nothing is resolved.

    Raises ConfigurationError for what is no address, AddressRefused for plain http or a private address.
    """
    try:
        parts = urlsplit(url.strip())
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or parts.scheme not in ("http", "https"):
        raise ConfigurationError("The Url must be a whole address such as https://district.example.org.")
    if parts.username or parts.password:
        raise ConfigurationError("The Url must not hold a user name or password; they have their own fields.")
    if not _is_allowed(parts, allowed_hosts):
        if parts.scheme != "https":
            raise AddressRefused(
                f"The Url must begin with https. For a server in your own network, have {parts.netloc} "
                "added to SIS_ALLOWED_HOSTS."
            )
        _refuse_literal(host)
    return parts._replace(query="", fragment="")


def _refuse_literal(host: str) -> None:
    """A private address written as a number is refused before anything is sent."""
    try:
        socket.inet_pton(socket.AF_INET6 if ":" in host else socket.AF_INET, host)
    except OSError:
        return
    try:
        get_ip_address(host, 443, allow_loopback=False)
    except InvalidIPAddress:
        raise reasons.private(host) from None


def _is_allowed(parts: SplitResult, allowed_hosts: frozenset[str]) -> bool:
    host = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    names = [host, f"[{host}]"] if ":" in host else [host]
    allowed = {entry.strip().lower() for entry in allowed_hosts}
    return any(name in allowed or f"{name}:{port}" in allowed for name in names)


def _printable(headers: Mapping[str, str]) -> Mapping[str, str]:
    if any(not (value.isascii() and value.isprintable()) for value in headers.values()):
        raise ConfigurationError(
            "A credential holds characters that cannot be sent, such as a line break. Copy it again."
        )
    return headers


def _kind(content_type: str) -> str:
    stated = content_type.partition(";")[0].strip().lower()
    return "json" if stated.endswith("+json") else KINDS.get(stated, "")


def _beginning(response: requests.Response) -> bytes:
    """As much of a body as is worth reading to explain an error."""
    try:
        found: bytes = response.raw.read(EXPLAINED, decode_content=True)
    except (urllib3.exceptions.HTTPError, OSError):
        return b""
    return found


def _as_utf8(body: bytes, content_type: str) -> bytes:
    """The body without a byte order mark, turned into UTF-8 where it is in the other charset it states."""
    body = body.removeprefix(b"\xef\xbb\xbf")
    charset = content_type.lower().partition("charset=")[2].partition(";")[0].strip(' "')
    if charset in ("", "utf-8", "utf8", "us-ascii"):
        return body
    try:
        body.decode("utf-8")
        return body
    except UnicodeDecodeError:
        pass
    try:
        return body.decode(charset).encode()
    except (LookupError, UnicodeDecodeError):
        return body


def _backoff(attempt: int) -> float:
    """Seconds before the next try: doubling from half a second to eight, spread by chance."""
    most: float = min(8.0, 0.5 * 2 ** (attempt - 1))
    return random.uniform(most / 2, most)  # noqa: S311 - spreads load, guards nothing


class _Gate:
    """Lets a few requests at once through to one host, none sooner than the interval after another."""

    def __init__(self, at_once: int, interval_s: float) -> None:
        self._places, self._interval = threading.BoundedSemaphore(at_once), interval_s
        self._lock, self._next = threading.Lock(), 0.0

    @contextmanager
    def turn(self, sleep: Callable[[float], None]) -> Iterator[None]:
        with self._places:
            if self._interval:
                with self._lock:
                    now = time.monotonic()
                    start = max(now, self._next)
                    self._next = start + self._interval
                if start > now:
                    sleep(start - now)
            yield


_gates: dict[tuple[str, int, float], _Gate] = {}
_gates_lock = threading.Lock()


def _gate(host: str, limits: Limits) -> _Gate:
    key = (host, limits.at_once, limits.interval_s)
    with _gates_lock:
        return _gates.setdefault(key, _Gate(limits.at_once, limits.interval_s))
