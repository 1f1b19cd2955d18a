"""The addresses of a SchoolTool roster feed, and what its refusals mean. The contract is ours: see the README here."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Mapping
from tempfile import TemporaryFile
from typing import Any, BinaryIO
from urllib.parse import parse_qsl, urlsplit

import msgspec
from msgspec import UNSET, Raw

from ...errors import (
    AuthenticationFailed,
    ConfigurationError,
    IntegrationError,
    PermissionMissing,
    RecordError,
    RequestRefused,
    SystemUnavailable,
    TenantChanged,
    UnusableAnswer,
    WrongSystem,
)
from ...http import Answer, Client, Limits
from ...parsing import UNREADABLE, as_dict, plain, read
from ...reasons import retry_after
from ...secret_url import is_masked, whole_url
from ..base import Connection

CONTRACT = "X-SchoolTool-Contract"
VERSION = "1"
MOST_PAGES = 10_000


class NoFeedHere(WrongSystem):
    """There is nothing at the address."""


class Envelope(msgspec.Struct):
    """One page of a list, its records undecoded."""

    schoolYear: str
    page: int
    pageSize: int
    totalRecords: int
    records: list[Raw]


class SchoolToolClient:
    """Reads one roster feed. year: the school year asked for, as the year its autumn falls in."""

    def __init__(self, connection: Connection, limits: Limits, *, sleep: Callable[[float], None] = time.sleep) -> None:
        """Prepare, without connecting. Raises ConfigurationError and AddressRefused."""
        secret = connection.credentials.get("url_secret", "")
        if is_masked(connection.url) and not secret:
            raise ConfigurationError("The Url is not stored whole. Enter it again, with its token.")
        url = whole_url(connection.url, secret)
        self.year = connection.year or autumn_of(dt.date.today())
        self._client = Client(
            url, system="SchoolTool", allowed_hosts=connection.allowed_hosts, limits=limits, sleep=sleep
        )
        self.where, self.host = self._client.where, self._client.host
        # The base address has no query: what the Url brings goes with every request.
        self._own = dict(parse_qsl(urlsplit(url).query, keep_blank_values=True))
        self._is_file = urlsplit(url).path.lower().endswith(".csv")
        self._file: tuple[BinaryIO, str] | None = None
        self._form = ""

    def close(self) -> None:
        """Close all connections and what was downloaded."""
        if self._file is not None:
            self._file[0].close()
        self._client.close()

    @property
    def is_file(self) -> bool:
        """Whether the Url is one CSV file, not lists; asked once. Raises what speaks against it being a feed."""
        if not self._form:
            self._form = "csv" if self._is_file or self._answers_with_file() else "json"
        return self._form == "csv"

    def buildings(self) -> list[dict[str, Any]]:
        """Every building of the lists, in the feed's order, each once."""
        found: list[dict[str, Any]] = []
        for number in range(1, MOST_PAGES):
            page = self.page("buildings", number, 500)
            found += [read(raw, where=self.where) for raw in page.records]
            if not page.records or len(found) >= page.totalRecords:
                break
        return found

    def page(self, name: str, number: int, size: int) -> Envelope:
        """One page of the buildings or students. Raises TenantChanged when it is of another school year."""
        answer = self._get(f"/{name}", {"page": str(number), "pageSize": str(size)}, doing=f"list its {name}")
        found: Envelope = read(answer.body, Envelope, where=self.where)
        self.check_year(found.schoolYear)
        return found

    def file(self) -> tuple[BinaryIO, str]:
        """The file at the Url, open and rewound, and the charset its server states, "" for none."""
        taken, self._file = self._file or self._download(), None
        taken[0].seek(0)
        return taken

    def check_year(self, told: str) -> None:
        """Raises TenantChanged unless the feed tells the school year asked for."""
        if told.strip() != year_name(self.year):
            raise TenantChanged(
                f"{self.where} was asked for {year_name(self.year)} and answers for {told[:20] or 'no school year'}. "
                "The feed shows the next school year from July 1; check the date of both servers."
            )

    def _answers_with_file(self) -> bool:
        """Whether there are no lists behind the Url but a file at it."""
        try:
            answer = self._get("/buildings", {"page": "1", "pageSize": "1"}, doing="list its buildings", file=True)
            return answer.kind == "csv"
        except (NoFeedHere, PermissionMissing) as first:
            try:
                self._file = self._download()
            except (NoFeedHere, PermissionMissing):
                raise first from None
        return True

    def _download(self) -> tuple[BinaryIO, str]:
        into: BinaryIO = TemporaryFile()  # noqa: SIM115 - lives as long as the reading
        try:
            answer = self._client.download("", into, params=self._own, kinds=frozenset({"csv"}))
            if answer.status != 200:
                raise self._refusal(answer, "give its file")
            self._check_contract(answer, required=False)
        except BaseException:
            into.close()
            raise
        return into, answer.headers.get("Content-Type", "").lower().partition("charset=")[2].strip(' "')

    def _get(self, path: str, more: Mapping[str, str], *, doing: str, file: bool = False) -> Answer:
        params = {**self._own, "schoolYear": str(self.year + 1), **more}
        kinds = frozenset({"json", "csv"}) if file else frozenset({"json"})
        answer = self._client.get(path, params=params, kinds=kinds, settled=_maintenance)
        if answer.status == 204:
            raise UnusableAnswer(f"{self.where}, asked to {doing}, answered with nothing. Try again later.")
        if answer.status != 200:
            raise self._refusal(answer, doing)
        self._check_contract(answer, required=answer.kind == "json")
        return answer

    def _check_contract(self, answer: Answer, *, required: bool) -> None:
        """Refuses what is no roster feed. A file may come without the header: its first line tells."""
        told = answer.headers.get(CONTRACT, "").strip()
        if told == VERSION or (not told and not required):
            return
        if told:
            raise WrongSystem(
                f"{self.where} serves version {told[:10]} of the roster feed, and this console reads version "
                f"{VERSION}. Ask the district for that version."
            )
        raise WrongSystem(f"{self.where} answers, but this Url is not a SchoolTool roster feed. Check the Url.")

    def _refusal(self, answer: Answer, doing: str) -> IntegrationError:
        code, said = _error(answer)
        if _maintenance(answer):
            wait = retry_after(answer.headers)
            return SystemUnavailable(
                f"{self.where} is in its nightly maintenance. Try again later.", retry_after_s=wait
            )
        if answer.status == 401 and (general := self._client.refusal(answer)):
            return general
        if answer.status == 401:
            return AuthenticationFailed(
                f"{self.where} refuses the token in the Url. Ask the district for the roster URL and paste it whole."
            )
        if answer.status == 403:
            return PermissionMissing(
                f"{self.where} refuses to {doing}. Ask the district to switch on vendor access for this console."
            )
        if answer.status == 409 and code == "year_not_available":
            return TenantChanged(
                f"{self.where} does not have the school year {year_name(self.year)}. The next school year appears on "
                "July 1; until then an import of it has to wait."
            )
        if answer.status in (404, 405):
            return NoFeedHere(f"{self.where} has no roster feed at this address ({answer.status}). Check the Url.")
        told = f': "{said[:200]}"' if said else f" (error {answer.status})"
        return RequestRefused(f"{self.where} refuses to {doing}{told}.")


def autumn_of(day: dt.date) -> int:
    """The year in whose autumn the school year of a day begins; the next one is shown from 1 July."""
    return day.year if day.month >= 7 else day.year - 1


def year_name(autumn: int) -> str:
    """A school year as the feed writes it, such as 2026-27."""
    return f"{autumn}-{(autumn + 1) % 100:02d}"


class _Error(msgspec.Struct):
    error: Any = UNSET


def _error(answer: Answer) -> tuple[str, str]:
    """Code and text of an error as the contract words it, blank where it does not."""
    try:
        found = as_dict(msgspec.json.decode(answer.body, type=_Error).error)
        return plain(found.get("code"), "code"), plain(found.get("message"), "message")
    except (RecordError, *UNREADABLE):
        return "", ""


def _maintenance(answer: Answer) -> bool:
    return answer.status == 503 and _error(answer)[0] == "maintenance"
