"""A OneRoster district through the pipeline: service and zip, 1.1 and 1.2, tombstones, deltas, what goes wrong."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import time_machine

from students.models import Student, StudentContact
from tests.world import World, a_world, roster

from .expected import families_held, held
from .expected_oneroster import families_told, told
from .tables import everything

pytestmark = pytest.mark.django_db
VARIANTS: dict[str, dict[str, Any]] = {
    "service of 1.2": {},
    "service of 1.1, OAuth 1.0a": {"version": "1.1", "auth": "oauth1"},
    "service of 1.1, OAuth 2, loose": {
        "version": "1.1", "booleans": "json", "empties": "null", "paging": "link", "sorting": False, "clamp": 50,
    },
    "service of 1.2, count only": {"booleans": "upper", "empties": "blank", "paging": "count", "wrapped": True},
    "zip of 1.2": {"csv": "bulk"},
    "zip of 1.1": {"csv": "bulk", "version": "1.1", "csv_filled": True, "csv_folder": "export/"},
}  # fmt: skip


@contextmanager
def a_district(
    students: int = 60, *, messy: bool = False, options: dict[str, Any] | None = None, **switches: Any
) -> Iterator[World]:
    """A world of a OneRoster provider with these switches."""
    with a_world("oneroster", students=students, messy=messy, switches=switches, options=options or {}) as world:
        yield world


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_messy_district_is_held_as_it_is_and_a_second_run_changes_nothing(variant: str) -> None:
    switches = VARIANTS[variant]
    version = switches.get("version", "1.2")
    with a_district(120, messy=True, **switches) as world:
        run = world.sync()
        right = told(world.district, version=version)
        found = held()
        assert run.status == "complete_with_issues", (run.status, run.error_message)
        assert {(i.severity, i.code) for i in world.issues(run)} <= {("warning", "unmapped_code")}
        assert found.keys() == right.keys()
        for local_id, fields in right.items():
            assert found[local_id] == fields
        assert families_held() == families_told(world.district, set(right))
        assert run.counts["created"] == len(right) == 120
        before, printed = everything(), roster()
        again = world.sync()
        assert (again.counts["unchanged"], again.counts["updated"], again.counts["dropped"]) == (120, 0, 0)
        assert everything() == before
        assert roster() == printed
        assert len(json.loads(printed)) == Student.objects.count() == 120


@pytest.mark.slow
@pytest.mark.parametrize("switches", [{}, {"csv": "bulk"}], ids=["service", "zip"])
def test_five_thousand_students_are_held_as_they_are(switches: dict[str, Any]) -> None:
    with a_world("oneroster", students=5000, schools=8, messy=True, switches=switches) as world:
        run = world.sync()
        right, found = told(world.district), held()
        # Of two children with one name and birth date the second waits for a person.
        twice = {world.external_id(world.district.children[int(key)]): key for key in right.keys() - found.keys()}
        assert {issue.external_id for issue in world.issues(run, code="possible_duplicate")} == twice.keys()
        assert run.counts["rejected"] == len(twice) < 5
        assert [key for key in right if key not in twice.values() and found[key] != right[key]] == []
        assert families_held() == families_told(world.district, set(right) - set(twice.values()))
        again = world.sync()
        counted = tuple(again.counts[name] for name in ("unchanged", "updated", "dropped"))
        assert counted == (5000 - len(twice), 0, 0)


def test_tombstone_of_a_student_is_a_leaving_on_its_day() -> None:
    with a_district() as world:
        world.sync()
        child = world.settled()[0]
        world.district.leave(child.id, on=dt.date(2026, 10, 9))
        run = world.sync()
        stay = world.student(child).enrollments.get()
        assert (run.status, run.counts["left"], run.counts["dropped"]) == ("complete", 1, 1)
        assert (stay.left, stay.exit_reason) == (dt.date(2026, 10, 9), "left")


def test_student_who_vanished_from_a_service_is_asked_for_and_dropped() -> None:
    with a_district() as world:
        world.sync()
        child = world.settled()[0]
        world.district.remove(child.id)
        run = world.sync()
        assert (run.status, run.counts["left"], run.counts["dropped"]) == ("complete", 0, 1)
        assert world.student(child).enrollments.get().exit_reason == "not in file"


def test_student_who_vanished_from_a_zip_is_dropped_by_the_second_whole_one() -> None:
    with a_district(csv="bulk") as world:
        world.sync()
        child = world.settled()[0]
        world.district.remove(child.id)
        dropped = [world.sync().counts["dropped"] for _ in range(2)]
        assert dropped == [0, 1]


def test_role_that_ends_is_a_leaving_once_the_day_is_over_though_nothing_was_sent_anew() -> None:
    with a_district() as world:
        child = world.settled()[0]
        world.district.change_enrollment(child.id, left=dt.date(2026, 11, 20))
        assert world.sync().counts["left"] == 0
        with time_machine.travel(dt.datetime(2026, 11, 21, 18, tzinfo=dt.UTC)):
            assert world.sync().counts["left"] == 1


def test_delta_changes_and_ends_what_it_names_and_nobody_else() -> None:
    with a_district(csv="bulk") as world:
        world.sync()
        gone, changed, vanished = world.settled()[:3]
        world.district.leave(gone.id, on=dt.date(2026, 10, 9))
        world.district.change(changed.id, last_name="Renamed")
        world.district.remove(vanished.id)
        world.sis.vendor.switch |= {"csv": "delta", "csv_since": "2026-08-01T00:00:00Z"}
        for _ in range(3):
            run = world.sync()
            assert run.status == "complete_with_issues"
            assert run.counts["dropped"] == run.counts["left"]
            assert [(i.code, i.severity) for i in world.issues(run)] == [("delta_only", "run")]
        assert Student.objects.filter(status="current").count() == 59
        assert world.student(changed).last_name == "Renamed"
        assert StudentContact.objects.filter(student=world.student(changed)).count() == len(changed.contacts)
        assert world.student(gone).enrollments.get().left == dt.date(2026, 10, 9)
        assert world.student(vanished).status == "current"


def test_delta_closes_no_issue_and_completes_no_school() -> None:
    with a_district(csv="delta") as world:
        run = world.sync()
        assert run.status == "complete_with_issues"
        assert not run.certificate["complete"]
        assert world.integration.completed_schools == []


def test_delta_without_orgs_is_read_by_the_building_mapping() -> None:
    with a_district(csv="bulk") as world:
        world.sync()
        changed = world.settled()[0]
        world.district.change(changed.id, last_name="Renamed")
        absent = ("orgs", "academicSessions", "demographics")
        world.sis.vendor.switch |= {"csv": "delta", "csv_since": "2026-08-01T00:00:00Z", "csv_absent": absent}
        run = world.sync()
        assert run.status == "complete_with_issues"
        assert {issue.code for issue in world.issues(run)} == {"delta_only", "demographics_missing"}
        assert world.student(changed).last_name == "Renamed"
        assert world.integration.tenant_id == "D3"


def test_delta_takes_a_tombstone_without_the_user_and_lets_users_without_roles_wait() -> None:
    with a_district(csv="bulk") as world:
        world.sync()
        gone, changed = world.settled()[:2]
        world.district.leave(gone.id, on=dt.date(2026, 10, 9))
        world.sis.vendor.switch |= {"csv": "delta", "csv_since": "2026-08-01T00:00:00Z", "csv_absent": ("users",)}
        run = world.sync()
        assert (run.status, run.counts["left"], run.counts["rejected"]) == ("complete_with_issues", 1, 0)
        assert world.student(gone).last_name == gone.last_name
        world.district.change(changed.id, last_name="Renamed")
        before = everything()
        world.sis.vendor.switch["csv_absent"] = ("roles",)
        run = world.sync()
        assert {issue.code for issue in world.issues(run)} == {"delta_only", "delta_in_part"}
        assert everything() == before


@pytest.mark.parametrize(
    "switches", [{"granted": ("roster.readonly",)}, {"csv": "bulk", "csv_absent": ("demographics",)}], ids=str
)
def test_import_goes_on_without_demographics_and_says_so(switches: dict[str, Any]) -> None:
    with a_district(**switches) as world:
        run = world.sync()
        right, found = told(world.district, demographics=False), held()
        assert run.status == "complete_with_issues"
        assert [(i.code, i.severity, i.external_id) for i in world.issues(run)] == [("demographics_missing", "run", "")]
        assert found == right
        assert run.certificate["complete"]


def test_demographics_that_are_taken_away_leave_ours_alone() -> None:
    with a_district() as world:
        world.sync()
        before = roster()
        world.sis.vendor.switch["granted"] = ("roster.readonly",)
        world.sis.vendor.revoke()
        world.sync()
        assert roster() == before


BROKEN: dict[str, tuple[dict[str, Any], str]] = {
    "wrong header": ({"csv_renamed": {"users": {"familyName": "lastName"}}}, "users.csv lacks the column familyName"),
    "wrong header of roles": ({"csv_renamed": {"roles": {"orgSourcedId": "org"}}}, "roles.csv lacks the column"),
    "missing file": ({"csv_missing": ("users",)}, "users.csv is missing in the zip"),
    "missing demographics": ({"csv_missing": ("demographics",)}, "demographics.csv is missing in the zip"),
    "absent roles": ({"csv_absent": ("roles",)}, "has no roles.csv"),
    "absent orgs": ({"csv_absent": ("orgs",)}, "has no orgs.csv"),
    "no manifest": ({"csv_broken": "manifest"}, "no manifest.csv"),
    "cut off": ({"csv_broken": "zip"}, "breaks off or cannot be opened"),
    "utf-16": ({"csv_encoding": "utf-16"}, "lacks the columns"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_unusable_zip_is_one_sentence_and_changes_nothing(what: str) -> None:
    switches, sentence = BROKEN[what]
    with a_district(30, csv="bulk") as world:
        world.sync()
        before = everything()
        world.sis.vendor.switch |= switches
        for _ in range(2):
            run = world.sync()
            assert run.status == "failed"
            assert sentence in run.error_message
            assert "127.0.0.1" in run.error_message
        assert everything() == before


@pytest.mark.parametrize(
    ("switches", "code", "rejected", "status"),
    [
        ({"csv_broken": "row"}, "unreadable_rows", 0, "partial"),
        ({"csv_broken": "twice"}, "unreadable", 1, "complete_with_issues"),
        ({"csv_encoding": "latin-1"}, "unreadable", 1, "complete_with_issues"),
    ],
    ids=["cut", "twice", "latin-1"],
)
def test_bad_lines_of_a_zip_are_told_and_change_nothing(
    switches: dict[str, Any], code: str, rejected: int, status: str
) -> None:
    with a_district(60, csv="bulk") as world:
        child = world.settled()[5]
        parent = world.settled()[20].contacts[0].contact
        world.district.change(child.id, last_name="Nuñez")
        world.district.change_contact(parent.id, last_name="Müller")
        world.sync()
        before = everything()
        world.sis.vendor.switch |= switches
        for _ in range(3):
            run = world.sync()
            assert (run.status, run.counts["dropped"], run.counts["rejected"]) == (status, 0, rejected)
            assert {issue.code for issue in world.issues(run)} == {code}
        assert everything() == before


BAD_LINES: dict[str, tuple[tuple[str, str] | None, str, str]] = {
    "role": (("roles", "userProfileSourcedId"), "complete_with_issues", "unreadable"),
    "school of a role": (("roles", "orgSourcedId"), "partial", "unreadable_rows"),
    "user of a role": (("roles", "userSourcedId"), "partial", "unreadable_rows"),
    "demographics": (("demographics", "birthDate"), "complete_with_issues", "unreadable"),
    "demographics twice": (None, "complete_with_issues", "unreadable"),
}


@pytest.mark.parametrize("what", BAD_LINES)
def test_child_is_told_and_kept_when_a_line_of_roles_or_demographics_is_no_use(what: str) -> None:
    place, status, code = BAD_LINES[what]
    with a_district(30, csv="bulk") as world:
        key = world.external_id(world.settled()[0])
        world.sync()
        before = everything()
        broken = {"csv_bad_bytes": {place[0]: (key, place[1])}} if place else {"csv_broken": "people"}
        world.sis.vendor.switch |= broken
        for _ in range(3):
            run = world.sync()
            assert (run.status, run.counts["dropped"]) == (status, 0)
            assert code in {issue.code for issue in world.issues(run)}
        assert everything() == before


def test_child_with_unreadable_demographics_does_not_come_in_without_a_birth_date() -> None:
    with a_district(30, csv="bulk") as world:
        key = world.external_id(world.settled()[0])
        world.sis.vendor.switch["csv_bad_bytes"] = {"demographics": (key, "sex")}
        run = world.sync()
        assert (run.counts["created"], run.counts["rejected"]) == (29, 1)
        assert [issue.external_id for issue in world.issues(run, code="unreadable")] == [key]


def test_byte_order_mark_is_no_part_of_the_first_column() -> None:
    with a_district(30, csv="bulk", csv_encoding="utf-8-sig") as world:
        run = world.sync()
        assert (run.status, run.counts["created"]) == ("complete", 30)


@pytest.mark.parametrize("switches", [{}, {"version": "1.1", "auth": "oauth1"}], ids=["oauth2", "oauth1"])
def test_wrong_secret_fails_with_one_sentence_and_changes_nothing(switches: dict[str, Any]) -> None:
    with a_district(30, **switches) as world:
        world.sync()
        before = everything()
        integration = world.integration
        integration.consumer_secret = "another"
        integration.save()
        run = world.sync()
        assert (run.status, run.error_code) == ("failed", "auth_failed")
        assert "refuses the Key and the Secret" in run.error_message
        assert "another" not in run.error_message
        assert everything() == before


def test_token_that_expires_between_pages_is_renewed() -> None:
    with a_district(60, options={"page_size": 10}) as world:
        world.sis.faults.add("F17", path="/students", after=2, times=1)
        run = world.sync()
        assert (run.status, run.counts["created"]) == ("complete", 60)


@pytest.mark.parametrize("fault", ["F28", "F38", "F39", "F41", "F43", "F45"])
def test_faulty_page_of_a_service_drops_nobody(fault: str) -> None:
    with a_district(60, options={"page_size": 10}) as world:
        world.sync()
        world.sis.faults.add(fault, path=r"/schools/\d+/students$")
        run = world.sync()
        assert (run.status, run.counts["dropped"]) == ("partial", 0)
        assert Student.objects.filter(status="current").count() == 60


def test_data_of_another_district_are_refused() -> None:
    with a_district(30) as world:
        world.sync()
        before = everything()
        world.sis.faults.add("F46")
        run = world.sync()
        assert (run.status, run.error_code) == ("failed", "tenant_changed")
        assert everything() == before


@pytest.mark.parametrize("switches", [{}, {"version": "1.1"}, {"csv": "bulk"}], ids=str)
def test_child_who_moves_between_schools_has_one_enrollment_left(switches: dict[str, Any]) -> None:
    with a_district(**switches) as world:
        world.sync()
        child = world.settled()[0]
        other = next(s.number for s in world.district.real_schools if s.number != child.enrollments[0].school)
        world.district.move(child.id, other, on=dt.date(2026, 10, 9))
        run = world.sync()
        assert (run.status, run.counts["updated"], run.counts["dropped"]) == ("complete", 1, 0)
        current = world.student(child).enrollments.filter(left=None)
        assert [stay.school.code for stay in current] == [str(other)]
        assert world.sync().counts["unchanged"] == 60
