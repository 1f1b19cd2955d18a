"""Asks the queries of our plugin in PowerSchool, and tells what its refusals mean. Sources: the README here."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from tempfile import TemporaryFile
from typing import Any

import msgspec
from msgspec import Raw

from ...errors import (
    AuthenticationFailed,
    ConfigurationError,
    IntegrationError,
    PermissionMissing,
    RecordError,
    RequestRefused,
    UnusableAnswer,
    WrongSystem,
)
from ...http import Answer, Client, Limits
from ...parsing import UNREADABLE, as_dict, as_list, integer, read
from ..base import Connection
from ..oauth2 import TokenKeeper
from .plugin import PREFIX, field_line
from .split import split

PLUGIN_PAGE = "in PowerSchool under System > System Settings > Plugin Management Configuration"
INSTALL = (
    "An administrator downloads the plugin from this integration's page, and installs and enables it "
    + PLUGIN_PAGE
    + "."
)


def base_url(url: str) -> str:
    """The server's base address from what people paste: without /admin, /ws and the like."""
    base = url.strip().partition("?")[0].rstrip("/")
    for tail in ("/oauth/access_token", "/ws/schema/query", "/ws/v1", "/ws", "/admin/home.html", "/admin"):
        base = base.removesuffix(tail)
    return base.rstrip("/")


class FieldsMissing(PermissionMissing):
    """The plugin may not read fields of a query. what: which. remedy: who must do what. lines: what it lacks."""

    def __init__(self, what: str, *, remedy: str, lines: tuple[str, ...]) -> None:
        self.what, self.remedy, self.lines = what, "\n".join((remedy, *lines)), lines
        super().__init__(f"{what} {self.remedy}")


class QueryClient:
    """Asks one PowerSchool server with a plugin's client credentials. Threads may share it."""

    def __init__(self, connection: Connection, limits: Limits, *, sleep: Callable[[float], None] = time.sleep) -> None:
        """Prepare, without connecting. Raises ConfigurationError and AddressRefused."""
        client_id = connection.credentials.get("consumer_token", "").strip()
        secret = connection.credentials.get("consumer_secret", "").strip()
        if not client_id or not secret:
            raise ConfigurationError(
                "The Consumer Token or Consumer Secret is missing: enter the plugin's Client ID and Client "
                f"Secret, shown {PLUGIN_PAGE} > the plugin > Data Provider Configuration."
            )
        self._client = Client(
            base_url(connection.url),
            system="PowerSchool",
            allowed_hosts=connection.allowed_hosts,
            limits=limits,
            sleep=sleep,
        )
        self.where, self.host = self._client.where, self._client.host
        self._rejected = (
            f"{self.where} refuses the Consumer Token and Consumer Secret. Copy the plugin's Client ID and Client "
            f"Secret again, {PLUGIN_PAGE} > the plugin > Data Provider Configuration; the plugin must be enabled."
        )
        self._tokens = TokenKeeper(
            self._client, "/oauth/access_token", client_id=client_id, secret=secret, rejected=self._rejected
        )

    def close(self) -> None:
        """Close all connections."""
        self._client.close()

    def token(self) -> str:
        """The token in use, asked for when there is none that lasts. Raises AuthenticationFailed."""
        return self._tokens.token()

    def metadata(self) -> dict[str, Any]:
        """Version, time zone and id of the district, told to anyone. Raises WrongSystem where it is no PowerSchool."""
        wrong = WrongSystem(
            f"{self.where} answers, but not as PowerSchool does. The Url must be the address of the "
            "PowerSchool server, such as https://district.powerschool.com."
        )
        answer = self._client.get("/ws/v1/metadata")
        if answer.status == 401:
            answer = self._tokens.asked(lambda token: self._client.get("/ws/v1/metadata", headers=token))
        if answer.status != 200:
            raise self._client.refusal(answer) or wrong
        found = as_dict(read(answer.body, where=self.where).get("metadata"))
        if not any(name.endswith("_max_page_size") or name == "powerschool_version" for name in found):
            raise wrong
        return found

    def district(self) -> dict[str, Any]:
        """The district as the V1 API tells it: uuid, name, district_number. Raises PermissionMissing."""
        answer = self._tokens.asked(lambda token: self._client.get("/ws/v1/district", headers=token))
        if answer.status == 403:
            raise PermissionMissing(
                f"{self.where} tells only through its V1 API which district it is. An administrator must set the "
                f"plugin's V1 API access level to READ, {PLUGIN_PAGE} > the plugin > Data Provider Configuration."
            )
        if answer.status != 200:
            raise self._refusal(answer, "", "read the district")
        return as_dict(read(answer.body, where=self.where).get("district"))

    def count(self, query: str, arguments: Mapping[str, str], *, doing: str) -> int:
        """How many rows a query gives. doing: what it is asked for, for messages."""
        body, path = msgspec.json.encode(arguments), f"/ws/schema/query/{PREFIX}{query}/count"
        answer = self._tokens.asked(
            lambda token: self._client.send("POST", path, body=body, headers=_json(token), repeatable=True)
        )
        if answer.status != 200:
            raise self._refusal(answer, query, f"count when asked to {doing}")
        try:
            found = integer(as_dict(read(answer.body, where=self.where)).get("count"), "count")
        except RecordError:
            found = None
        if found is None:
            raise UnusableAnswer(f"{self.where}, asked how many rows there are to {doing}, told no number.")
        return found

    def read(
        self,
        query: str,
        arguments: Mapping[str, str],
        keep: Callable[[list[Raw]], None],
        *,
        doing: str,
        page_size: int = 0,
    ) -> int:
        """Hand every row of a query to ``keep``, a few at a time, and return the total PowerSchool states.

        The answer goes through a file, so that memory does not grow with it. page_size: 0 for all rows. Raises
        FieldsMissing, PermissionMissing, RequestRefused, UnusableAnswer; what was handed over is of no use then.
        """
        body, path = msgspec.json.encode(arguments), f"/ws/schema/query/{PREFIX}{query}"
        params = {"pagesize": str(page_size), "count": "true"}
        with TemporaryFile() as file:
            answer = self._tokens.asked(
                lambda token: self._client.download(
                    path, file, method="POST", params=params, body=body, headers=_json(token)
                )
            )
            if answer.status != 200:
                raise self._refusal(answer, query, doing)
            total = split(file, keep, where=self.where)
        return self.count(query, arguments, doing=doing) if total is None else total

    def rows(self, query: str, arguments: Mapping[str, str], *, doing: str) -> list[bytes]:
        """Every row of a query that gives few. Raises as ``read``, UnusableAnswer when one is missing."""
        found: list[bytes] = []
        total = self.read(query, arguments, lambda rows: found.extend(map(bytes, rows)), doing=doing)
        if total != len(found):
            raise self.incomplete(doing, len(found), total)
        return found

    def incomplete(self, doing: str, received: int, total: int) -> UnusableAnswer:
        """The error for an answer that holds other rows than it counts."""
        return UnusableAnswer(f"{self.where}, asked to {doing}, sent {received} rows of {total}. Try again later.")

    def _refusal(self, answer: Answer, query: str, doing: str) -> IntegrationError:
        if answer.status == 204:
            return UnusableAnswer(f"{self.where}, asked to {doing}, sent an empty answer. Try again later.")
        if general := self._client.refusal(answer):
            return general
        if answer.status == 401:
            return AuthenticationFailed(self._rejected)
        if answer.status == 404:
            return PermissionMissing(
                f"{self.where} does not know the query {PREFIX}{query}: the plugin is missing, not enabled or older "
                f"than this console. {INSTALL}"
            )
        said, missing = _told(answer)
        if answer.status == 403 and missing:
            return self._fields_missing(doing, missing)
        if answer.status == 403:
            return PermissionMissing(f"{self.where} refuses to {doing}. Ask an administrator of PowerSchool why.")
        told = f': "{said[:200]}"' if said else f" (error {answer.status})"
        return RequestRefused(f"{self.where} refuses to {doing}{told}.")

    def _fields_missing(self, doing: str, missing: list[tuple[str, str]]) -> FieldsMissing:
        lines = tuple(field_line(*one) for one in dict.fromkeys(missing))
        named = ", ".join(dict.fromkeys(".".join(one).upper() for one in missing))
        what = f"{self.where} refuses to {doing}: the plugin may not read {named}."
        remedy = (
            f"An administrator installs the plugin of this integration's page anew, {PLUGIN_PAGE}, or adds to the "
            "access_request of its plugin.xml:"
        )
        return FieldsMissing(what, remedy=remedy, lines=lines)


def _json(token: Mapping[str, str]) -> dict[str, str]:
    return {**token, "Content-Type": "application/json"}


def _told(answer: Answer) -> tuple[str, list[tuple[str, str]]]:
    """The message of an error, and the (table, field) pairs it names."""
    try:
        found = as_dict(msgspec.json.decode(answer.body))
    except UNREADABLE:
        return "", []
    said = found.get("message") or as_dict(found.get("errorMessage")).get("message")
    named = (str(as_dict(one).get("field") or "").partition(".") for one in as_list(found.get("errors")))
    return said if isinstance(said, str) else "", [(table, field) for table, dot, field in named if table and dot]
