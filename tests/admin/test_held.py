"""The page of a held run: its drops, the decisions on them, and the ways out."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.test import Client

from integrations.inbound.last_seen import last_seen
from integrations.inbound.plan_hash import plan_hash
from integrations.models import KeepEnrolled, SyncRun
from students.models import School
from tests.factories.integrations import (
    IntegrationFactory,
    RunPageFactory,
    SyncRunFactory,
    change_of,
)
from tests.factories.runs import a_held_run, a_run, a_school
from tests.factories.students import enrolled

RUNS = "/admin/integrations/syncrun/"
CHANGES = "/admin/integrations/change/"
ISSUES = "/admin/integrations/recordissue/"
pytestmark = pytest.mark.django_db


def _decide(client: Client, run: SyncRun, do: str, **fields: Any) -> Any:
    data = {"do": do, "plan_hash": run.plan_hash, "page": "1", **fields}
    return client.post(f"{RUNS}{run.pk}/held/", data, follow=True)


def test_held_page_names_each_drop_with_its_last_seen_date(approver: Client) -> None:
    seen = dt.datetime(2026, 11, 3, 20, tzinfo=dt.UTC)
    earlier = a_run(a_school(), started=seen)
    run = a_held_run(School.objects.get(), drops=1, integration=earlier.integration)
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
    page = approver.get(f"{RUNS}{a_held_run(a_school()).pk}/held/").content.decode()

    assert "Enrollments would end at Lincoln Elementary: 2 of 10 students enrolled there (20 %)." in page


def test_each_decision_changes_the_plan_and_its_hash(approver: Client) -> None:
    run = a_held_run(a_school())
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
    run = a_held_run(a_school())
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
    run = a_held_run(a_school())
    first = run.changes.order_by("pk").first()
    assert first is not None

    response = _decide(approver, run, "approve", **{f"decision-{first.pk}": "keep", f"reason-{first.pk}": "Homebound"})

    assert "look at it once more" in response.content.decode()
    assert SyncRun.objects.get(pk=run.pk).status == "held"


def test_approve_lets_the_run_apply(approver: Client) -> None:
    run = a_held_run(a_school())

    _decide(approver, run, "approve")

    stored = SyncRun.objects.get(pk=run.pk)
    assert (stored.status, str(stored.approved_by)) == ("applying", "approver")


def test_approve_of_a_plan_that_changed_since_is_refused(approver: Client) -> None:
    run = a_held_run(a_school())
    run.plan_hash = "of an older page"

    response = _decide(approver, run, "approve")

    assert "The plan has changed since you looked at it" in response.content.decode()
    assert SyncRun.objects.get(pk=run.pk).status == "held"


def test_adds_and_updates_only_leaves_the_drops_out(approver: Client) -> None:
    run = a_held_run(a_school())
    change_of(enrolled(School.objects.get()), run=run, schools=["101"], status="planned")
    SyncRun.objects.filter(pk=run.pk).update(plan_hash=plan_hash(run.pk))
    run.refresh_from_db()

    _decide(approver, run, "adds")

    kinds = run.changes.filter(status="planned").values_list("kind", flat=True)
    assert list(kinds) == ["update"]


@pytest.mark.parametrize(
    ("codes", "others", "offered"),
    [(("drops",), True, True), (("drops",), False, False), (("drops", "blanked"), True, False)],
)
def test_adds_and_updates_only_is_offered_when_drops_are_the_sole_reason_and_there_is_more(
    approver: Client, codes: tuple[str, ...], others: bool, offered: bool
) -> None:
    school = a_school()
    run = a_held_run(school, codes=codes)
    if others:
        change_of(enrolled(school), run=run, schools=["101"], status="planned")

    page = approver.get(f"{RUNS}{run.pk}/held/").content

    assert (b"Apply adds and updates only" in page) is offered


def test_choices_are_remembered_when_the_page_is_turned(approver: Client) -> None:
    run = a_held_run(a_school(), drops=51)
    first = approver.get(f"{RUNS}{run.pk}/held/")
    chosen = first.context["rows"][0].change
    keep = {f"decision-{chosen.pk}": "keep", f"reason-{chosen.pk}": "Homebound"}

    second = _decide(approver, run, "", go="2", **keep)
    again = approver.get(f"{RUNS}{run.pk}/held/")

    assert (len(first.context["rows"]), len(second.context["rows"])) == (50, 1)
    assert again.context["rows"][0].now.reason == "Homebound"
    assert (again.context["ending"], again.context["kept"]) == (50, 1)
    assert "50 would end, 1 kept enrolled" in second.content.decode()


@pytest.mark.parametrize(
    ("query", "found"), [("school=102", "Xavier"), ("q=nguy", "Xavier"), ("what=left", "Xavier"), ("q=zzz", None)]
)
def test_drops_are_found_by_school_name_and_why(approver: Client, query: str, found: str | None) -> None:
    here, there = a_school(), a_school("102", "Washington High")
    run = a_held_run(here, there, drops=0)
    for school, kind, name in ((here, "drop", "Ana Ruiz"), (there, "left", "Xavier Nguyen")):
        first, last = name.split()
        student = enrolled(school, first_name=first, last_name=last)
        change_of(student, run=run, schools=[school.code], kind=kind, status="planned")

    rows = approver.get(f"{RUNS}{run.pk}/held/?{query}").context["rows"]

    assert [row.change.student.first_name for row in rows] == ([found] if found else [])


def test_all_of_a_list_are_kept_or_dropped_at_once(approver: Client) -> None:
    here, there = a_school(), a_school("102", "Washington High")
    run = a_held_run(here, there)

    _decide(approver, run, "keep_all", school="102", all_reason="The file of Washington was cut")
    kept = SyncRun.objects.get(pk=run.pk)
    keeps = list(KeepEnrolled.objects.values_list("school__code", "reason"))
    _decide(approver, kept, "drop_all", school="102")

    assert keeps == [("102", "The file of Washington was cut")] * 2
    assert kept.counts["dropped"] == 2
    assert kept.plan_hash != run.plan_hash == SyncRun.objects.get(pk=run.pk).plan_hash
    assert not KeepEnrolled.objects.exists()


def test_keeping_all_needs_a_reason(approver: Client) -> None:
    run = a_held_run(a_school())

    page = _decide(approver, run, "keep_all").content.decode()

    assert "Say why they all stay enrolled" in page
    assert not KeepEnrolled.objects.exists()


def test_who_left_by_the_systems_own_word_is_not_called_dropped(approver: Client) -> None:
    page = approver.get(f"{RUNS}{a_held_run(a_school(), drops=1, kind='left').pk}/held/").content.decode()

    row = page.partition("<tbody>")[2].partition("</tbody>")[0]
    assert "Left, says the SIS" in row
    assert "last day Nov 20, 2026" in row
    assert "End enrollment" in row
    assert "Drop" not in row


def test_held_page_shows_the_drops_of_the_persons_schools_only(sign_in: Any) -> None:
    run = a_held_run(a_school(), a_school("102", "Washington High"))
    client = sign_in("Sync Service Full Access", "Approve Held Runs", schools=("101",))

    page = client.get(f"{RUNS}{run.pk}/held/")

    assert {code for row in page.context["rows"] for code in row.change.schools} == {"101"}
    assert page.context["schools"] == [("101", "Lincoln Elementary")]
    assert not page.context["may_decide"]


def test_held_page_decides_nothing_on_get(approver: Client) -> None:
    run = a_held_run(a_school())
    change = run.changes.order_by("pk")[0]

    for do in ("save", "keep_all", "approve", "discard"):
        approver.get(
            f"{RUNS}{run.pk}/held/",
            {"do": do, "all_reason": "x", f"decision-{change.pk}": "keep", f"reason-{change.pk}": "x"},
        )

    assert SyncRun.objects.get(pk=run.pk).plan_hash == run.plan_hash
    assert not KeepEnrolled.objects.exists()


def test_discard_writes_nothing(approver: Client) -> None:
    run = a_held_run(a_school())

    _decide(approver, run, "discard")

    assert SyncRun.objects.get(pk=run.pk).status == "discarded"
    assert not run.changes.filter(status="planned").exists()


def test_deciding_needs_the_right_to_approve(registrar: Client) -> None:
    run = a_held_run(a_school())

    page = registrar.get(f"{RUNS}{run.pk}/held/")

    assert page.status_code == 200
    assert b'value="approve"' not in page.content
    assert _decide(registrar, run, "approve").status_code == 403
    assert registrar.get(f"{RUNS}{run.pk}/undo/").status_code == 403
