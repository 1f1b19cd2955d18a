"""The Aeries sandbox: paths, credentials, paging, shapes and switches of the Aeries API v5."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import requests

from integrations.sandbox import District, start
from integrations.sandbox.server import Sandbox

# Aeries API documentation, "Student Related End Points"; order as in public payloads.
STUDENT = """
    StudentID OldStudentID CorrespondenceLanguageCode CounselorNumber StudentPersonalEmailAddress
    SchoolCode StudentNumber StateStudentID LastName FirstName MiddleName LastNameAlias FirstNameAlias
    MiddleNameAlias Gender Grade GradeLevelShortDescription GradeLevelLongDescription Birthdate
    ParentGuardianName HomePhone StudentMobilePhone MailingAddress MailingAddressCity
    MailingAddressState MailingAddressZipCode MailingAddressZipExt ResidenceAddress ResidenceAddressCity
    ResidenceAddressState ResidenceAddressZipCode ResidenceAddressZipExt AddressVerified EthnicityCode
    RaceCode1 RaceCode2 RaceCode3 RaceCode4 RaceCode5 UserCode1 UserCode2 UserCode3 UserCode4 UserCode5
    UserCode6 UserCode7 UserCode8 UserCode9 UserCode10 UserCode11 UserCode12 UserCode13 SchoolEnterDate
    SchoolLeaveDate DistrictEnterDate Track AttendanceProgramCodePrimary
    AttendanceProgramCodeAdditional1 AttendanceProgramCodeAdditional2 LockerNumber LowSchedulingPeriod
    HighSchedulingPeriod InactiveStatusCode FamilyKey LanguageFluencyCode HomeLanguageCode
    ParentEdLevelCode ParentEmailAddress StudentEmailAddress NetworkLoginID EarlyWarningPoints
    HomeRoomTeacherNumber NotificationPreferenceCode NextSchoolCode NextGrade
    NextGradeLevelShortDescription NextGradeLevelLongDescription RecordsReleaseCode
"""


@pytest.fixture(scope="module")
def quiet() -> Iterator[Sandbox]:
    """A server nobody changes."""
    with start("aeries", students=500, seed=3) as sis:
        yield sis


def ask(
    sis: Sandbox, path: str, *, token: str | None = None, accept: str = "application/json", **query: Any
) -> requests.Response:
    headers = {"Accept": accept, "AERIES-CERT": sis.credentials["token"] if token is None else token}
    return requests.get(f"{sis.url}/api/v5/{path}", headers=headers, params=query, timeout=20)


def school_of(sis: Sandbox) -> int:
    return sis.district.real_schools[0].number


def test_system_info_needs_no_certificate(quiet: Sandbox) -> None:
    answer = requests.get(f"{quiet.url}/api/v5/systeminfo", timeout=20)
    info = answer.json()
    assert answer.status_code == 200
    assert (info["DatabaseYear"], info["AvailableDatabaseYears"]) == ("2026-2027", ["2026-2027", "2025-2026"])
    assert datetime.fromisoformat(info["CurrentDateTime"]).utcoffset() is not None


@pytest.mark.parametrize(("asked", "shown"), [("2025", "2025-2026"), ("1999", "2026-2027"), ("x", "2026-2027")])
def test_database_year_falls_back_silently_when_there_is_none(quiet: Sandbox, asked: str, shown: str) -> None:
    assert ask(quiet, "systeminfo", DatabaseYear=asked).json()["DatabaseYear"] == shown


def test_year_before_shows_children_a_grade_lower(quiet: Sandbox) -> None:
    path = f"schools/{school_of(quiet)}/students"
    now = {row["StudentID"]: row["Grade"] for row in ask(quiet, path).json() if not row["InactiveStatusCode"]}
    before = {
        row["StudentID"]: row["Grade"]
        for row in ask(quiet, path, DatabaseYear=2025).json()
        if not row["InactiveStatusCode"]
    }
    assert before == {child: grade - 1 for child, grade in now.items() if grade > -2}


@pytest.mark.parametrize("change", [lambda token: "", lambda token: token.lower(), lambda token: token + "x"])
def test_missing_or_wrong_certificate_is_refused(quiet: Sandbox, change: Any) -> None:
    answer = ask(quiet, "schools", token=change(quiet.credentials["token"]))
    assert (answer.status_code, list(answer.json())) == (401, ["Message"])


def test_certificate_in_the_query_counts_only_when_switched_on() -> None:
    district = District.generate(students=20)
    for allowed, status in ((False, 401), (True, 200)):
        with start("aeries", district, certificate_in_query=allowed) as sis:
            assert ask(sis, "schools", token="", cert=sis.credentials["token"]).status_code == status
            assert sis.truth[-1]["query"] == {}


def test_xml_is_refused_with_a_message(quiet: Sandbox) -> None:
    answer = ask(quiet, "schools", accept="text/xml")
    assert (answer.status_code, list(answer.json())) == (406, ["Message"])


@pytest.mark.parametrize("path", ["SCHOOLS/", "Schools", "schools/"])
def test_routes_ignore_case_and_trailing_slash(quiet: Sandbox, path: str) -> None:
    assert ask(quiet, path).json() == ask(quiet, "schools").json()


def test_schools_are_listed_with_the_entries_that_are_no_schools(quiet: Sandbox) -> None:
    schools = ask(quiet, "schools").json()
    assert {0, 99, 998, 999} <= {school["SchoolCode"] for school in schools}
    assert 999_999 not in {school["SchoolCode"] for school in schools}
    assert {len(school) for school in schools} == {48}
    assert any(school["InactiveStatusCode"] for school in schools)


def test_one_school_is_an_object_and_an_array_of_one_in_version_3(quiet: Sandbox) -> None:
    number = school_of(quiet)
    one = ask(quiet, f"schools/{number}").json()
    assert one["SchoolCode"] == number
    headers = {"AERIES-CERT": quiet.credentials["token"]}
    assert requests.get(f"{quiet.url}/api/v3/schools/{number}", headers=headers, timeout=20).json() == [one]
    assert [term["TermCode"] for term in ask(quiet, f"schools/{number}/terms").json()] == ["Y", "F", "S"]


def test_unknown_school_is_404_alone_and_empty_in_lists(quiet: Sandbox) -> None:
    assert ask(quiet, "schools/777").status_code == 404
    assert ask(quiet, "schools/777").json().keys() == {"Message"}
    assert ask(quiet, "schools/777/students").json() == []


def test_students_come_with_78_properties_in_student_number_order(quiet: Sandbox) -> None:
    rows = ask(quiet, f"schools/{school_of(quiet)}/students").json()
    assert {tuple(row) for row in rows} == {tuple(STUDENT.split())}
    assert len(rows[0]) == 78
    assert [row["StudentNumber"] for row in rows] == sorted(row["StudentNumber"] for row in rows)
    assert {row["InactiveStatusCode"] for row in rows} > {"", "*"}
    assert all(isinstance(row["HomeRoomTeacherNumber"], str) for row in rows)


def test_windows_are_one_based_and_inclusive(quiet: Sandbox) -> None:
    path = f"schools/{school_of(quiet)}/students"
    rows = ask(quiet, path).json()
    assert ask(quiet, path, StartingRecord=1, EndingRecord=1).json() == rows[:1]
    assert ask(quiet, path, startingrecord=11, endingrecord=20).json() == rows[10:20]
    assert ask(quiet, path, StartingRecord=len(rows), EndingRecord=len(rows) + 99).json() == rows[-1:]
    assert ask(quiet, path, StartingRecord=len(rows) + 1, EndingRecord=len(rows) + 99).json() == []


def test_one_student_is_an_array_scoped_to_the_school(quiet: Sandbox) -> None:
    here, there = (school.number for school in quiet.district.real_schools[:2])
    child = next(child for child in quiet.district.children_in(here) if len(child.enrollments) == 1)
    found = ask(quiet, f"schools/{here}/students/{child.id}").json()
    assert [row["StudentID"] for row in found] == [child.id]
    assert ask(quiet, f"schools/{there}/students/{child.id}").json() == []
    number = found[0]["StudentNumber"]
    assert ask(quiet, f"schools/{here}/students/sn/{number}").json() == found
    in_grade = ask(quiet, f"schools/{here}/students/grade/{found[0]['Grade']}").json()
    assert found[0] in in_grade
    assert len({row["Grade"] for row in in_grade}) == 1


def test_extended_students_hold_the_plain_record_and_more(quiet: Sandbox) -> None:
    plain = ask(quiet, f"schools/{school_of(quiet)}/students").json()
    longer = ask(quiet, f"schools/{school_of(quiet)}/students/0/extended").json()
    assert [{name: row[name] for name in plain[0]} for row in longer] == plain
    assert "GraduationCohort" in longer[0]


def test_student_zero_means_all_as_the_vendors_own_client_asks(quiet: Sandbox) -> None:
    path = f"schools/{school_of(quiet)}"
    assert ask(quiet, f"{path}/students/0").json() == ask(quiet, f"{path}/students").json()
    assert ask(quiet, f"{path}/contacts/0").json() == ask(quiet, f"{path}/contacts").json()


def test_contacts_have_77_properties_and_are_a_copy_per_child(quiet: Sandbox) -> None:
    rows = [
        row for school in quiet.district.real_schools for row in ask(quiet, f"schools/{school.number}/contacts").json()
    ]
    assert {len(row) for row in rows} == {77}
    keys = [(row["StudentID"], row["SequenceNumber"], row["SchoolCode"]) for row in rows]
    assert len(keys) == len(set(keys))
    assert any(row["RedFlag"] and row["MiscCode"] == "R" for row in rows)


def test_contacts_of_a_student_come_whatever_the_school(quiet: Sandbox) -> None:
    child = quiet.district.children_in(school_of(quiet))[0]
    found = ask(quiet, f"schools/000/contacts/{child.id}").json()
    assert {row["StudentID"] for row in found} == {child.id}
    assert len(found) == len(child.contacts)


def test_enrollment_history_in_its_four_forms(quiet: Sandbox) -> None:
    here = school_of(quiet)
    child = next(
        child
        for child in quiet.district.children_in(here)
        if len(child.enrollments) == 1 and child.enrollments[0].grade > 1
    )
    both = ask(quiet, f"enrollment/{child.id}").json()
    assert [row["AcademicYear"] for row in both] == ["2025", "2026"]
    assert ask(quiet, f"enrollment/{child.id}/year/2026").json() == both[1:]
    assert ask(quiet, f"schools/{here}/enrollment/{child.id}").json() == both
    assert both[1] in ask(quiet, f"schools/{here}/enrollment/0/year/2026").json()


@pytest.mark.parametrize("path", ["codes/student/grade", "codes/STU/GR", "Codes/Student/GradeCode/"])
def test_grade_codes_tell_the_number_used_in_student_records(quiet: Sandbox, path: str) -> None:
    codes = {row["Code"]: row["AeriesCode"] for row in ask(quiet, path).json()}
    assert (codes["PS"], codes["TK"], codes["K"], codes["12"]) == ("-2", "-1", "0", "12")


@pytest.mark.parametrize(
    ("field", "code"),
    [
        ("student/gender", "N"),
        ("student/ethnicity", "Y"),
        ("student/RaceCode1", "700"),
        ("student/RC5", "400"),
        ("student/homelanguage", "01"),
        ("student/correspondencelanguage", "00"),
        ("student/InactiveStatus", "*"),
        ("STU/TG", "N"),
        ("student/AttendanceProgramPrimary", "S"),
        ("STU/SP", "S"),
        ("student/AttendanceProgramCodePrimary", "S"),
        ("contact/relationshiptostudent", "10"),
    ],
)
def test_code_sets_are_found_by_letters_or_property(quiet: Sandbox, field: str, code: str) -> None:
    found = ask(quiet, f"codes/{field}").json()
    assert code in [row["Code"] for row in found]
    assert len(found[0]) == 21


def test_unknown_code_set_is_empty(quiet: Sandbox) -> None:
    assert ask(quiet, "codes/student/shoesize").json() == []


def test_versions_before_5_call_the_student_id_permanent(quiet: Sandbox) -> None:
    headers = {"AERIES-CERT": quiet.credentials["token"]}
    old = requests.get(f"{quiet.url}/api/v4/schools/{school_of(quiet)}/students", headers=headers, timeout=20).json()
    assert [row["PermanentID"] for row in old] == [
        row["StudentID"] for row in ask(quiet, f"schools/{school_of(quiet)}/students").json()
    ]


def test_permission_missing_for_an_area_is_401_with_a_message() -> None:
    with start("aeries", students=20, permissions={"Contacts": False}) as sis:
        path = f"schools/{school_of(sis)}"
        assert ask(sis, f"{path}/students").status_code == 200
        refused = ask(sis, f"{path}/contacts")
        assert refused.status_code == 401
        assert "Contacts" in refused.json()["Message"]


def test_switches_change_spelling_points_and_dates() -> None:
    with start(
        "aeries",
        students=50,
        old_spelling=True,
        at_risk_points=True,
        zero_dates=True,
        portal_account_id=False,
        school_as_list=True,
    ) as sis:
        path = f"schools/{school_of(sis)}"
        row = next(row for row in ask(sis, f"{path}/students").json() if not row["InactiveStatusCode"])
        assert "CorrespondanceLanguageCode" in row
        assert "CorrespondenceLanguageCode" not in row
        assert isinstance(row["AtRiskPoints"], str)
        assert row["SchoolLeaveDate"] == "0001-01-01T00:00:00"
        assert len(ask(sis, f"{path}/contacts").json()[0]) == 76
        assert isinstance(ask(sis, path).json(), list)


def test_html_errors_are_web_pages() -> None:
    with start("aeries", students=20, html_errors=True) as sis:
        answer = ask(sis, "schools", token="wrong")
        assert answer.status_code == 401
        assert answer.text.startswith("<!DOCTYPE html>")


def test_unknown_switch_is_refused_by_name() -> None:
    with pytest.raises(TypeError, match="moonshine"):
        start("aeries", students=10, moonshine=True)


def test_change_of_a_child_shows_at_once() -> None:
    with start("aeries", students=60) as sis:
        child = sis.district.active_children()[0]
        row = child.primary
        assert row is not None
        path = f"schools/{row.school}/students"
        ask(sis, path)
        sis.district.change(child.id, home_phone="5305550199", birth_date=date(2016, 2, 29))
        shown = next(found for found in ask(sis, path).json() if found["StudentID"] == child.id)
        assert (shown["HomePhone"], shown["Birthdate"]) == ("5305550199", "2016-02-29T00:00:00")


def test_data_changes_name_what_changed_since_the_servers_local_time() -> None:
    with start("aeries", students=60) as sis:
        now = datetime.now(ZoneInfo("America/Los_Angeles"))
        child = sis.district.active_children()[0]
        sis.district.change(child.id, email="new@example.org")
        path = f"StudentDataChanges/student/{now:%Y/%m/%d/%H/%M}"
        assert {row["StudentID"] for row in ask(sis, path).json()} == {child.id}
        assert ask(sis, f"StudentDataChanges/contact/{now:%Y/%m/%d/%H/%M}").json() == []
        later = now + timedelta(minutes=5)
        assert (
            ask(
                sis,
                f"StudentDataChanges/student/{later:%Y}/{later.month}/{later.day}/{later.hour}/{later.minute}",
            ).json()
            == []
        )
        assert ask(sis, f"StudentDataChanges/shoes/{now:%Y/%m/%d/%H/%M}").status_code == 400


def test_every_executed_request_is_in_the_truth_log() -> None:
    with start("aeries", students=60) as sis:
        ask(sis, f"schools/{school_of(sis)}/students", StartingRecord=1, EndingRecord=5)
        ask(sis, "schools", token="wrong")
    assert [(entry["status"], entry["rows"]) for entry in sis.truth] == [(200, 5), (401, None)]
    assert sis.truth[0]["path"] == f"/aeries/api/v5/schools/{school_of(sis)}/students"
    assert sis.truth[0]["query"] == {"StartingRecord": "1", "EndingRecord": "5"}
