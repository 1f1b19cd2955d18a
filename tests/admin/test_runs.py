"""Runs on screen: the page of one, its lists, the held page, and undo."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from integrations.inbound.last_seen import last_seen
from integrations.inbound.plan_hash import plan_hash
from integrations.inbound.rules import build_rules
from integrations.models import Change, KeepEnrolled, SyncRun
from students.models import School
from tests.factories.integrations import (
    ChangeFactory,
    ExternalIdentityFactory,
    IntegrationFactory,
    RecordIssueFactory,
    RunPageFactory,
    SyncRunFactory,
    change_of,
)
from tests.factories.mapping import mapping_of
from tests.factories.students import ContactFactory, SchoolFactory, enrolled

RUNS = "/admin/integrations/syncrun/"
CHANGES = "/admin/integrations/change/"
ISSUES = "/admin/integrations/recordissue/"
DROPPED = {"enrollments.101.2026-2027.1.left": [None, "2026-11-20"]}
pytestmark = pytest.mark.django_db


def _school(code: str = "101", name: str = "Lincoln Elementary") -> School:
    made: School = SchoolFactory.create(code=code, name=name)
    return made


def _run(school: School, **values: Any) -> SyncRun:
    """A complete run of an integration that covers the school, which the system calls 9..."""
    if "integration" not in values:
        building = mapping_of("building", {f"9{school.code}": school.code})
        values["integration"] = IntegrationFactory.create(building=building, drop_students_not_in_file=True)
    made: SyncRun = SyncRunFactory.create(**values)
    return made


def _held(school: School, *, drops: int = 2, codes: tuple[str, ...] = ("drops",), **values: Any) -> SyncRun:
    run = _run(school, status="held", planned_at=timezone.now(), finished=None, **values)
    for _ in range(drops):
        change_of(enrolled(school), run=run, schools=[school.code], kind="drop", status="planned", fields=DROPPED)
    message = f"Enrollments would end at school {school.code}: 2 of 10 students (20 %)."
    run.guard = {"reasons": [{"code": code, "school": school.code, "message": message} for code in codes]}
    run.plan_hash = plan_hash(run.pk)
    run.rules_hash = build_rules(run.integration, today=timezone.localdate(run.started)).hash
    run.save()
    return run


def _decide(client: Client, run: SyncRun, do: str, **fields: Any) -> Any:
    data = {"do": do, "plan_hash": run.plan_hash, "page": "1", **fields}
    return client.post(f"{RUNS}{run.pk}/held/", data, follow=True)


def test_every_number_of_a_run_links_to_its_rows(registrar: Client) -> None:
    school = _school()
    run = _run(school, counts={"received": 4, "created": 1, "updated": 1, "dropped": 2, "left": 1})
    for kind in ("create", "update", "drop", "left"):
        change_of(enrolled(school), run=run, schools=[school.code], kind=kind)
    page = registrar.get(f"{RUNS}{run.pk}/change/")

    linked = {number.label: number for number in page.context["numbers"] if number.link}

    assert set(linked) == {"New", "Changed", "Dropped: not in file", "Left, says the SIS"}
    for number in linked.values():
        assert registrar.get(number.link).context["cl"].result_count == number.value


def test_run_page_says_how_each_school_was_read(registrar: Client) -> None:
    run = _run(_school())
    run.certificate = {
        "schools": {
            "9101": {"seen": 512, "pages": 2, "done": True, "problems": []},
            "77": {"seen": 3, "pages": 1, "done": True, "problems": [["page_skipped", "Page 2 never came."]]},
        }
    }
    run.save()

    page = registrar.get(f"{RUNS}{run.pk}/change/").content.decode()

    assert "Lincoln Elementary" in page
    assert "Read whole: 512 students in 2 pages" in page
    assert "Not proven whole: 3 students in 1 page" in page
    assert "Page 2 never came." in page


def test_failed_run_shows_its_message(registrar: Client) -> None:
    run = _run(_school(), status="failed", error_message="The token was refused. Enter a new one.")

    assert b"The token was refused. Enter a new one." in registrar.get(f"{RUNS}{run.pk}/change/").content


def test_open_run_is_followed_until_it_ends(registrar: Client) -> None:
    run = _run(_school(), status="fetching", counts={}, finished=None)

    page = registrar.get(f"{RUNS}{run.pk}/change/").content.decode()
    part = registrar.get(f"{RUNS}{run.pk}/progress/").content.decode()
    SyncRun.objects.filter(pk=run.pk).update(status="complete")
    ended = registrar.get(f"{RUNS}{run.pk}/progress/")

    assert f'hx-get="{RUNS}{run.pk}/progress/"' in page
    assert "0 of 1 schools read" in part
    assert ended.headers["HX-Refresh"] == "true"


def test_change_is_told_in_words(registrar: Client) -> None:
    school = _school()
    run = _run(school)
    contact = ContactFactory.create(first_name="Maria", last_name="Ramirez")
    ExternalIdentityFactory.create(integration=run.integration, entity="contact", external_id="77", contact=contact)
    change = change_of(
        enrolled(school),
        run=run,
        schools=[school.code],
        fields={
            "gender": ["F", "X"],
            "birth_date": [None, "2017-03-04"],
            "races": [[], ["white", "asian"]],
            "contacts.77.order": [1, 2],
            "enrollments.101.2026-2027.1": [
                None,
                {"grade_level": "K", "entered": "2026-08-12", "primary": True},
            ],
        },
        withheld={"home_phone": ["555", "556", "locked"]},
    )

    page = registrar.get(f"{CHANGES}{change.pk}/change/")

    told = [(line.label, line.before, line.after, line.why) for line in page.context["lines"]]
    assert told == [
        ("Birth date", "(blank)", "Mar 4, 2017", ""),
        ("Gender", "Female", "Nonbinary or another gender", ""),
        ("Races", "(blank)", "White, Asian", ""),
        ("Contact Maria Ramirez: priority", "1", "2", ""),
        (
            "Enrollment at Lincoln Elementary, 2026-2027",
            "not enrolled",
            "Kindergarten, from Aug 12, 2026, primary",
            "",
        ),
        ("Home phone", "555", "556", "the field is locked"),
    ]


def test_changes_are_filtered_by_kind_status_and_school(registrar: Client) -> None:
    here, there = _school("101"), _school("102", "Washington High")
    run = _run(here)
    one = change_of(enrolled(here), run=run, schools=["101"])
    two = change_of(enrolled(there), run=run, schools=["102"], kind="drop", status="planned")

    def found(query: str) -> list[Change]:
        return list(registrar.get(f"{CHANGES}?{query}").context["cl"].result_list)

    assert found("kind__exact=drop") == [two]
    assert found("status__exact=applied") == [one]
    assert found("school=102") == [two]


def test_issue_links_to_the_page_that_mends_it(registrar: Client) -> None:
    school = _school()
    run = _run(school)
    gender = mapping_of("gender", {"F": "F"})
    run.integration.gender = gender
    run.integration.save()
    student = enrolled(school)
    ExternalIdentityFactory.create(integration=run.integration, external_id="900001", student=student)
    issue = RecordIssueFactory.create(run=run, external_id="900001", schools=["101"])

    listed = registrar.get(ISSUES).content.decode()
    page = registrar.get(f"{ISSUES}{issue.pk}/change/")

    links = dict(page.context["links"])
    assert links == {
        "Gender mapping": f"/admin/mapping/dataentitymapping/{gender.pk}/change/",
        "Student": f"/admin/students/student/{student.pk}/change/",
    }
    assert all(link in listed for link in links.values())


def test_held_page_names_each_drop_with_its_last_seen_date(approver: Client) -> None:
    seen = dt.datetime(2026, 11, 3, 20, tzinfo=dt.UTC)
    earlier = _run(_school(), started=seen)
    run = _held(School.objects.get(), drops=1, integration=earlier.integration)
    change = run.changes.get()
    RunPageFactory.create(run=earlier, school="9101", external_ids=f"1\n{change.external_id}\n2")

    page = approver.get(f"{RUNS}{run.pk}/held/").content.decode()

    assert str(change.student).replace("'", "&#x27;") in page
    assert "Lincoln Elementary" in page
    assert "Grade 3" in page
    assert "Nov 3, 2026" in page


def test_last_seen_is_the_latest_earlier_run_that_holds_the_id() -> None:
    integration = IntegrationFactory.create()
    old, new, held = (SyncRunFactory.create(integration=integration) for _ in range(3))
    for run, ids in ((old, "1\n2"), (new, "1"), (held, "3")):
        RunPageFactory.create(run=run, school="9", external_ids=ids)

    found = last_seen(held, {("1", "9"), ("2", "9"), ("3", "9"), ("1", "8")})

    assert found == {("1", "9"): new.started, ("2", "9"): old.started}


def test_held_page_tells_reasons_with_the_name_of_the_school(approver: Client) -> None:
    page = approver.get(f"{RUNS}{_held(_school()).pk}/held/").content.decode()

    assert "Enrollments would end at Lincoln Elementary: 2 of 10 students (20 %)." in page


def test_each_decision_changes_the_plan_and_its_hash(approver: Client) -> None:
    run = _held(_school())
    first = run.changes.order_by("pk").first()
    assert first is not None
    keep = {
        f"decision-{first.pk}": "keep",
        f"reason-{first.pk}": "Homebound",
        f"until-{first.pk}": "2027-01-31",
    }

    _decide(approver, run, "save", **keep)
    kept = SyncRun.objects.get(pk=run.pk)
    decision = KeepEnrolled.objects.get()
    _decide(approver, kept, "save", **{f"decision-{first.pk}": "drop"})

    assert kept.plan_hash != run.plan_hash
    assert (decision.reason, decision.until) == ("Homebound", dt.date(2027, 1, 31))
    assert not KeepEnrolled.objects.exists()
    assert SyncRun.objects.get(pk=run.pk).plan_hash == run.plan_hash


def test_decision_without_a_reason_saves_none_and_keeps_what_was_typed(approver: Client) -> None:
    run = _held(_school())
    one, two = run.changes.order_by("pk")

    response = _decide(
        approver,
        run,
        "save",
        **{f"decision-{one.pk}": "keep", f"reason-{one.pk}": "Homebound", f"decision-{two.pk}": "keep"},
    )

    page = response.content.decode()
    assert f"Say why {two.student} stays enrolled" in page.replace("&#x27;", "'")
    assert 'value="Homebound"' in page
    assert not KeepEnrolled.objects.exists()


def test_approve_with_unsaved_decisions_saves_them_and_asks_again(approver: Client) -> None:
    run = _held(_school())
    first = run.changes.order_by("pk").first()
    assert first is not None

    response = _decide(approver, run, "approve", **{f"decision-{first.pk}": "keep", f"reason-{first.pk}": "Homebound"})

    assert "look at it once more" in response.content.decode()
    assert SyncRun.objects.get(pk=run.pk).status == "held"


def test_approve_lets_the_run_apply(approver: Client) -> None:
    run = _held(_school())

    _decide(approver, run, "approve")

    stored = SyncRun.objects.get(pk=run.pk)
    assert (stored.status, str(stored.approved_by)) == ("applying", "approver")


def test_approve_of_a_plan_that_changed_since_is_refused(approver: Client) -> None:
    run = _held(_school())
    run.plan_hash = "of an older page"

    response = _decide(approver, run, "approve")

    assert "The plan has changed since you looked at it" in response.content.decode()
    assert SyncRun.objects.get(pk=run.pk).status == "held"


def test_adds_and_updates_only_leaves_the_drops_out(approver: Client) -> None:
    run = _held(_school())
    change_of(enrolled(School.objects.get()), run=run, schools=["101"], status="planned")
    SyncRun.objects.filter(pk=run.pk).update(plan_hash=plan_hash(run.pk))
    run.refresh_from_db()

    _decide(approver, run, "adds")

    kinds = run.changes.filter(status="planned").values_list("kind", flat=True)
    assert list(kinds) == ["update"]


@pytest.mark.parametrize(("codes", "offered"), [(("drops",), True), (("drops", "blanked"), False)])
def test_adds_and_updates_only_is_offered_when_drops_are_the_sole_reason(
    approver: Client, codes: tuple[str, ...], offered: bool
) -> None:
    page = approver.get(f"{RUNS}{_held(_school(), codes=codes).pk}/held/").content

    assert (b"Apply adds and updates only" in page) is offered


def test_discard_writes_nothing(approver: Client) -> None:
    run = _held(_school())

    _decide(approver, run, "discard")

    assert SyncRun.objects.get(pk=run.pk).status == "discarded"
    assert not run.changes.filter(status="planned").exists()


def test_deciding_needs_the_right_to_approve(registrar: Client) -> None:
    run = _held(_school())

    page = registrar.get(f"{RUNS}{run.pk}/held/")

    assert page.status_code == 200
    assert b'value="approve"' not in page.content
    assert _decide(registrar, run, "approve").status_code == 403
    assert registrar.get(f"{RUNS}{run.pk}/undo/").status_code == 403


def test_undo_asks_first_and_says_what_it_does(approver: Client) -> None:
    school = _school()
    run = _run(school)
    change_of(enrolled(school), run=run, schools=["101"])

    page = approver.get(f"{RUNS}{run.pk}/undo/").content.decode()

    assert "get back each field as it was" in page
    assert "Scheduled imports" in page
    assert SyncRun.objects.count() == 1


def test_undo_takes_the_whole_run(approver: Client) -> None:
    school = _school()
    run = _run(school)
    change_of(enrolled(school), run=run, schools=["101"])

    approver.post(f"{RUNS}{run.pk}/undo/")

    undo = SyncRun.objects.exclude(pk=run.pk).get()
    assert (undo.kind, undo.undoes, undo.scope_students) == ("undo", run, [])


def test_undo_takes_the_ticked_students(approver: Client) -> None:
    school = _school()
    run = _run(school)
    wanted, _other = (change_of(enrolled(school), run=run, schools=["101"]) for _ in range(2))

    asked = approver.post(CHANGES, {"action": "undo_ticked", "_selected_action": [wanted.pk]})
    approver.post(f"{RUNS}{run.pk}/undo/", {"ticked": "yes", "student": asked.context["students"]})

    undo = SyncRun.objects.exclude(pk=run.pk).get()
    assert undo.scope_students == [wanted.external_id]


def test_undo_of_ticked_changes_of_two_runs_is_refused(approver: Client) -> None:
    school = _school()
    ticked = [change_of(enrolled(school), run=_run(school), schools=["101"]).pk for _ in range(2)]

    response = approver.post(CHANGES, {"action": "undo_ticked", "_selected_action": ticked}, follow=True)

    assert "Tick changes of one run only" in response.content.decode()


def test_resume_ends_the_pause_after_an_undo(registrar: Client) -> None:
    integration = IntegrationFactory.create(schedule_paused="Run 3 was undone by run 4.")
    page = f"/admin/integrations/integration/{integration.pk}/"

    shown = registrar.get(f"{page}change/").content.decode()
    registrar.post(f"{page}resume/")

    integration.refresh_from_db()
    assert "Run 3 was undone by run 4." in shown
    assert integration.schedule_paused == ""


def test_run_that_was_cancelled_wrote_nothing(registrar: Client) -> None:
    run = _run(_school(), status="fetching", finished=None)
    ChangeFactory.create(run=run, status="planned")

    registrar.post(f"{RUNS}{run.pk}/cancel/")

    run.refresh_from_db()
    assert run.status == "cancelled"


@pytest.mark.parametrize(("answer", "linked"), [("link", True), ("not-the-same", False)])
def test_possible_match_is_decided_by_a_person(registrar: Client, answer: str, linked: bool) -> None:
    school = _school()
    student = enrolled(school)
    issue = RecordIssueFactory.create(
        run=_run(school), code="possible_match", external_id="900001", schools=["101"], candidate=student
    )

    page = registrar.get(f"{ISSUES}{issue.pk}/change/").content.decode()
    registrar.post(f"{ISSUES}{issue.pk}/{answer}/")

    issue.refresh_from_db()
    assert "Link to this student" in page
    assert issue.resolved is not None
    assert student.identities.filter(external_id="900001").exists() is linked


def test_match_is_decided_by_those_who_may_change_students(looker: Client) -> None:
    school = _school()
    issue = RecordIssueFactory.create(
        run=_run(school), code="possible_match", schools=["101"], candidate=enrolled(school)
    )

    assert looker.post(f"{ISSUES}{issue.pk}/link/").status_code == 403
