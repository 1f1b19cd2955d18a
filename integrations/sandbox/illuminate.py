"""An Illuminate server: both ways to sign in, both shapes of lists, sites, students, enrollments, contacts, codes.

Documented by the vendor: the addresses, OAuth 1.0a with four values, OAuth 2, Sites and GradeLevels with their values,
academic years named by their end, the two hours until an edit shows. From public clients: the envelope with `page`,
`num_pages`, `num_results` and `results`, `num_pages` 0 for an empty list, a web page with status 200 where access is
not enabled. Everything else about students, enrollments, contacts, terms and codes is a contract of ours, since the
vendor's own text cannot be read publicly. Switches:

- `shape` ("envelope"): of students, enrollments, contacts and terms; "array" is the bare list, paged all the same;
- `small_shape` ("array"): of sites, grade levels and codes;
- `page_limit` (1000): the largest page; a larger one is cut, which `num_pages` shows. Without `limit` 100 rows come;
- `loose` (True): numbers as text, text as numbers, households that list a contact twice, blanks in contacts;
- `summer` (True): some children have a row in the summer session too;
- `by_date` (True): Students lists who is enrolled on `date`; False lists everybody of the academic year, as a server
  that ignores the parameter does;
- `api_enabled` (True): False answers every request with the login page;
- `miscounted` (0): what is added to `num_results`;
- `cache_ttl` (0): seconds for which a list is given out again as it was, as the vendor's cache of two hours does;
- `token_seconds` (3600): how long an OAuth 2 token lives.

Switches may be changed while the server runs: `sis.vendor.switch["cache_ttl"] = 0`.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Sequence
from datetime import date
from typing import Any, ClassVar

from integrations.sandbox.district import Child, District
from integrations.sandbox.illuminate_auth import Guard, Keys
from integrations.sandbox.illuminate_codes import academic_year, code_rows, grade_levels, session, terms
from integrations.sandbox.illuminate_rows import (
    Stay,
    contact_rows,
    enrollment_row,
    listed_sites,
    site_row,
    stays,
    student_row,
)
from integrations.sandbox.spoil import LOGIN_PAGE, html
from integrations.sandbox.vendor import Answer, Page, Request, Result, Vendor, route

API = r"/rest_server\.php/Api"
DEFAULT_LIMIT = 100
_KEYS = uuid.UUID("5d9b8a0e-7c1f-4b52-9a44-3a1f0c6e2d11")


class Illuminate(Vendor):
    """The Illuminate instance of the district."""

    key, base = "illuminate", "/live"
    switches: ClassVar[dict[str, Any]] = {
        "shape": "envelope",
        "small_shape": "array",
        "page_limit": 1000,
        "loose": True,
        "summer": True,
        "by_date": True,
        "api_enabled": True,
        "miscounted": 0,
        "cache_ttl": 0,
        "token_seconds": 3600,
    }
    last_name = "last_name"
    identifiers = ("local_student_id", "state_student_id", "primary_household.dwelling.zip")
    dates = ("birth_date", "school_enter_date")

    def setup(self) -> None:
        """Make the four values (the same for the same seed of the district) and an empty cache of lists."""
        seed = str(self.district.seed)
        self.guard = Guard(Keys(*(uuid.uuid5(_KEYS, f"{name} {seed}").hex for name in ("c", "cs", "u", "us"))))
        self._given: dict[Any, tuple[float, list[bytes]]] = {}
        self._stays: dict[District, tuple[int, dict[int, list[Stay]]]] = {}

    def credentials(self) -> dict[str, str]:
        """The four values; the first two are client id and secret of OAuth 2 too."""
        keys = self.guard.keys
        return {
            "consumer_token": keys.consumer,
            "consumer_secret": keys.consumer_secret,
            "user_token": keys.user,
            "user_secret": keys.user_secret,
        }

    def authenticate(self, request: Request) -> Answer | None:
        """The login page where access is not enabled, 401 without a good signature or token."""
        if not self.switch["api_enabled"]:
            return html(LOGIN_PAGE, 200)
        why = self.guard.refusal(request)
        return self.error(401, why) if why else None

    def error(self, status: int, message: str) -> Answer:
        """An error; its shape is inferred."""
        return self.json({"error": message}, status)

    def revoke(self) -> None:
        """Make every token given out invalid."""
        self.guard.revoke()

    def forget(self, name: str) -> None:
        """End the cache of one kind of list (students, contacts, enrollment): lists may be of different age."""
        self._given = {key: given for key, given in self._given.items() if key[0] != name}

    def school_of(self, request: Request) -> int | None:
        """The site asked for."""
        site = request.query.get("site_id", "")
        return int(site) if site.isdigit() else None

    @route("POST", r"/", open=True)
    def access_token(self, request: Request) -> Result:
        """A bearer token, at ?OAuth2_AccessToken."""
        if "OAuth2_AccessToken" not in request.query:
            return self.error(404, "Unknown endpoint.")
        seconds = float(self.faults.setting("F50", "seconds", self.switch["token_seconds"]))
        token = self.guard.new_token(request, seconds=seconds)
        if not token:
            return self.json({"error": "invalid_client"}, 401)
        return self.json({"access_token": token, "token_type": "Bearer", "expires_in": int(seconds)})

    @route("GET", rf"{API}/Sites")
    def sites(self, request: Request) -> Result:
        """The district site and the schools."""
        rows = [site_row(school, loose=self._loose) for school in listed_sites(request.district)]
        return self._small(request, rows)

    @route("GET", rf"{API}/GradeLevels")
    def grades(self, request: Request) -> Result:
        """The grade levels."""
        return self._small(request, grade_levels())

    @route("GET", rf"{API}/Codes/(?P<table>\w+)")
    def codes(self, request: Request) -> Result:
        """One table of Code Management."""
        rows = code_rows(request.args["table"])
        return self.error(404, "Unknown code table.") if rows is None else self._small(request, rows)

    @route("GET", rf"{API}/Terms")
    def term_rows(self, request: Request) -> Result:
        """The terms of one site in one academic year; none for a site that is not listed."""
        site, year = self.school_of(request), request.number("academic_year", academic_year(date.today()))
        known = {school.number for school in listed_sites(request.district)}
        rows = [_bytes(row) for row in terms(site, year)] if site in known else []
        return self._page(request, rows)

    @route("GET", rf"{API}/Students")
    def students(self, request: Request) -> Result:
        """Who is enrolled at a site on a day, by student_id."""

        def build() -> list[bytes]:
            return [_bytes(student_row(child, stay, loose=self._loose)) for child, stay in self._enrolled(request)]

        return self._page(request, self._list("students", request, build))

    @route("GET", rf"{API}/Contacts")
    def contacts(self, request: Request) -> Result:
        """The contacts of who is enrolled at a site on a day, one row for each household."""

        def build() -> list[bytes]:
            enrolled = self._enrolled(request)
            return [_bytes(row) for child, _ in enrolled for row in contact_rows(child, loose=self._loose)]

        return self._page(request, self._list("contacts", request, build))

    @route("GET", rf"{API}/Enrollment")
    def enrollments(self, request: Request) -> Result:
        """Every row of a site in an academic year."""
        year = request.number("academic_year", academic_year(date.today()))

        def build() -> list[bytes]:
            rows = [stay for stay in self._at(request) if stay.year == year]
            return [_bytes(enrollment_row(stay, loose=self._loose)) for stay in rows]

        return self._page(request, self._list("enrollment", request, build))

    @property
    def _loose(self) -> bool:
        return bool(self.switch["loose"])

    def _at(self, request: Request) -> list[Stay]:
        """The rows of the site asked for (of all sites without one), by student_id."""
        district = request.district
        version, by_site = self._stays.get(district, (-1, {}))
        if version != district.version:
            by_site = {}
            for child in sorted(district.children.values(), key=lambda child: child.dcid):
                for stay in stays(child, summer=bool(self.switch["summer"])):
                    by_site.setdefault(stay.site, []).append(stay)
            self._stays[district] = (district.version, by_site)
        site = self.school_of(request)
        return by_site.get(site, []) if site is not None else [stay for found in by_site.values() for stay in found]

    def _enrolled(self, request: Request) -> list[tuple[Child, Stay]]:
        """Each child enrolled on the day asked for, once; without a day on the nearest one in session."""
        day = _day(request.query.get("date", "")) or _in_session(date.today())
        found: dict[int, tuple[Child, Stay]] = {}
        for stay in self._at(request):
            chosen = stay.holds(day) if self.switch["by_date"] else stay.year == academic_year(day)
            if chosen:
                found.setdefault(stay.child.dcid, (stay.child, stay))
        return list(found.values())

    def _list(self, name: str, request: Request, build: Callable[[], list[bytes]]) -> list[bytes]:
        """The rows of a list, kept until the district changes, and longer where the cache is on."""
        names = sorted((key, value) for key, value in request.query.items() if key not in ("page", "limit"))
        key = (name, id(request.district), *names, *(self.switch[one] for one in ("loose", "summer", "by_date")))
        lasts, now = float(self.switch["cache_ttl"]), time.monotonic()
        if lasts and key in self._given and now - self._given[key][0] < lasts:
            return self._given[key][1]
        rows = self.cached(key, request.district.version, build)
        self._given[key] = (now, rows)
        return rows

    def _small(self, request: Request, rows: Sequence[dict[str, Any]]) -> Result:
        written = [_bytes(row) for row in rows]
        if self.switch["small_shape"] == "array":
            return Page(written, 0, len(written), _array)
        return self._page(request, written, shape="envelope")

    def _page(self, request: Request, rows: list[bytes], *, shape: str = "") -> Result:
        """One page of a list in the shape of the switch; 400 for a page below 1."""
        page, limit = request.number("page", 1), request.number("limit", DEFAULT_LIMIT)
        if page < 1 or limit < 1:
            return self.error(400, "page and limit must be whole numbers above 0.")
        limit = min(limit, int(self.switch["page_limit"]))
        if (shape or self.switch["shape"]) == "array":
            return Page(rows, (page - 1) * limit, page * limit, _array, school=self.school_of(request))
        total = max(0, len(rows) + int(self.switch["miscounted"]))
        head = b'{"page":%d,"num_pages":%d,"num_results":%d,"results":' % (page, -(-total // limit), total)

        def wrap(found: Sequence[bytes]) -> bytes:
            return head + _array(found) + b"}"

        return Page(rows, (page - 1) * limit, page * limit, wrap, school=self.school_of(request))


def _bytes(row: dict[str, Any]) -> bytes:
    return json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode()


def _array(rows: Sequence[bytes]) -> bytes:
    return b"[" + b",".join(rows) + b"]"


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _in_session(day: date) -> date:
    """The nearest day of the normal session of the academic year."""
    first, last = session(academic_year(day))
    return min(max(day, first), last)
