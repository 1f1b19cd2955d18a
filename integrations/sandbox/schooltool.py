"""Plays a system that serves the "SchoolTool roster URL, version 1", a contract of the console's own."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any, ClassVar

import msgspec

from integrations.sandbox import schooltool_csv
from integrations.sandbox import schooltool_records as records
from integrations.sandbox.vendor import Answer, Page, Request, Result, Vendor, route

ROSTER = r"/roster(?:/(?P<key>[A-Za-z0-9]{20,}))?"
MOST_TO_A_PAGE, USUAL_PAGE = 500, 200
CODES = {
    401: "invalid_token",
    403: "not_enabled",
    404: "not_found",
    409: "year_not_available",
    429: "too_many_requests",
    503: "maintenance",
}


class SchoolTool(Vendor):
    """The roster URL. Switches:

    `token` (default: made from the district's seed); `carried_in` where the Url carries it: "query", "path" or
    "none" (no token is asked for); `form` "json" or "csv" (one file at the Url itself); `clock` the server's own
    day: it shows the school year that day falls in, the next one from 1 July on, and no other; None: every year
    asked for, the district's when none is. `contract` the header X-SchoolTool-Contract, "" for none; `enabled`
    False: 403; `ended` also lists enrollments that have ended; `contacts` False tells
    none (lists only). Of the file: `bom`, `charset`, `renamed` column → other name, `end` False leaves the last
    line out.
    """

    key, base = "schooltool", "/schooltool"
    switches: ClassVar[dict[str, Any]] = {
        "token": None,
        "carried_in": "query",
        "form": "json",
        "clock": None,
        "contract": "1",
        "enabled": True,
        "ended": False,
        "contacts": True,
        "bom": False,
        "charset": "utf-8",
        "renamed": {},
        "end": True,
    }
    last_name = "lastName"
    identifiers = ("studentId", "stateId")
    dates = ("birthDate",)
    secret_query = ("token",)

    def setup(self) -> None:
        digest = hashlib.sha256(f"schooltool {self.district.seed}".encode()).hexdigest()
        self.token: str = self.switch["token"] or digest[:32]
        self.clock: date | None = self.switch["clock"]

    def credentials(self) -> dict[str, str]:
        return {}

    def address(self) -> str:
        ends = {"query": f"/roster?token={self.token}", "path": f"/roster/{self.token}"}
        return ends.get(self.switch["carried_in"], "/roster")

    def error(self, status: int, message: str) -> Answer:
        answer = self.json({"error": {"code": CODES.get(status, "error"), "message": message}}, status)
        return self.signed(answer)

    def signed(self, answer: Answer) -> Answer:
        """The answer with the header that tells the contract."""
        if self.switch["contract"]:
            answer.headers["X-SchoolTool-Contract"] = self.switch["contract"]
        return answer

    def unauthorized(self) -> Answer:
        return self.error(401, "The token is missing or no longer valid.")

    def authenticate(self, request: Request) -> Answer | None:
        given = request.query.get("token", "")
        if self.switch["carried_in"] == "path":
            given = request.args.get("key", "")
        if self.switch["carried_in"] != "none" and given != self.token:
            return self.unauthorized()
        if not self.switch["enabled"]:
            return self.error(403, "Vendor access is not enabled for this district.")
        return None

    @route("GET", ROSTER)
    def file(self, request: Request) -> Result:
        if self.switch["form"] != "csv":
            return self.error(404, "Ask for /buildings or /students.")
        if refused := self.refused_year(request):
            return refused
        district, style = request.district, self.style(request)
        text = schooltool_csv.roster(
            [records.student(child, rows, style) for child, rows in records.enrolled(district, style)],
            buildings={str(one.number): records.building(one, district) for one in district.schools},
            year=self.year_name(request),
            renamed=self.switch["renamed"],
            end=self.switch["end"],
        )
        body = ("\ufeff" if self.switch["bom"] else "").encode() + text.encode(self.switch["charset"], "replace")
        return self.signed(Answer(200, body, "text/csv", rows=text.count("\n") - 1))

    @route("GET", ROSTER + "/buildings")
    def buildings(self, request: Request) -> Result:
        district = request.district
        return self.listing(request, [records.building(one, district) for one in records.listed(district)])

    @route("GET", ROSTER + "/students")
    def students(self, request: Request) -> Result:
        district, style = request.district, self.style(request)

        def build() -> list[bytes]:
            found = records.enrolled(district, style)
            return [msgspec.json.encode(records.student(child, rows, style)) for child, rows in found]

        rows = self.cached(("students", id(district), style), district.version, build)
        since = request.query.get("modifiedSince", "")
        if since:
            moment = datetime.fromisoformat(since)
            rows = [row for row in rows if datetime.fromisoformat(msgspec.json.decode(row)["modified"]) >= moment]
        return self.listing(request, rows)

    def listing(self, request: Request, found: Sequence[bytes] | Iterable[dict[str, Any]]) -> Result:
        """One page of a list in its envelope, or a refusal."""
        if self.switch["form"] != "json":
            return self.error(404, "There is a file only.")
        if refused := self.refused_year(request):
            return refused
        rows = [one if isinstance(one, bytes) else msgspec.json.encode(one) for one in found]
        number, size = request.number("page", 1), min(request.number("pageSize", USUAL_PAGE), MOST_TO_A_PAGE)
        if number < 1 or size < 1:
            return self.error(400, "page and pageSize must be 1 or more.")
        total = len(rows) + sum(one.settings["by"] for one in self.faults.take(("F43",), request.full_path))
        head = msgspec.json.encode(
            {"schoolYear": self.year_name(request), "page": number, "pageSize": size, "totalRecords": total}
        )

        def wrap(window: Sequence[bytes]) -> bytes:
            return head[:-1] + b',"records":[' + b",".join(window) + b"]}"

        tag = hashlib.sha256(b"\n".join(rows[(number - 1) * size : number * size])).hexdigest()[:16]
        page = Page(rows, (number - 1) * size, number * size, wrap, headers={"ETag": f'"{tag}"'})
        page.headers |= self.signed(Answer()).headers
        return page

    def refused_year(self, request: Request) -> Answer | None:
        """409 for a school year that is not there, 400 for none."""
        asked = request.query.get("schoolYear", "")
        if asked and not asked.isdigit():
            return self.error(400, "schoolYear is the year in which the school year ends, such as 2027.")
        if self.clock is None or not asked or int(asked) == ends_in(self.clock):
            return None
        return self.error(409, f"School year {int(asked) - 1}-{int(asked) % 100:02d} is not available.")

    def year(self, request: Request) -> int:
        """The school year shown, as the year it ends in."""
        usual = ends_in(self.clock) if self.clock else request.district.year + 1
        return request.number("schoolYear", usual)

    def year_name(self, request: Request) -> str:
        """The school year shown, such as 2026-27."""
        return f"{self.year(request) - 1}-{self.year(request) % 100:02d}"

    def style(self, request: Request) -> records.Style:
        """How to render for this request."""
        district = request.district
        changed = {change.child_id: change.at for change in district.changes}
        back = district.year + 1 - self.year(request)
        return records.Style(back=back, ended=self.switch["ended"], contacts=self.switch["contacts"], changed=changed)

    def warm(self) -> None:
        self.students(Request("GET", "", {}, {}, b"", self.district, "", {}, None))


def ends_in(day: date) -> int:
    """The year in which the school year of a day ends; a new one begins on 1 July."""
    return day.year + (day.month >= 7)
