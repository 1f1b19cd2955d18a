"""The resources of PowerSchool that a pull reads, its tokens, what its refusals mean. Sources: the README."""

from __future__ import annotations

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
from ...parsing import UNREADABLE, as_dict, as_list, integer, one_or_many, read, split_rows
from ..base import Connection, SourceSchool
from ..oauth2 import TokenKeeper

DEFAULT_MAX_PAGE = 100
EXPANSIONS = "demographics,addresses,phones,school_enrollment,ethnicity_race,contact_info"
EXTENSIONS = "studentcorefields"
ENROLLED = "school_enrollment.enroll_status==(A,P)"
PLUGIN_PAGE = (
    "in PowerSchool under System > System Settings > Plugin Management Configuration > the plugin > "
    "Data Provider Configuration"
)


def base_url(url: str) -> str:
    """The server's base address from what people paste: without /admin, /ws/v1 and the like."""
    base = url.strip().partition("?")[0].rstrip("/")
    for tail in ("/oauth/access_token", "/ws/v1", "/ws", "/admin/home.html", "/admin", "/public/home.html"):
        base = base.removesuffix(tail)
    return base.rstrip("/")


class PowerSchoolClient:
    """Reads one PowerSchool server with a plugin's client credentials. Threads may share it."""

    def __init__(self, connection: Connection, limits: Limits, *, sleep: Callable[[float], None] = time.sleep) -> None:
        """Prepare, without connecting. Raises ConfigurationError and AddressRefused."""
        client_id = connection.credentials.get("consumer_token", "").strip()
        secret = connection.credentials.get("consumer_secret", "").strip()
        if not client_id or not secret:
            raise ConfigurationError(
                "The Consumer Token or Consumer Secret is missing: enter the plugin's Client ID and Client "
                f"Secret, shown {PLUGIN_PAGE}."
            )
        self._client = Client(
            base_url(connection.url),
            system="PowerSchool",
            allowed_hosts=connection.allowed_hosts,
            limits=limits,
            sleep=sleep,
        )
        self.where, self.base = self._client.where, self._client.base
        self._rejected = (
            f"{self.where} refuses the Consumer Token and Consumer Secret. Copy the plugin's Client ID and "
            f"Client Secret again, {PLUGIN_PAGE}; the plugin must be enabled."
        )
        self._tokens = TokenKeeper(
            self._client, "/oauth/access_token", client_id=client_id, secret=secret, rejected=self._rejected
        )

    def close(self) -> None:
        """Close all connections."""
        self._client.close()

    def metadata(self) -> dict[str, Any]:
        """Versions and page sizes, told to anyone. Raises WrongSystem where it is no PowerSchool."""
        wrong = (
            f"{self.where} answers, but not as PowerSchool does. The Url must be the address of the "
            "PowerSchool server, such as https://district.powerschool.com."
        )
        answer = self._client.get("/ws/v1/metadata")
        if answer.status not in (200, 401):
            raise self._client.refusal(answer) or WrongSystem(wrong)
        body = answer.body if answer.status == 200 else self._get("/ws/v1/metadata", doing="tell its version")
        found = as_dict(read(body, where=self.where).get("metadata"))
        if not any(name.endswith("_max_page_size") or name == "powerschool_version" for name in found):
            raise WrongSystem(wrong)
        return found

    def token(self) -> str:
        """The token in use, asked for when there is none that lasts. Raises AuthenticationFailed."""
        return self._tokens.token()

    def district(self, *, expansions: str = "") -> dict[str, Any]:
        """The district: uuid, name, district_number; with its code lists where their expansions are named."""
        params = {"expansions": expansions} if expansions else None
        body = self._get("/ws/v1/district", doing="read the district", params=params)
        return as_dict(read(body, where=self.where).get("district"))

    def schools(self, page: int, size: int) -> list[dict[str, Any]]:
        """One page of the schools, from 1; [] past the end."""
        params = {"page": str(page), "pagesize": str(size)}
        body = self._get("/ws/v1/district/school", doing="list its schools", params=params)
        holder = read(body, where=self.where).get("schools")
        if holder is None:
            raise self._no_list("list its schools")
        return [as_dict(one) for one in as_list(as_dict(holder).get("school"))]

    def student_count(self, school: SourceSchool) -> int:
        """How many enrolled and pre-registered students a school says it has."""
        doing = f"count the students of school {school.code}"
        body = self._get(f"/ws/v1/school/{school.key}/student/count", doing=doing, params={"q": ENROLLED})
        found = integer(as_dict(read(body, where=self.where).get("resource")).get("count"), "count")
        if found is None:
            raise UnusableAnswer(f"{self.where}, asked to {doing}, told no number. Try again later.")
        return found

    def students(self, school: SourceSchool, page: int, size: int, *, contact: bool) -> list[Raw]:
        """One page of a school's enrolled and pre-registered students, from 1; [] past the end.

        contact: with the contact fields of the student record.
        """
        doing = f"read students of school {school.code}"
        params = {
            "q": ENROLLED,
            "page": str(page),
            "pagesize": str(size),
            "expansions": EXPANSIONS + (",contact" if contact else ""),
            "extensions": EXTENSIONS,
        }
        body = self._get(f"/ws/v1/school/{school.key}/student", doing=doing, params=params)
        outer = read(body, dict[str, Raw], where=self.where)
        if "students" not in outer:
            raise self._no_list(doing)
        holder = outer["students"]
        if bytes(memoryview(holder)[:1]) != b"{":
            return one_or_many(holder)
        return one_or_many(read(holder, dict[str, Raw], where=self.where).get("student"))

    def student(self, dcid: str) -> dict[str, Any] | None:
        """One student with its enrollment, None when there is no such id."""
        doing = f"look up student {dcid}"
        params = {"expansions": "school_enrollment"}
        try:
            body = self._get(f"/ws/v1/student/{dcid}", doing=doing, params=params)
        except NotFound:
            return None
        found = as_dict(read(body, where=self.where).get("student"))
        if not found:
            raise self._no_list(doing)
        return found

    def contacts(self, dcid: str) -> list[Raw]:
        """The contacts of one student, [] when it has none."""
        doing = f"read the contacts of student {dcid}"
        try:
            body = self._get(f"/ws/contacts/student/{dcid}", doing=doing)
        except NotFound:
            raise RequestRefused(
                f"{self.where} was asked to {doing} and has no such address or student. PowerSchool before "
                "version 12 has no contacts of its own: set the option contacts to student_record."
            ) from None
        return split_rows(body, where=self.where) if body else []

    def _get(self, path: str, *, doing: str, params: Mapping[str, str] | None = None) -> bytes:
        """The body of a success, b"" for none."""
        answer = self._ask(path, params)
        if answer.status in (200, 204):
            return answer.body
        raise self._refusal(answer, doing)

    def _ask(self, path: str, params: Mapping[str, str] | None) -> Answer:
        return self._tokens.asked(lambda token: self._client.get(path, params=params, headers=token))

    def _refusal(self, answer: Answer, doing: str) -> IntegrationError:
        if general := self._client.refusal(answer):
            return general
        if answer.status == 401:
            return AuthenticationFailed(self._rejected)
        if answer.status == 403:
            return self._forbidden(doing)
        if answer.status == 404:
            return NotFound(f"{self.where} was asked to {doing} and has no such record.")
        said = _message(answer)
        told = f': "{said[:200]}"' if said else f" (error {answer.status})"
        return RequestRefused(f"{self.where} refuses to {doing}{told}.")

    def _forbidden(self, doing: str) -> PermissionMissing:
        """The plugin may read nothing at all, or not this."""
        if self._ask("/ws/v1/district", None).status == 403:
            return PermissionMissing(
                f"{self.where} knows the plugin, but lets it read nothing. An administrator must set its V1 "
                f"API access level (accessLevelV1Api) to READ, {PLUGIN_PAGE}."
            )
        return PermissionMissing(
            f"{self.where} refuses to {doing}. Ask an administrator of PowerSchool to grant this to the "
            f"plugin, {PLUGIN_PAGE}."
        )

    def _no_list(self, doing: str) -> UnusableAnswer:
        return UnusableAnswer(f"{self.where}, asked to {doing}, sent something else. Try again later.")


def _message(answer: Answer) -> str:
    """The text of an error in any of the shapes seen, "" when there is none."""
    try:
        found = as_dict(msgspec.json.decode(answer.body))
    except UNREADABLE:
        return ""
    said = as_dict(found.get("errorMessage")).get("message") or found.get("message") or found.get("error")
    return said if isinstance(said, str) else ""
