"""The resources of PowerSchool that a pull reads, its tokens, what its refusals mean. Sources: the README."""

from __future__ import annotations

import base64
import hashlib
import threading
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

DEFAULT_MAX_PAGE = 100
EXPANSIONS = "demographics,addresses,phones,school_enrollment,ethnicity_race,contact_info"
EXTENSIONS = "studentcorefields"
ENROLLED = "school_enrollment.enroll_status==(A,P)"
PLUGIN_PAGE = (
    "in PowerSchool under System > System Settings > Plugin Management Configuration > the plugin > "
    "Data Provider Configuration"
)

_tokens: dict[tuple[str, str, str], tuple[str, float]] = {}
_tokens_lock = threading.Lock()


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
        self._basic = base64.b64encode(f"{client_id}:{secret}".encode()).decode()
        self._key = (self.base, client_id, hashlib.sha256(secret.encode()).hexdigest())
        self._renewing = threading.Lock()

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
        with _tokens_lock:
            known, until = _tokens.get(self._key, ("", 0.0))
        return known if known and time.monotonic() < until else self._new_token(known)

    def district(self) -> dict[str, Any]:
        """The district: uuid, name, district_number."""
        body = self._get("/ws/v1/district", doing="read the district")
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
        """The body of a success, b"" for none; a refused token is renewed once."""
        token = self.token()
        answer = self._ask(path, token, params)
        if answer.status == 401:
            answer = self._ask(path, self._new_token(token), params)
        if answer.status in (200, 204):
            return answer.body
        raise self._refusal(answer, doing)

    def _ask(self, path: str, token: str, params: Mapping[str, str] | None) -> Answer:
        return self._client.get(path, params=params, headers={"Authorization": f"Bearer {token}"})

    def _new_token(self, refused: str) -> str:
        """A token other than the refused one, asked for by one thread only."""
        with self._renewing:
            with _tokens_lock:
                known, until = _tokens.get(self._key, ("", 0.0))
            if known and known != refused and time.monotonic() < until:
                return known
            answer = self._client.send(
                "POST",
                "/oauth/access_token",
                body=b"grant_type=client_credentials",
                headers={
                    "Authorization": f"Basic {self._basic}",
                    "Content-Type": "application/x-www-form-urlencoded;charset=UTF-8",
                },
                repeatable=True,
            )
            if answer.status != 200:
                raise self._client.refusal(answer) or self._rejected()
            found = as_dict(read(answer.body, where=self.where))
            token, seconds = found.get("access_token"), integer(found.get("expires_in"), "expires_in")
            if not isinstance(token, str) or not token:
                raise UnusableAnswer(f"{self.where} gave no token. Try again later.")
            lasts = seconds or 0
            with _tokens_lock:
                _tokens[self._key] = (token, time.monotonic() + lasts - min(300.0, lasts / 10))
            return token

    def _rejected(self) -> AuthenticationFailed:
        return AuthenticationFailed(
            f"{self.where} refuses the Consumer Token and Consumer Secret. Copy the plugin's Client ID and "
            f"Client Secret again, {PLUGIN_PAGE}; the plugin must be enabled."
        )

    def _refusal(self, answer: Answer, doing: str) -> IntegrationError:
        if general := self._client.refusal(answer):
            return general
        if answer.status == 401:
            return self._rejected()
        if answer.status == 403:
            return self._forbidden(doing)
        if answer.status == 404:
            return NotFound(f"{self.where} was asked to {doing} and has no such record.")
        said = _message(answer)
        told = f': "{said[:200]}"' if said else f" (error {answer.status})"
        return RequestRefused(f"{self.where} refuses to {doing}{told}.")

    def _forbidden(self, doing: str) -> PermissionMissing:
        """The plugin may read nothing at all, or not this."""
        if self._ask("/ws/v1/district", self.token(), None).status == 403:
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
