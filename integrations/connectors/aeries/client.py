"""The end points of Aeries that a pull reads, and what its refusals mean. Sources: the README here."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from msgspec import Raw

from ...errors import (
    AuthenticationFailed,
    ConfigurationError,
    IntegrationError,
    NotFound,
    PermissionMissing,
    RequestRefused,
    UnusableAnswer,
    WrongSystem,
)
from ...http import Answer, Client, Limits
from ...parsing import UNREADABLE, as_dict, read, split_rows
from ..base import Connection, SourceSchool

PASTED = re.compile(r"/api(/v\d+(/schools)?)?/*$", re.IGNORECASE)
STUDENT_DATA, CONTACTS, PICTURES = "Student Data", "Contacts", "Student Pictures"
WHERE_TO_GRANT = "in Aeries under Security > API"
OWN_WORD = frozenset(
    {
        "Invalid Student ID",
        "Invalid School Code",
        "Invalid Next School Code",
        "Invalid Staff ID",
        "Student has an active record.",
        "Student is already pre-enrolled.",
    }
)


def base_url(url: str) -> str:
    """The district's base address from what people paste: without /api, /api/v5, /api/v5/schools."""
    return PASTED.sub("", url.strip().partition("?")[0].rstrip("/")).rstrip("/")


class AeriesClient:
    """Reads one Aeries system. year: the DatabaseYear sent with every call, None until it is known."""

    def __init__(self, connection: Connection, limits: Limits, *, sleep: Callable[[float], None] = time.sleep) -> None:
        """Prepare, without connecting. Raises ConfigurationError and AddressRefused."""
        certificate = connection.credentials.get("token", "").strip()
        if not certificate:
            raise ConfigurationError("The Token is missing: enter the certificate the district gave.")
        self.year = connection.year
        self._client = Client(
            base_url(connection.url),
            system="Aeries",
            allowed_hosts=connection.allowed_hosts,
            headers={"AERIES-CERT": certificate},
            limits=limits,
            sleep=sleep,
        )
        self.where, self.base = self._client.where, self._client.base

    def close(self) -> None:
        """Close all connections."""
        self._client.close()

    def system_info(self) -> dict[str, Any]:
        """What the server says of itself; needs no certificate. Raises WrongSystem where it is no Aeries."""
        wrong = (
            f"{self.where} answers, but not as Aeries does. The Url must be the address at which the "
            "district opens Aeries, such as https://district.aeries.net/aeries."
        )
        try:
            body = self._get("/systeminfo", doing="tell its version")
            info: dict[str, Any] = read(body, where=self.where)
        except (NotFound, RequestRefused):
            raise WrongSystem(wrong) from None
        if not isinstance(info.get("DatabaseYear"), str):
            raise WrongSystem(wrong)
        return info

    def schools(self) -> list[dict[str, Any]]:
        """Every school as listed; a single one may come as an object or as a list."""
        body = self._get("/schools", doing="list its schools")
        found = read(body, list[dict[str, Any]] | dict[str, Any], where=self.where)
        if isinstance(found, list):
            return found
        if "SchoolCode" not in found:
            raise self._no_list("its schools", found)
        return [found]

    def window(self, school: SourceSchool, first: int, last: int) -> list[Raw]:
        """The students of a school at the positions first to last, both included, from 1."""
        doing = f"read students of school {school.code}"
        window = {"StartingRecord": str(first), "EndingRecord": str(last)}
        body = self._get(f"/schools/{school.key}/students", doing=doing, area=STUDENT_DATA, params=window)
        return self._rows(body, doing)

    def contacts(self, school: SourceSchool) -> list[Raw]:
        """Every contact of every student of a school."""
        doing = f"read contacts of school {school.code}"
        return self._rows(self._get(f"/schools/{school.key}/contacts", doing=doing, area=CONTACTS), doing)

    def pictures(self, school: SourceSchool, first: int, last: int) -> list[Raw]:
        """The students of a school at the positions first to last, from 1, with their pictures."""
        doing = f"read pictures of school {school.code}"
        window = {"StartingRecord": str(first), "EndingRecord": str(last)}
        return self._rows(
            self._get(f"/schools/{school.key}/StudentPictures", doing=doing, area=PICTURES, params=window), doing
        )

    def student(self, school: SourceSchool, student_id: str) -> list[Raw]:
        """The records of one student in a school, [] when there is none."""
        doing = f"look up student {student_id} in school {school.code}"
        path = f"/schools/{school.key}/students/{student_id}"
        try:
            return self._rows(self._get(path, doing=doing, area=STUDENT_DATA), doing)
        except NotFound:
            return []

    def codes(self, table: str, field: str) -> list[dict[str, Any]]:
        """The codes of a field, [] for a field that has none."""
        doing = f"list the codes of {table}/{field}"
        body = self._get(f"/codes/{table}/{field}", doing=doing)
        if body.lstrip()[:1] == b"{":
            raise self._no_list(doing, as_dict(read(body, where=self.where)))
        found: list[dict[str, Any]] = read(body, list[dict[str, Any]], where=self.where)
        return found

    def _rows(self, body: bytes, doing: str) -> list[Raw]:
        if body.lstrip()[:1] == b"{":
            raise self._no_list(doing, as_dict(read(body, where=self.where)))
        return split_rows(body, where=self.where)

    def _no_list(self, doing: str, found: Mapping[str, Any]) -> UnusableAnswer:
        said = str(found.get("Message", ""))[:200]
        told = f': "{said}"' if said else ""
        return UnusableAnswer(f"{self.where}, asked to {doing}, answered with no list{told}. Try again later.")

    def _get(self, path: str, *, doing: str, area: str = "", params: Mapping[str, str] | None = None) -> bytes:
        year = {"DatabaseYear": str(self.year)} if self.year else {}
        answer = self._client.get(f"/api/v5{path}", params={**year, **(params or {})}, settled=_own_word)
        if answer.status == 200:
            return answer.body
        if answer.status == 204:
            raise UnusableAnswer(f"{self.where}, asked to {doing}, answered with nothing. Try again later.")
        raise self._refusal(answer, doing, area)

    def _refusal(self, answer: Answer, doing: str, area: str) -> IntegrationError:
        if general := self._client.refusal(answer):
            return general
        if answer.status in (401, 403):
            if area and self._certificate_works():
                return PermissionMissing(
                    f"{self.where} refuses to {doing}. Ask the district to grant '{area}' (Read) to the "
                    f"certificate, {WHERE_TO_GRANT}."
                )
            return AuthenticationFailed(
                f"{self.where} refuses the certificate. Copy the Token again; it has 32 letters and digits, "
                f"and capitals matter. The district finds it {WHERE_TO_GRANT}."
            )
        said = message(answer)
        if answer.status == 404:
            return NotFound(f"{self.where} was asked to {doing} and has no such record.")
        told = f': "{said[:200]}"' if said else f" (error {answer.status})"
        return RequestRefused(f"{self.where} refuses to {doing}{told}.")

    def _certificate_works(self) -> bool:
        """Whether the one list that needs the certificate and no permission is given."""
        year = {"DatabaseYear": str(self.year)} if self.year else {}
        return self._client.get("/api/v5/schools", params=year).status == 200


def message(answer: Answer) -> str:
    """The text of an error as Aeries words it, "" when there is none."""
    try:
        found = as_dict(msgspec.json.decode(answer.body)).get("Message", "")
    except UNREADABLE:
        return ""
    return found if isinstance(found, str) else ""


def _own_word(answer: Answer) -> bool:
    return message(answer).strip() in OWN_WORD
