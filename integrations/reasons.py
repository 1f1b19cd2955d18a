"""Why a request came to nothing, as one sentence for a person: who, what, and what to do.

No sentence holds more of an address than its host, nor anything of a header or a body.
"""

from __future__ import annotations

import datetime as dt
import re
import socket
import ssl
from collections.abc import Iterable, Iterator, Mapping
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import urllib3.exceptions
from requests_hardened.ip_filter import InvalidIPAddress

from .errors import (
    AddressRefused,
    CertificateRefused,
    IntegrationError,
    SystemUnavailable,
    UnusableAnswer,
)

LOGIN = re.compile(r"log-?[io]n|sign-?in|\bsso\b|saml|adfs|oauth2?/authorize", re.IGNORECASE)
MAINTENANCE = re.compile(r"maintenance|unavailable|^message\.", re.IGNORECASE)


class NoSuchHost(SystemUnavailable):
    """The host's name is not known; a second try at once would not help."""


def no_data(where: str, content_type: str, beginning: bytes, *, kinds: Iterable[str]) -> UnusableAnswer:
    """A success of none of the kinds asked for: a login page, a maintenance page, another page, another kind."""
    kind = content_type.partition(";")[0].strip().lower()
    if "html" not in kind:
        wanted = " or ".join(sorted(one.upper() for one in kinds))
        return UnusableAnswer(f"{where} answered with {kind[:60]} instead of {wanted} data. Check the Url.")
    page = f"{where} answered with a web page instead of data"
    text = beginning.decode("utf-8", "replace")
    if LOGIN.search(text) or "password" in text:
        return UnusableAnswer(f"{page}: a login page. Check that the Url is that of the API, not of the web site.")
    if MAINTENANCE.search(text):
        return UnusableAnswer(f"{page}: it seems to be under maintenance. Try again later.")
    return UnusableAnswer(f"{page}. Check the Url.")


def redirected(where: str, own_host: str, location: str) -> SystemUnavailable:
    """A redirect, which is never followed. location: the header as sent; only its host is told."""
    try:
        target = urlsplit(location)
        host, path = target.hostname or own_host, target.path
    except ValueError:
        host, path = "an address that cannot be read", ""
    if MAINTENANCE.search(host) or MAINTENANCE.search(path):
        return SystemUnavailable(f"{where} is under maintenance and points to {host}. Try again later.")
    if LOGIN.search(path) or LOGIN.search(host):
        return UnusableAnswer(
            f"{where} sends us to a login page at {host}, which we do not follow. "
            "Check that the Url is that of the API, not of the web site."
        )
    return UnusableAnswer(f"{where} redirects to {host}, which we do not follow. If it has moved, change the Url.")


def private(host: str) -> AddressRefused:
    """A host that is, or resolves to, a private address."""
    return AddressRefused(
        f"{host} is a private address, to which we do not connect. For a server in your own network, have "
        "it added to SIS_ALLOWED_HOSTS."
    )


def failed(where: str, host: str, error: Exception) -> IntegrationError:
    """An exception of the HTTP libraries. where: system and host, for the sentence."""
    chain = tuple(_causes(error))
    for cause in chain:
        if isinstance(cause, IntegrationError):
            return cause
        if isinstance(cause, ssl.SSLCertVerificationError):
            return CertificateRefused(
                f"The certificate of {host} cannot be trusted ({cause.verify_message.rstrip('.')}). "
                "Ask the administrator of the system to mend it."
            )
        if isinstance(cause, InvalidIPAddress):
            return private(host)
        if isinstance(cause, socket.gaierror):
            return NoSuchHost(f"There is no host {host}. Check the Url for a typing error.", sent=False)
    return _broken(where, chain)


def _broken(where: str, chain: tuple[BaseException, ...]) -> SystemUnavailable:
    """Which of the ways a connection fails this one is. chain: the error and its causes."""

    def any_of(*kinds: type[BaseException]) -> bool:
        return any(isinstance(cause, kinds) for cause in chain)

    if any_of(urllib3.exceptions.DecodeError):
        return UnusableAnswer(f"{where} sent an answer that cannot be unpacked. Try again later.")
    if any_of(urllib3.exceptions.NewConnectionError):
        message = f"{where} refuses the connection. Check the Url and that the system is running."
        return SystemUnavailable(message, sent=False)
    if any_of(urllib3.exceptions.ConnectTimeoutError):
        message = f"{where} cannot be reached: no connection in time. Check the Url, or try again later."
        return SystemUnavailable(message, sent=False)
    if any_of(ssl.SSLError) and not any_of(urllib3.exceptions.ProtocolError):
        message = f"{where} does not speak https there. Check the Url, its port in particular."
        return SystemUnavailable(message, sent=False)
    if any_of(TimeoutError, urllib3.exceptions.TimeoutError):
        return SystemUnavailable(f"{where} took too long to answer. Try again later.")
    return SystemUnavailable(f"{where} broke off before its answer was complete. Try again later.")


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and what it wraps, as the libraries nest them: args, reason, cause."""
    seen: list[BaseException] = []
    found: list[Any] = [error]
    while found:
        one = found.pop(0)
        if isinstance(one, BaseException) and one not in seen:
            seen.append(one)
            yield one
            found += [*one.args, getattr(one, "reason", None), one.__cause__, one.__context__]


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds a Retry-After header asks for, given as seconds or as a date; None when it says neither."""
    text = headers.get("Retry-After", "").strip()
    if re.fullmatch(r"\d{1,9}(\.\d+)?", text):
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=dt.UTC)
    return max(0.0, (moment - dt.datetime.now(dt.UTC)).total_seconds())
