"""A PowerSchool server: OAuth, the v1 resources that are read, and the contacts API.

Sources: the in-product API explorer (mennotech/powerschool-api-docs), the student data dictionary and
recorded answers in tulsaschoolsdata/ps_utilities, the code and tests of grantholle/powerschool-api. What
PowerSchool does not document and is a guess has a switch:

- `student_max_page_size` (100), `school_max_page_size` (100): a plugin's largest page, the
  default too;
- `strict_page_size` (True): a larger page size is refused with 400, else the page is cut to the largest;
- `access_level` ("FULL"): the plugin's accessLevelV1Api; "NONE" refuses every v1 call with 403,
  "READ" every write;
- `school_students` ("active"): without `q` a school lists its active students only; "all" lists every status;
- `keep_leading_zeros` (False): numeric text with leading zeros (zip codes, state ids) stays text;
- `token_seconds` (2592000): how long a token lives;
- `maintenance` (False): every request is sent to PowerSchool's maintenance page.

Switches may be changed while the server runs: `sis.vendor.switch["maintenance"] = True`.
`sis.vendor.revoke()` expires the token at once.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import time
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar
from urllib.parse import parse_qs

import msgspec

from integrations.sandbox.district import District, School
from integrations.sandbox.powerschool_json import listing, members
from integrations.sandbox.powerschool_query import Clause, QueryError, parse
from integrations.sandbox.powerschool_roster import Roster
from integrations.sandbox.powerschool_rows import EXPANSIONS, EXTENSIONS
from integrations.sandbox.powerschool_schools import (
    SCHOOL_EXPANSIONS,
    district_tree,
    listed_schools,
    school_tree,
)
from integrations.sandbox.vendor import Answer, Count, Page, Request, Result, Vendor, route

MAINTENANCE = "https://message.powerschool.com/?server="
_CLIENTS = uuid.UUID("0d4b5a52-2f5f-4b7e-8f0e-0a8f6ad9c001")
_ACTIVE = parse("school_enrollment.enroll_status==A")
# The one is separated by comma and space, the other by the comma alone.
_HEAD = b'"@expansions":"%b","@extensions":"%b"' % (
    ", ".join(EXPANSIONS).encode(),
    ",".join(EXTENSIONS).encode(),
)
_SCHOOL_HEAD = b'"@expansions":"%b"' % ", ".join(SCHOOL_EXPANSIONS).encode()


class PowerSchool(Vendor):
    """The PowerSchool SIS of the district."""

    key, base = "powerschool", ""
    switches: ClassVar[dict[str, Any]] = {
        "student_max_page_size": 100,
        "school_max_page_size": 100,
        "strict_page_size": True,
        "access_level": "FULL",
        "school_students": "active",
        "keep_leading_zeros": False,
        "token_seconds": 2_592_000,
        "maintenance": False,
    }
    redirects: ClassVar[dict[str, str]] = {"maintenance": f"{MAINTENANCE}sandbox.powerschool.com"}
    last_name = "name.last_name"
    identifiers = (
        "local_id",
        "state_province_id",
        "addresses.physical.postal_code",
        "addresses.mailing.postal_code",
    )
    dates = ("demographics.birth_date", "school_enrollment.entry_date")

    def setup(self) -> None:
        """Make the client's credentials (the same for the same seed of the district) and an empty index."""
        seed = str(self.district.seed)
        self.client = (str(uuid.uuid5(_CLIENTS, f"id {seed}")), str(uuid.uuid5(_CLIENTS, f"secret {seed}")))
        self._token, self._expires = "", 0.0
        self._rosters: dict[District, Roster] = {}
        self.started = datetime.now(UTC)

    def credentials(self) -> dict[str, str]:
        """Client id and client secret, as consumer token and consumer secret."""
        return {"consumer_token": self.client[0], "consumer_secret": self.client[1]}

    def authenticate(self, request: Request) -> Answer | None:
        """Refuse a missing or expired bearer token with 401, a v1 call beyond the plugin's level with 403."""
        if refused := self._moved(request):
            return refused
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        known = bool(self._token) and time.time() < self._expires
        if (
            scheme.lower() != "bearer"
            or not known
            or not hmac.compare_digest(token.strip().encode(), self._token.encode())
        ):
            return self.unauthorized()
        level = self.switch["access_level"]
        denied = level == "NONE" or (level == "READ" and request.method != "GET")
        if denied and request.path.startswith("/ws/v1/"):
            return self.error(403, f"The plugin's V1 API access level is {level}.")
        return None

    def error(self, status: int, message: str) -> Answer:
        """An error of v1. The shape for 403 and 404 is inferred: no recorded answer was found."""
        return self.json({"errorMessage": {"message": message}}, status)

    def unauthorized(self) -> Answer:
        """401 with an empty body; only the header says why."""
        why = 'error="invalid_token",realm="PowerSchool",error_description="The access token has expired"'
        return Answer(401, b"", headers={"WWW-Authenticate": f"Bearer {why}"})

    def revoke(self) -> None:
        """Expire the token now; the next request for one gives another."""
        self._token, self._expires = "", 0.0

    def school_of(self, request: Request) -> int | None:
        """The number of the school whose DCID is in the path."""
        dcid = request.args.get("school", "")
        found = self._roster(request.district).school(int(dcid)) if dcid else None
        return found.number if found else None

    def warm(self) -> None:
        """Index the district and render every contact; students are rendered at the first page asked for."""
        with self.district.lock:
            roster = self._roster(self.district)
            for dcid in roster.select(()):
                roster.contacts_of(dcid)

    @route("POST", r"/oauth/access_token", open=True)
    def access_token(self, request: Request) -> Result:
        """The one token of the client, with the rest of its life in seconds as text."""
        if refused := self._moved(request):
            return refused
        form = parse_qs(request.body.decode("utf-8", "replace"))
        if form.get("grant_type") != ["client_credentials"]:
            return self.json({"error": "bad_request"}, 400)
        given = _basic(request.headers.get("authorization", ""))
        if not hmac.compare_digest(given, ":".join(self.client).encode()):
            return self.json({"error": "invalid_client"}, 401)
        now = time.time()
        if not self._token or now >= self._expires:
            seconds = self.faults.setting("F50", "seconds", self.switch["token_seconds"])
            self._token, self._expires = str(uuid.uuid4()), now + float(seconds)
        remaining = max(0, int(self._expires - now))
        return self.json({"access_token": self._token, "token_type": "Bearer", "expires_in": str(remaining)})

    @route("GET", r"/ws/v1/metadata", open=True)
    def metadata(self, request: Request) -> Result:
        """Versions and the plugin's page sizes; needs no token, so it proves none."""
        others = ("course", "section", "section_enrollment", "staff", "term", "schema_table_query")
        sizes = {f"{name}_max_page_size": 100 for name in others}
        single_sign_on = {f"sso_enabled_{who}": "false" for who in ("admin", "guardian", "student", "teacher")}
        uptime = f"0 days {(datetime.now(UTC) - self.started).seconds // 60} minutes"
        found = {
            **sizes,
            "student_max_page_size": self.switch["student_max_page_size"],
            "school_max_page_size": self.switch["school_max_page_size"],
            "plugin_id": 101,
            "powerschool_version": "25.9.0.1",
            "mobile_api_version": "2.10.0",
            "state_reporting_version": "25.9.1",
            "state": "CA",
            "machine_uptime": uptime,
            "powerschool_uptime": uptime,
            "district_timezone": "America/Los_Angeles",
            "district_uuid": district_tree(request.district, ())["uuid"],
            **single_sign_on,
        }
        return self._moved(request) or self.json({"metadata": dict(sorted(found.items()))})

    @route("GET", r"/ws/v1/time", open=True)
    def server_time(self, request: Request) -> Result:
        """The server's time; needs no token. The shape is inferred."""
        return self._moved(request) or self.json({"time": datetime.now(UTC).isoformat(timespec="seconds")})

    @route("GET", r"/ws/v1/district")
    def district_resource(self, request: Request) -> Result:
        """The district, with its code lists as expansions."""
        expansions = _names(request, "expansions")
        tree = district_tree(request.district, expansions)
        body = members(tree, blank=expansions, keep_zeros=self._keep_zeros)
        return Answer(200, b'{"district":{%b}}' % body, rows=1)

    @route("GET", r"/ws/v1/district/school")
    @route("GET", r"/ws/v1/school")
    def schools(self, request: Request) -> Result:
        """The schools, by number."""
        window = self._window(request, "school_max_page_size")
        if isinstance(window, Answer):
            return window
        expansions = _names(request, "expansions")
        rows = [self._school_row(school, expansions) for school in listed_schools(request.district)]
        return Page(rows, *window, wrap=_wrap_schools)

    @route("GET", r"/ws/v1/(?:district/)?school/count")
    def school_count(self, request: Request) -> Result:
        """How many schools there are."""
        return Count(len(listed_schools(request.district)), _resource_count)

    @route("GET", r"/ws/v1/school/(?P<school>\d+)")
    def school(self, request: Request) -> Result:
        """One school by DCID."""
        found = self._roster(request.district).school(int(request.args["school"]))
        if found is None:
            return self.error(404, f"School {request.args['school']} was not found.")
        return Answer(200, b'{"school":%b}' % self._school_row(found, _names(request, "expansions")), rows=1)

    @route("GET", r"/ws/v1/district/student")
    @route("GET", r"/ws/v1/school/(?P<school>\d+)/student")
    def students(self, request: Request) -> Result:
        """Students, by DCID: of the district whatever their status, of a school as the switch says."""
        window = self._window(request, "student_max_page_size")
        chosen = self._choose(request)
        if isinstance(window, Answer):
            return window
        if isinstance(chosen, Answer):
            return chosen
        number, clauses = chosen
        expansions = tuple(name for name in EXPANSIONS if name in _names(request, "expansions"))
        extensions = tuple(name for name in EXTENSIONS if name in _names(request, "extensions"))
        roster = self._roster(request.district)

        def build() -> list[bytes]:
            found = (roster.student(dcid, expansions, extensions) for dcid in roster.select(clauses, number))
            return [b"{%b}" % row for row in found if row is not None]

        key = (id(request.district), self._keep_zeros, number, clauses, expansions, extensions)
        rows = self.cached(key, request.district.version, build)
        return Page(rows, *window, wrap=_wrap_students, school=number)

    @route("GET", r"/ws/v1/district/student/count")
    @route("GET", r"/ws/v1/school/(?P<school>\d+)/student/count")
    def student_count(self, request: Request) -> Result:
        """How many students the list without `/count` holds; parameters other than `q` are ignored."""
        chosen = self._choose(request)
        if isinstance(chosen, Answer):
            return chosen
        number, clauses = chosen
        rows = self.cached(
            ("count", id(request.district), number, clauses),
            request.district.version,
            lambda: [b"%d" % len(self._roster(request.district).select(clauses, number))],
        )
        return Count(int(rows[0]), _resource_count, school=number)

    @route("GET", r"/ws/v1/student/(?P<student>\d+)")
    def student(self, request: Request) -> Result:
        """One student by DCID, with the names of the expansions and extensions there are."""
        expansions = tuple(name for name in EXPANSIONS if name in _names(request, "expansions"))
        extensions = tuple(name for name in EXTENSIONS if name in _names(request, "extensions"))
        found = self._roster(request.district).student(int(request.args["student"]), expansions, extensions)
        if found is None:
            return self.error(404, f"Student {request.args['student']} was not found.")
        return Answer(200, b'{"student":{%b,%b}}' % (_HEAD, found), rows=1)

    @route("GET", r"/ws/contacts/student/(?P<student>\d+)")
    def student_contacts(self, request: Request) -> Result:
        """The contacts of one student as a bare array; 204 when there are none."""
        found = self._roster(request.district).contacts_of(int(request.args["student"]))
        if found is None:
            return self.json({"message": f"Student {request.args['student']} was not found."}, 404)
        return Answer(200, b"[" + b",".join(found) + b"]", rows=len(found)) if found else Answer(204, rows=0)

    @route("GET", r"/ws/contacts/contact/(?P<contact>\d+)")
    def contact(self, request: Request) -> Result:
        """One contact by its id."""
        found = self._roster(request.district).contact(int(request.args["contact"]))
        if found is None:
            return self.json({"message": f"Contact {request.args['contact']} was not found."}, 404)
        return Answer(200, found, rows=1)

    @route("GET", r"/ws/contacts/contacts")
    def contacts(self, request: Request) -> Result:
        """The contacts of `contactids=1,2` as a bare array; unknown ids are left out."""
        numbers = [item.strip() for item in request.query.get("contactids", "").split(",") if item.strip()]
        if not numbers or not all(item.isdigit() for item in numbers):
            return self.json({"message": "contactids must be a list of contact ids."}, 400)
        roster = self._roster(request.district)
        bodies = (roster.contact(int(item)) for item in dict.fromkeys(numbers))
        found = [body for body in bodies if body is not None]
        return Answer(200, b"[" + b",".join(found) + b"]", rows=len(found)) if found else Answer(204, rows=0)

    @property
    def _keep_zeros(self) -> bool:
        return bool(self.switch["keep_leading_zeros"])

    def _roster(self, district: District) -> Roster:
        roster = self._rosters.get(district)
        if roster is None or roster.keep_zeros != self._keep_zeros:
            roster = self._rosters[district] = Roster(district, keep_zeros=self._keep_zeros)
        return roster

    def _school_row(self, school: School, expansions: tuple[str, ...]) -> bytes:
        tree = school_tree(school, expansions)
        return b"{%b}" % members(tree, blank=expansions, keep_zeros=self._keep_zeros)

    def _moved(self, request: Request) -> Answer | None:
        """The redirect to the maintenance page while the switch is on."""
        if not self.switch["maintenance"]:
            return None
        host = request.headers.get("host", "").partition(":")[0]
        return Answer(302, b"", "text/html", {"Location": MAINTENANCE + host})

    def _window(self, request: Request, largest_switch: str) -> tuple[int, int] | Answer:
        """The rows of the page asked for as (start, stop), or the refusal of a bad page or page size."""
        largest = int(self.switch[largest_switch])
        texts = request.query.get("page", "1") or "1", request.query.get("pagesize", "") or str(largest)
        if not all(text.isdigit() and int(text) > 0 for text in texts):
            return _bad_request("page and pagesize must be whole numbers above 0.", "pagesize")
        page, size = int(texts[0]), int(texts[1])
        if size > largest:
            if self.switch["strict_page_size"]:
                return _bad_request(f"The page size {size} exceeds the maximum of {largest}.", "pagesize")
            size = largest
        return (page - 1) * size, page * size

    def _choose(self, request: Request) -> tuple[int | None, tuple[Clause, ...]] | Answer:
        """The school number (None: every school) and conditions a list of students is limited to."""
        number = None
        if "school" in request.args:
            found = self._roster(request.district).school(int(request.args["school"]))
            if found is None:
                return self.error(404, f"School {request.args['school']} was not found.")
            number = found.number
        try:
            clauses = parse(request.query.get("q", ""))
        except QueryError as error:
            return _bad_request(str(error), "q")
        if number is not None and not clauses and self.switch["school_students"] == "active":
            clauses = _ACTIVE
        return number, clauses


def _names(request: Request, parameter: str) -> tuple[str, ...]:
    return tuple(name.strip().lower() for name in request.query.get(parameter, "").split(",") if name.strip())


def _bad_request(message: str, field: str) -> Answer:
    body = {"message": message, "errors": [{"resource": "v1", "field": field, "code": "INVALID"}]}
    return Answer(400, msgspec.json.encode(body))


def _basic(header: str) -> bytes:
    """What a Basic authorization header holds; empty when it is none."""
    scheme, _, text = header.partition(" ")
    try:
        return base64.b64decode(text.strip(), validate=True) if scheme.lower() == "basic" else b""
    except binascii.Error:
        return b""


def _resource_count(value: int) -> bytes:
    return b'{"resource":{"count":%d}}' % value


def _wrap_students(rows: Sequence[bytes]) -> bytes:
    return listing("students", "student", list(rows), _HEAD)


def _wrap_schools(rows: Sequence[bytes]) -> bytes:
    return listing("schools", "school", list(rows), _SCHOOL_HEAD)
