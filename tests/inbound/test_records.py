"""Single records: unknown codes, unusable texts, what is remembered of them, and what a dry run leaves."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from integrations.errors import RunOpen
from integrations.models import SourceRecord, UnmappedCode
from integrations.runs import lease
from integrations.sandbox import District, start
from integrations.services import forget_fingerprints
from mapping.models import DataEntityMappingValue
from students.models import Contact, FieldOwnership, Student
from tests.world import World, a_world

from .consoles import new_console
from .tables import everything
from .test_pull import adds_up

pytestmark = pytest.mark.django_db


@pytest.fixture(params=["aeries", "powerschool"])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    """Twenty children at two schools, loaded."""
    with a_world(request.param, students=20) as made:
        assert made.sync().status == "complete"
        yield made


def fingerprint(world: World, external_id: str) -> int | None:
    """The fingerprint kept for the one record of a student."""
    return SourceRecord.objects.get(external_id=external_id).fingerprint


def test_an_unknown_code_leaves_the_field_and_comes_back_until_it_is_mapped(world: World) -> None:
    child = world.settled()[0]
    before = world.student(child)
    world.district.change(child.id, gender="Q", home_phone="5305550100")
    for _ in range(2):
        run = world.sync()
        (issue,) = world.issues(run)
        assert (issue.severity, issue.code, issue.entity) == ("warning", "unmapped_code", "gender")
        assert (issue.raw_code, issue.external_id) == ("Q", world.external_id(child))
        assert "Gender" in issue.remedy
        assert adds_up(run)
        assert fingerprint(world, issue.external_id) is None
    after = world.student(child)
    assert (after.gender, after.home_phone) == (before.gender, "5305550100")
    code = UnmappedCode.objects.get()
    assert (code.entity, code.value, code.count) == ("gender", "Q", 1)
    DataEntityMappingValue.objects.create(mapping=world.integration.gender, external_value="Q", value="X")
    run = world.sync()
    assert run.status == "complete"
    assert world.student(child).gender == "X"
    assert fingerprint(world, world.external_id(child)) is not None


def test_an_unknown_grade_refuses_the_record_and_keeps_the_student(world: World) -> None:
    child, new = world.settled()[0], world.district.add(school=110, grade=17)
    world.district.change_enrollment(child.id, grade=17)
    run = world.sync()
    assert (run.counts["rejected"], run.counts["created"], run.counts["dropped"]) == (2, 0, 0)
    assert adds_up(run)
    assert {issue.severity for issue in world.issues(run)} == {"error"}
    assert world.student(child).status == "current"
    assert not Student.objects.filter(local_id=str(new.id)).exists()


def test_a_text_too_long_for_us_is_left_out_and_nothing_is_cut(world: World) -> None:
    child = world.settled()[0]
    before = world.student(child).first_name
    world.district.change(child.id, first_name="A" * 120, home_phone="5305550100")
    run = world.sync()
    (issue,) = world.issues(run)
    assert (issue.code, issue.severity) == ("too_long", "warning")
    assert (world.student(child).first_name, world.student(child).home_phone) == (before, "5305550100")
    assert adds_up(run)


def test_a_contacts_text_too_long_for_us_is_left_out(world: World) -> None:
    child = world.settled()[0]
    world.district.change_contact(child.contacts[0].contact.id, first_name="A" * 120, mobile_phone="5305550100")
    run = world.sync()
    assert {issue.code for issue in world.issues(run)} == {"too_long"}
    assert not Contact.objects.filter(first_name__startswith="AAA").exists()
    assert Contact.objects.filter(mobile_phone="5305550100").exists()


@pytest.mark.parametrize("kind", ["nul", "invalid_utf8", "rtl", "emoji", "nfd", "formula", "long"])
def test_strange_text_stops_no_run_and_drops_nobody(world: World, kind: str) -> None:
    path = {"aeries": r"/students$", "powerschool": r"/student$"}[world.vendor]
    world.sis.faults.add("F35", path=path, kind=kind)
    run = world.sync()
    assert run.status in ("complete", "complete_with_issues", "partial"), run.error_message
    assert Student.objects.filter(status="current").count() == 20
    assert adds_up(run)
    world.sis.faults.clear()
    assert world.sync().status == "complete"


def test_control_characters_in_codes_stop_no_run(world: World) -> None:
    one, two = world.settled()[:2]
    world.district.change(one.id, gender="F\x00")
    world.district.change_enrollment(two.id, program="\x00")
    run = world.sync()
    assert run.status in ("complete", "complete_with_issues", "partial"), run.error_message
    assert Student.objects.filter(status="current").count() == 20
    assert adds_up(run)


def test_a_dry_run_writes_nothing_and_the_next_run_finds_all_of_it(world: World) -> None:
    children = world.settled()
    world.district.change(children[0].id, home_phone="5305550100")
    world.district.remove(children[1].id)
    world.district.add(school=110, grade=2)
    before, remembered = everything(), list(SourceRecord.objects.order_by("pk").values())
    run = world.sync(dry_run=True)
    counted = {name: run.counts[name] for name in ("created", "updated", "dropped")}
    assert run.status == "planned"
    assert counted == {"created": 1, "updated": 1, "dropped": 1}
    assert everything() == before
    assert list(SourceRecord.objects.order_by("pk").values()) == remembered
    again = world.sync()
    assert {name: again.counts[name] for name in counted} == counted


def test_one_run_is_open_at_a_time(world: World) -> None:
    run = world.begin()
    with pytest.raises(RunOpen) as caught:
        world.begin()
    assert caught.value.run == run.pk
    world.carry(run)
    assert world.sync().status == "complete"


def test_a_worker_without_the_lease_writes_nothing(world: World) -> None:
    from integrations.inbound.pipeline import execute

    child = world.settled()[0]
    world.district.change(child.id, home_phone="5305550100")
    run = world.begin()
    stale = lease.take(run.pk)
    type(run).objects.filter(pk=run.pk).update(fence=stale + 1)
    before = everything()
    with pytest.raises(lease.LeaseLost):
        execute(run.pk, fence=stale)
    assert everything() == before
    assert run.pages.count() == 0


def test_a_student_whose_fingerprint_was_cleared_is_compared_again(world: World) -> None:
    child = world.settled()[0]
    student = world.student(child)
    Student.objects.filter(pk=student.pk).update(home_phone="5300000000")
    assert world.sync().counts["updated"] == 0
    forget_fingerprints(student=student)
    assert world.sync().counts["updated"] == 1
    assert world.student(child).home_phone == child.home_phone


def test_a_blank_clears_only_where_the_field_says_so(world: World) -> None:
    child = world.settled()[0]
    world.district.change(child.id, home_phone="", email="")
    world.sync()
    assert world.student(child).home_phone != ""
    FieldOwnership.objects.create(entity="student", field="home_phone", when_blank="clear")
    run = world.sync()
    assert run.counts["updated"] == 1
    assert (world.student(child).home_phone, world.student(child).email != "") == ("", True)


def test_what_goes_wrong_while_resuming_is_not_lost(tmp_path: Path) -> None:
    """Killed after the first page; when read again, the first page is the same and a later one is missing."""
    district = District.generate(students=40, schools=1, seed=6, messy=False)
    with start("aeries", district) as sis:
        console = new_console(tmp_path / "var", sis, "aeries", options={"page_size": 10})
        console.run("sync", "District", kill_at="page.after:1", expect=-9)
        sis.faults.add("F39", path=r"/students$", after=1)
        told = console.sync(expect=4)
        assert told["status"] == "partial"
        assert {issue["code"] for issue in told["issues"]} >= {"page_skipped"}
        sis.faults.clear()
        assert console.sync()["status"] == "complete"
        console.drop()
