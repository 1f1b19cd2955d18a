"""A OneRoster service: its two ways of signing in, lists and single objects, what its refusals mean.

Sources: the README here.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO
from urllib.parse import parse_qs, quote, urlsplit

import msgspec
from msgspec import Raw

from ...errors import (
    AuthenticationFailed,
    ConfigurationError,
    IntegrationError,
    NotFound,
    PermissionMissing,
    RecordError,
    RequestRefused,
    UnusableAnswer,
    WrongSystem,
)
from ...http import Answer, Client, Limits
from ...parsing import UNREADABLE, as_dict, as_list, integer, read
from ..base import Connection
from ..oauth1 import signer
from ..oauth2 import TokenKeeper

SERVICE = {"1.1": "/ims/oneroster/v1p1", "1.2": "/ims/oneroster/rostering/v1p2"}
PREFIX = {
    "1.1": "https://purl.imsglobal.org/spec/or/v1p1/scope/",
    "1.2": "https://purl.imsglobal.org/spec/or/v1p2/scope/",
}
SCOPES = ("roster-core.readonly", "roster.readonly", "roster-demographics.readonly")
RESOURCE = re.compile(r"/(orgs|schools|users|students|academicSessions|demographics|discovery/.*)$")
LINK = re.compile(r'<([^>]*)>\s*;[^,<]*\brel="?next"?')
ORGS = "/orgs"
"""The list that every service has: without it there is no service."""
FILE = frozenset({"json", "zip", "csv"})


class Window(msgspec.Struct, frozen=True):
    """A piece of a list. total: X-Total-Count, None where it was not sent. following: the offset the next link
    names. ends: Link headers came and none leads on."""

    rows: list[Raw]
    total: int | None = None
    following: int | None = None
    ends: bool = False


def service_url(url: str, version: str) -> str:
    """The address of the rostering service from what people paste; a file's stays as it is.

    Raises ConfigurationError when the address is that of the other version.
    """
    base = url.strip().partition("?")[0].rstrip("/")
    found = re.search(r"/v(1p[12])(/|$)", base)
    if found and found[1] != version.replace(".", "p"):
        other = found[1].replace("p", ".")
        raise ConfigurationError(
            f"The Service URL is that of OneRoster {other}, but the OneRoster Version is {version}. Correct one."
        )
    return RESOURCE.sub("", base) if is_service(base) else base


def is_service(base: str) -> bool:
    """Whether an address names the rostering service, so that no file has to be looked for there."""
    return "/ims/oneroster/" in f"{base}/"


class OneRosterClient:
    """Reads one OneRoster provider with a key and a secret. Threads may share it."""

    def __init__(
        self,
        connection: Connection,
        options: Mapping[str, Any],
        limits: Limits,
        *,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Prepare, without connecting. Raises ConfigurationError and AddressRefused."""
        key = connection.credentials.get("consumer_token", "").strip()
        secret = connection.credentials.get("consumer_secret", "").strip()
        if not key or not secret:
            raise ConfigurationError(
                "The Key or the Secret is missing: enter both as the district's OneRoster provider shows them."
            )
        version, token_url = str(options["version"]), str(options["token_url"]).strip()
        if version == "1.2" and not token_url:
            raise ConfigurationError(
                "The Token URL is missing: OneRoster 1.2 signs in with OAuth 2. The provider tells it."
            )
        self.signed = not token_url
        self._sorting = True
        self._client = Client(
            service_url(connection.url, version),
            system="OneRoster",
            allowed_hosts=connection.allowed_hosts,
            limits=limits,
            sign=signer(key, secret, method=str(options["signature"])) if self.signed else None,
            sleep=sleep,
        )
        self.where, self.version = self._client.where, version
        self.root = "" if is_service(self._client.base) else SERVICE[version]
        self._tokens = None if self.signed else self._keeper(connection, options, limits, key, secret, sleep)

    def _keeper(
        self,
        connection: Connection,
        options: Mapping[str, Any],
        limits: Limits,
        key: str,
        secret: str,
        sleep: Callable[[float], None],
    ) -> TokenKeeper:
        parts = urlsplit(str(options["token_url"]).strip())
        origin = f"{parts.scheme}://{parts.netloc}"
        try:
            self._token_client = Client(
                origin, system="OneRoster", allowed_hosts=connection.allowed_hosts, limits=limits, sleep=sleep
            )
        except ConfigurationError as error:
            raise type(error)(error.message.replace("The Url ", "The Token URL ", 1)) from None
        scopes = str(options["scope"]).split() or [PREFIX[self.version] + name for name in SCOPES]
        return TokenKeeper(
            self._token_client,
            parts.path + (f"?{parts.query}" if parts.query else ""),
            client_id=key,
            secret=secret,
            rejected=self._rejected().message,
            form={"scope": " ".join(scopes)},
        )

    def close(self) -> None:
        """Close all connections."""
        self._client.close()
        if self._tokens is not None:
            self._token_client.close()

    def reachable(self) -> None:
        """Ask the service without signing in. Raises WrongSystem where there is no such service."""
        answer = self._client.get(self.root + ORGS, params={"limit": "1"}, headers={"Authorization": "Bearer none"})
        if answer.status in (404, 405):
            raise self._wrong()

    def sign_in(self) -> None:
        """Get a token. Raises AuthenticationFailed. With OAuth 1.0a there is none to get."""
        if self._tokens is not None:
            self._tokens.token()

    def window(self, path: str, *, limit: int, offset: int, name: str, doing: str) -> Window:
        """A piece of a list. name: the member that holds it. Raises IntegrationError."""
        answer = self._list(path, limit, offset)
        if answer.status == 400 and self._sorting:
            self._sorting = False
            answer = self._list(path, limit, offset)
        if answer.status == 404 and path == ORGS:
            raise self._wrong()
        if answer.status != 200:
            raise self._refusal(answer, doing, listed=True)
        outer = read(answer.body, dict[str, Raw], where=self.where)
        if name not in outer or bytes(memoryview(outer[name])[:1]) != b"[":
            raise self._no_list(doing, answer)
        following, ends = _next(answer.headers.get("Link", ""))
        return Window(read(outer[name], list[Raw], where=self.where), _total(answer), following, ends)

    def single(self, path: str, *, name: str, doing: str) -> Raw | None:
        """One object, None when there is no such id."""
        answer = self._ask(path, None)
        if answer.status == 404 and _said(answer)[1]:
            return None
        if answer.status != 200:
            raise self._refusal(answer, doing, listed=False)
        outer = read(answer.body, dict[str, Raw], where=self.where)
        if name not in outer or bytes(memoryview(outer[name])[:1]) != b"{":
            raise self._no_list(doing, answer)
        found: Raw = outer[name]
        return found

    def file(self, into: BinaryIO) -> bool:
        """Fetch what the Service URL itself answers; True when it is a zip. Raises IntegrationError."""

        def ask(headers: Mapping[str, str]) -> Answer:
            return self._client.download("", into, headers=headers, kinds=FILE)

        meant = urlsplit(self._client.base).path.lower().endswith(".zip")
        try:
            answer = ask({}) if self._tokens is None else self._tokens.asked(ask)
        except UnusableAnswer:
            if meant:
                raise
            return False
        into.seek(0)
        if answer.status == 200 and into.read(2) == b"PK":
            return True
        if meant:
            if answer.status == 200:
                raise UnusableAnswer(
                    f"{self.where} was asked for a zip and sent something else. Check the Service URL."
                )
            raise self._refusal(answer, "give the file", listed=True)
        return False

    def _list(self, path: str, limit: int, offset: int) -> Answer:
        params = {"limit": str(limit), "offset": str(offset)}
        if self._sorting:
            params |= {"sort": "sourcedId", "orderBy": "asc"}
        return self._ask(path, params)

    def _ask(self, path: str, params: Mapping[str, str] | None) -> Answer:
        def ask(headers: Mapping[str, str]) -> Answer:
            return self._client.get(self.root + path, params=params, headers=headers)

        return ask({}) if self._tokens is None else self._tokens.asked(ask)

    def _refusal(self, answer: Answer, doing: str, *, listed: bool) -> IntegrationError:
        if general := self._client.refusal(answer):
            return general
        if answer.status == 204:
            return self._no_list(doing, answer)
        if answer.status == 401:
            return self._rejected()
        said, known = _said(answer)
        if answer.status == 403:
            return PermissionMissing(
                f"{self.where} refuses to {doing}. Ask the district to grant this to the key in its OneRoster provider."
            )
        if answer.status == 404 and not known:
            return self._wrong()
        told = f': "{said[:200]}"' if said else f" (error {answer.status})"
        if answer.status == 404:
            return NotFound(f"{self.where} was asked to {doing} and has no such record{told}.")
        hint = (
            " If it finds the limit too large, lower the option page_size." if listed and answer.status == 400 else ""
        )
        return RequestRefused(f"{self.where} refuses to {doing}{told}.{hint}")

    def _rejected(self) -> AuthenticationFailed:
        if self.signed:
            return AuthenticationFailed(
                f"{self.where} refuses the Key and the Secret, sent as an OAuth 1.0a signature. Copy both again. If "
                "the provider signs in with OAuth 2, enter its Token URL; some take only the other option signature."
            )
        return AuthenticationFailed(
            f"{self.where} refuses the Key and the Secret. Copy both again from the district's OneRoster provider, "
            "and compare the Token URL."
        )

    def _wrong(self) -> WrongSystem:
        return WrongSystem(
            f"{self.where} has no OneRoster {self.version} service at this address. The Service URL (Url) must be the "
            f"provider's, which ends in {SERVICE[self.version]}."
        )

    def _no_list(self, doing: str, answer: Answer) -> UnusableAnswer:
        said = _said(answer)[0]
        told = f': "{said[:200]}"' if said else ""
        return UnusableAnswer(f"{self.where}, asked to {doing}, sent something else{told}. Try again later.")


def quoted(key: str) -> str:
    """A sourcedId as one step of a path; it may hold a slash."""
    return quote(key, safe="")


def _total(answer: Answer) -> int | None:
    try:
        return integer(answer.headers.get("X-Total-Count"), "X-Total-Count")
    except RecordError:
        return None


def _next(header: str) -> tuple[int | None, bool]:
    """The offset of the next link, and whether links came without one. Only the offset is taken of an address:
    behind a proxy its host is often wrong."""
    found = LINK.search(header)
    if found is None:
        return None, bool(header.strip())
    offset = parse_qs(urlsplit(found[1]).query).get("offset", [""])[0]
    return (int(offset) if offset.isdigit() else None), False


def _said(answer: Answer) -> tuple[str, bool]:
    """The description in an error, flat or inside imsx_StatusInfo, and whether it is a OneRoster error at all."""
    try:
        found = as_dict(msgspec.json.decode(answer.body))
    except UNREADABLE:
        return "", False
    found = as_dict(found.get("imsx_StatusInfo")) or found
    said = found.get("imsx_description")
    fields = as_list(as_dict(found.get("imsx_CodeMinor")).get("imsx_codeMinorField"))
    minor = [str(as_dict(one).get("imsx_codeMinorFieldValue", "")) for one in fields]
    wrong_path = "unknownobject" not in minor and bool(minor)
    return (said if isinstance(said, str) else ""), "imsx_codeMajor" in found and not wrong_path
