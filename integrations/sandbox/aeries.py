"""A sandbox of the Aeries API v5: schools, students, contacts, enrollment history, codes, data changes.

Sources: Aeries API documentation (support.aeries.com: "Building a Request", "School Related End Points",
"Student Related End Points", "Attendance and Enrollment Related End Points", "How SchoolCode is used in
Aeries API Student and Contact Endpoints"), and payloads in public client code. README.md says what is
documented and what inferred. Versions 3 and 4 are the same with the older names, as far as public clients
need them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

import msgspec

from integrations.sandbox import aeries_pictures
from integrations.sandbox import aeries_rows as rows
from integrations.sandbox.aeries_codes import code_rows
from integrations.sandbox.district import Child, District, Enrollment, School
from integrations.sandbox.server import Answer, Page, Request, Result, Vendor, route

ZONE = ZoneInfo("America/Los_Angeles")
API = r"/api/v(?P<version>[345])"
SCHOOL = API + r"/schools/(?P<school>-?\d+)"
AREAS = ("student", "contact", "program", "test", "class", "enrollment")
NOT_LISTED = ("graduated",)

Render = Callable[[Child, Enrollment, School | None, rows.Style], dict[str, Any]]


class Aeries(Vendor):
    """The Aeries server. Switches:

    `certificate` the AERIES-CERT (default: made from the district's seed, so that it stays the same);
    `certificate_in_query` also take `?cert=`; `permissions` {"Student Data": False, ...} by area;
    `old_spelling` CorrespondanceLanguageCode; `at_risk_points` AtRiskPoints as text for EarlyWarningPoints;
    `zero_dates` 0001-01-01 for null; `html_errors` web pages for errors; `portal_account_id` False leaves the
    77th property of contacts out; `school_as_list` one school answers as a one-element array;
    `odd_pictures` {student id: kind of `aeries_pictures.ODD`}; `retaken` ids of students with a new picture;
    `taken_at` {(student id, school): years later} for another picture at that school; `twice` ids of students who
    come twice, first with the picture of the year before; `picture_padding` bytes by which every picture is larger.
    """

    key, base, ignore_case = "aeries", "/aeries", True
    switches: ClassVar[dict[str, Any]] = {
        "certificate": None,
        "certificate_in_query": False,
        "permissions": {},
        "old_spelling": False,
        "at_risk_points": False,
        "zero_dates": False,
        "html_errors": False,
        "portal_account_id": True,
        "school_as_list": False,
        "odd_pictures": {},
        "retaken": (),
        "taken_at": {},
        "twice": (),
        "picture_padding": 0,
    }
    last_name = "LastName"
    identifiers = (
        "StudentID",
        "StateStudentID",
        "MailingAddressZipCode",
        "ResidenceAddressZipCode",
        "AddressZipCode",
    )
    dates = ("Birthdate", "SchoolEnterDate", "EnterDate")
    secret_query = ("cert",)

    def setup(self) -> None:
        digest = hashlib.sha256(f"aeries {self.district.seed}".encode()).hexdigest()
        mixed = "".join(letter.upper() if place % 2 else letter for place, letter in enumerate(digest))
        self.certificate: str = self.switch["certificate"] or mixed[:32]

    def credentials(self) -> dict[str, str]:
        return {"token": self.certificate}

    def error(self, status: int, message: str) -> Answer:
        if self.switch["html_errors"] and status != 200:
            page = f"<!DOCTYPE html><html><head><title>{status}</title></head><body>{message}</body></html>"
            return Answer(status, page.encode(), "text/html")
        return self.json({"Message": message}, status)

    def unauthorized(self) -> Answer:
        return self.error(401, "Authorization has been denied for this request.")

    def authenticate(self, request: Request) -> Answer | None:
        given = request.headers.get("aeries-cert", "")
        if self.switch["certificate_in_query"]:
            given = given or request.query.get("cert", "")
        if given != self.certificate:
            return self.unauthorized()
        accept = request.headers.get("accept", "")
        if "xml" in accept and "json" not in accept and "*/*" not in accept:
            return self.error(406, "This sandbox answers JSON only; send Accept: application/json.")
        area = request.route.area if request.route else ""
        if area and not self.switch["permissions"].get(area, True):
            return self.error(401, f"The certificate does not have permission to {area}.")
        return None

    def style(self, request: Request) -> rows.Style:
        """How to render for this request, the school year asked for included."""
        names = ("old_spelling", "at_risk_points", "zero_dates", "portal_account_id")
        return rows.Style(
            **{name: self.switch[name] for name in names},
            permanent_id=version(request) < 5,
            back=request.district.year - self.year(request),
        )

    def year(self, request: Request) -> int:
        """The database year: the one asked for if there is one, else silently the default."""
        default = request.district.year
        asked = request.number("DatabaseYear", default)
        return asked if asked in (default, default - 1) else default

    @route("GET", API + r"/systeminfo", open=True)
    def system_info(self, request: Request) -> Result:
        year, default = self.year(request), request.district.year
        now = datetime.now(ZONE)
        offset = now.strftime("%z")
        return self.json(
            {
                "AeriesVersion": "9.25.11.18",
                "DatabaseYear": f"{year}-{year + 1}",
                "AvailableDatabaseYears": [f"{default}-{default + 1}", f"{default - 1}-{default}"],
                "LocalTimeZoneName": "(UTC-08:00) Pacific Time (US & Canada)",
                "CurrentDateTime": f"{now:%Y-%m-%dT%H:%M:%S}.{now.microsecond:06d}0{offset[:3]}:{offset[3:]}",
            }
        )

    @route("GET", API + r"/schools")
    def schools(self, request: Request) -> Result:
        year = self.year(request)
        return self.listing([rows.school_object(school, year) for school in listed(request.district)])

    @route("GET", SCHOOL)
    def school(self, request: Request) -> Result:
        found = school_asked(request)
        if found is None or found.kind in NOT_LISTED:
            return self.error(404, "School not found.")
        shown = rows.school_object(found, self.year(request))
        as_list = self.switch["school_as_list"] or version(request) == 3
        return self.listing([shown]) if as_list else self.json(shown, rows=1)

    @route("GET", SCHOOL + r"/terms")
    def terms(self, request: Request) -> Result:
        found = school_asked(request)
        return self.listing(rows.terms(found, self.year(request)) if found else [])

    @route("GET", SCHOOL + r"/students(?P<extended>/extended)?", area="Student Data")
    @route("GET", SCHOOL + r"/students/0(?P<extended>/extended)?", area="Student Data")
    def students(self, request: Request) -> Result:
        return self.page(request, self.student_rows(request))

    @route("GET", SCHOOL + r"/students/grade/(?P<grade>-?\d+)(?P<extended>/extended)?", area="Student Data")
    def students_of_grade(self, request: Request) -> Result:
        grade, style = int(request.args["grade"]), self.style(request)
        pairs = [pair for pair in pairs_of(request, style) if pair[1].grade - style.back == grade]
        return self.page(request, self.render(request, pairs))

    @route("GET", SCHOOL + r"/students/sn/(?P<number>\d+)(?P<extended>/extended)?", area="Student Data")
    def student_by_number(self, request: Request) -> Result:
        number = int(request.args["number"])
        pairs = [pair for pair in pairs_of(request, self.style(request)) if pair[1].student_number == number]
        return self.page(request, self.render(request, pairs))

    @route("GET", SCHOOL + r"/students/(?P<student>[1-9]\d*)(?P<extended>/extended)?", area="Student Data")
    def student(self, request: Request) -> Result:
        # The newer of two conflicting vendor pages: scoped to the school asked, empty outside it.
        child = request.district.children.get(int(request.args["student"]))
        school, back = int(request.args["school"]), self.style(request).back
        pairs = (
            [(child, row) for row in child.enrollments if row.school == school and row.grade - back >= -2]
            if child
            else []
        )
        return self.page(request, self.render(request, pairs))

    @route("GET", SCHOOL + r"/contacts(?:/0)?", area="Contacts")
    def contacts(self, request: Request) -> Result:
        number, style = int(request.args["school"]), self.style(request)
        district = request.district

        def build() -> list[bytes]:
            children = dict.fromkeys(child.id for child, _ in district.rows(number))
            return self.encoded(
                rows.contact(district.children[child], link, number, style)
                for child in children
                for link in district.children[child].contacts
            )

        made = self.cached(("contacts", id(district), number, style), district.school_version(number), build)
        return self.whole(request, made)

    @route("GET", SCHOOL + r"/contacts/(?P<student>[1-9]\d*)", area="Contacts")
    def contacts_of_student(self, request: Request) -> Result:
        child, style = request.district.children.get(int(request.args["student"])), self.style(request)
        if child is None:
            return self.listing([])
        school = child.primary.school if child.primary else 0
        return self.listing([rows.contact(child, link, school, style) for link in child.contacts])

    @route("GET", SCHOOL + r"/StudentPictures(?:/(?P<student>\d+))?", area="Student Pictures")
    def pictures(self, request: Request) -> Result:
        number, style = int(request.args["school"]), self.style(request)
        odd, retaken = self.switch["odd_pictures"], self.switch["retaken"]
        other, twice = self.switch["taken_at"], self.switch["twice"]
        asked = int(request.args.get("student") or 0)
        children = dict.fromkeys(child.id for child, _ in pairs_of(request, style))

        def build() -> list[bytes]:
            return self.encoded(
                aeries_pictures.entry(
                    child,
                    number,
                    year=request.district.year - style.back + other.get((child, number), 0) - earlier,
                    id_name=style.student_id,
                    odd=odd.get(child, ""),
                    retaken=child in retaken or (child, number) in other or earlier > 0,
                    padding=self.switch["picture_padding"],
                )
                for child in children
                if asked in (0, child)
                for earlier in ((1, 0) if child in twice else (0,))
            )

        key = ("pictures", number, style, asked, str(odd), str(retaken), str(other), str(twice))
        return self.page(request, self.cached(key, request.district.school_version(number), build))

    @route("GET", API + r"/enrollment/(?P<student>\d+)(?:/year/(?P<year>\d+))?", area="Enrollment History")
    @route("GET", SCHOOL + r"/enrollment/(?P<student>\d+)(?:/year/(?P<year>\d+))?", area="Enrollment History")
    def enrollment(self, request: Request) -> Result:
        district, style = request.district, self.style(request)
        number, school, year = (int(request.args.get(name) or 0) for name in ("student", "school", "year"))
        one = district.children.get(number)
        children: Iterable[Child] = district.children.values() if number == 0 else [one] if one else []
        inside = bool(request.args.get("school"))
        found = [
            row
            for child in children
            for row in history(child, district.year, style)
            if (not inside or row["SchoolCode"] == school) and (not year or row["AcademicYear"] == str(year))
        ]
        return self.whole(request, self.encoded(found))

    @route("GET", API + r"/codes/(?P<table>\w+)/(?P<field>\w+)")
    def codes(self, request: Request) -> Result:
        return self.listing(code_rows(request.args["table"], request.args["field"]))

    @route(
        "GET",
        API + r"/StudentDataChanges/(?P<area>\w+)/(?P<since>\d{4}/\d+/\d+/\d+/\d+)",
        area="Student Data",
    )
    def changes(self, request: Request) -> Result:
        area = request.args["area"].lower()
        if area not in AREAS:
            return self.error(400, f"Invalid Area. Use one of {', '.join(AREAS)}.")
        try:
            year, month, day, hour, minute = map(int, request.args["since"].split("/"))
            since = datetime(year, month, day, hour, minute, tzinfo=ZONE).astimezone(UTC)
        except ValueError:
            return self.error(400, "Invalid Date.")
        touched = dict.fromkeys(
            (change.child_id, school, number)
            for change in request.district.changes
            if change.area == area and change.at >= since
            for school, number in change.rows
        )
        name = self.style(request).student_id
        return self.listing(
            [{name: child, "SchoolCode": school, "StudentNumber": number} for child, school, number in touched]
        )

    def page(self, request: Request, found: Sequence[bytes]) -> Page:
        """The window StartingRecord to EndingRecord, from 1, both included; else everything."""
        start = max(1, request.number("StartingRecord", 1))
        stop = request.number("EndingRecord", len(found))
        return Page(found, start - 1, max(start - 1, stop), array, school=int(request.args["school"]))

    def whole(self, request: Request, found: Sequence[bytes]) -> Page:
        """Every row at once, for end points without paging."""
        return Page(found, 0, len(found), array, school=self.school_of(request))

    def listing(self, values: list[dict[str, Any]]) -> Page:
        """Every row of a short list that belongs to no school."""
        return Page(self.encoded(values), 0, len(values), array, school=None)

    def encoded(self, values: Iterable[dict[str, Any]]) -> list[bytes]:
        """Objects as JSON bytes, one by one."""
        return [msgspec.json.encode(value) for value in values]

    def student_rows(self, request: Request) -> list[bytes]:
        """Every student record of the school asked for, rendered once per change of the school."""
        number, style, district = int(request.args["school"]), self.style(request), request.district
        key = ("students", bool(request.args.get("extended")), id(district), number, style)
        return self.cached(key, district.school_version(number), lambda: self.render(request, pairs_of(request, style)))

    def render(self, request: Request, pairs: Iterable[tuple[Child, Enrollment]]) -> list[bytes]:
        """Student records as JSON bytes, extended ones where the path asks for them."""
        make: Render = rows.extended if request.args.get("extended") else rows.student
        style, school = self.style(request), school_asked(request)
        return self.encoded(make(child, row, school, style) for child, row in pairs)

    def warm(self) -> None:
        for school in self.district.schools:
            args = {"school": str(school.number)}
            request = Request("GET", "", {}, {}, b"", self.district, "", args, None)
            self.student_rows(request)
            self.contacts(request)


def version(request: Request) -> int:
    """The version of the API asked for, 3 to 5."""
    return int(request.args.get("version") or 5)


def array(found: Sequence[bytes]) -> bytes:
    """Rows as a JSON array."""
    return b"[" + b",".join(found) + b"]"


def listed(district: District) -> list[School]:
    """The schools Aeries lists: the non-schools too, but no graduated-students school."""
    return [school for school in district.schools if school.kind not in NOT_LISTED]


def school_asked(request: Request) -> School | None:
    """The school of the path, None when the district has none of this number."""
    return request.district.school(int(request.args["school"]))


def pairs_of(request: Request, style: rows.Style) -> list[tuple[Child, Enrollment]]:
    """The children and rows of the school asked for that existed in the school year shown."""
    found = request.district.rows(int(request.args["school"]))
    return [pair for pair in found if pair[1].grade - style.back >= -2] if style.back else found


def history(child: Child, year: int, style: rows.Style) -> list[dict[str, Any]]:
    """The enrollment history of a child: the year before in its main school, and this year's rows."""
    found = []
    main = child.primary
    if main is not None and main.status != "future" and main.grade > -1 and main.entered is not None:
        last = main.entered.replace(year=year - 1)
        found.append(
            rows.enrollment(
                child,
                main,
                style,
                year=year - 1,
                grade=main.grade - 1,
                entered=last,
                left=last.replace(year=year, month=6, day=4),
                exit_code="E155",
            )
        )
    for row in child.enrollments:
        if row.status != "future" and style.back == 0:
            found.append(
                rows.enrollment(
                    child,
                    row,
                    style,
                    year=year,
                    grade=row.grade,
                    entered=row.entered,
                    left=row.left,
                    exit_code=row.exit_code,
                )
            )
    return found
