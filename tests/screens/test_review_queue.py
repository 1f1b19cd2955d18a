"""The review queue: who waits, side by side, three decisions, and what was decided."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from integrations.models import ExternalIdentity, MatchDecision, RecordIssue, SyncRun
from integrations.models.run import REVIEWED
from tests.factories.integrations import ExternalIdentityFactory, RecordIssueFactory, RunPageFactory
from tests.factories.people import SignIn
from tests.factories.runs import a_run, a_school
from tests.factories.students import enrolled

QUEUE = "/admin/integrations/matchdecision/"
ISSUES = "/admin/integrations/recordissue/"
RECORD = {
    "first_name": "ANA", "last_name": "Ruiz", "birth_date": "2017-03-04", "grade_level": "3", "school": "101",
    "state_id": "0042", "home_phone": "5595550199", "residence_line1": "1 Oak St",
}  # fmt: skip
pytestmark = pytest.mark.django_db


def a_match(**values: Any) -> RecordIssue:
    """A record of SIS ID 900001 at school 101 that may be Ana Ruiz, whom we hold."""
    school = a_school()
    if "candidate" not in values:
        values["candidate"] = enrolled(
            school, first_name="Ana", last_name="Ruiz", state_id="42", home_phone="5595550142", local_id="77"
        )
    run = values.pop("run", None) or a_run(school)
    run.integration.import_enabled = True
    run.integration.save()
    facts = values.pop("facts", {"records": [RECORD], "others": []})
    made: RecordIssue = RecordIssueFactory.create(
        **{
            "run": run, "code": "possible_match", "severity": "error", "external_id": "900001", "schools": ["101"],
            "facts": facts, "message": "A student we already have carries the same name and birth date.", **values,
        }
    )  # fmt: skip
    return made


def decide(client: Client, issue: RecordIssue, kind: str, **values: Any) -> Any:
    """Press one of the three buttons of the card as it is shown."""
    sent = {"decision": kind, "student": issue.candidate_id or "", **values}
    return client.post(f"{QUEUE}record/{issue.pk}/decide/", sent, follow=True)


def cards(client: Client, query: str = "") -> list[str]:
    """The SIS IDs of the cards listed."""
    return [card.issue.external_id for card, _ in client.get(f"{QUEUE}?{query}").context["cards"]]


def test_record_and_student_stand_side_by_side_and_differences_are_told_in_words(registrar: Client) -> None:
    issue = a_match()
    ExternalIdentityFactory.create(integration=issue.run.integration, external_id="800001", student=issue.candidate)

    answer = registrar.get(QUEUE)

    ((card, ids),) = answer.context["cards"]
    words = {row.label: (row.left, row.right, row.word) for row in card.rows}
    assert words["First name"] == ("ANA", "Ana", "same")
    assert words["Birth date"][2] == "same"
    assert words["State ID"] == ("0042", "42", "same")
    assert words["Home phone"] == ("(559) 555-0199", "(559) 555-0142", "differs")
    assert words["School"] == ("Lincoln Elementary", "Lincoln Elementary", "same")
    assert any((row.left, row.word) == ("1 Oak St", "right is blank") for row in card.rows)
    assert ids == [f"800001 in {issue.run.integration}"]
    page = answer.content.decode()
    assert "<strong>differs</strong>" in page
    assert all(f'value="{kind}"' in page for kind in MatchDecision.Kind.values)


def test_record_waits_once_with_its_newest_word_open_ones_only(registrar: Client) -> None:
    old = a_match()
    integration = old.run.integration
    new = a_match(run=a_run(integration=integration), candidate=old.candidate)
    a_match(run=a_run(integration=integration), candidate=None, external_id="done", resolved=timezone.now())
    a_match(run=a_run(integration=integration, status="failed"), candidate=None, external_id="failed")
    a_match(run=a_run(integration=integration), candidate=None, external_id="other", code="unmapped_code")

    assert cards(registrar) == ["900001"]
    assert registrar.get(f"{QUEUE}record/{old.pk}/").context["cards"][0][0].issue == new


def test_dashboard_counts_the_records_that_wait_and_leads_to_them(registrar: Client) -> None:
    for code in REVIEWED:
        a_match(code=code, external_id=code, candidate=None)

    task = next(task for task in registrar.get("/admin/").context["tasks"] if task.what == "matches to review")

    assert task.number == len(REVIEWED)
    assert task.link == QUEUE
    assert sorted(cards(registrar)) == sorted(REVIEWED)


def test_issue_leads_to_the_card(registrar: Client) -> None:
    issue = a_match()

    links = dict(registrar.get(f"{ISSUES}{issue.pk}/change/").context["links"])

    assert links["Compare and decide"] == f"{QUEUE}record/{issue.pk}/"


@pytest.mark.parametrize(("kind", "linked"), [("link", True), ("new", False), ("not_the_same", False)])
def test_decision_is_remembered_with_who_and_when_and_imports_the_record_alone(
    registrar: Client, kind: str, linked: bool
) -> None:
    issue = a_match()

    page = decide(registrar, issue, kind).content.decode()

    decision = MatchDecision.objects.get()
    run = SyncRun.objects.latest("pk")
    issue.refresh_from_db()
    assert issue.resolved is not None
    assert (decision.kind, decision.external_id, decision.user.username) == (kind, "900001", "registrar")
    assert decision.created.date() == timezone.now().date()
    assert (run.scope_students, run.scope_schools, run.status) == (["900001"], ["101"], "queued")
    assert f"run {run.pk}" in page
    assert ExternalIdentity.objects.filter(external_id="900001", student=issue.candidate).exists() is linked
    assert cards(registrar) == []


def test_decision_is_listed_and_taken_back_until_an_import_has_used_it(registrar: Client) -> None:
    issue = a_match()
    decide(registrar, issue, "new")
    SyncRun.objects.filter(status="queued").update(status="cancelled")
    decision = MatchDecision.objects.get()

    (row,) = registrar.get(f"{QUEUE}?show=decided").context["rows"]
    assert (row["name"], row["used"]) == ("ANA Ruiz", False)
    page = registrar.post(f"{QUEUE}{decision.pk}/take-back/", follow=True).content.decode()

    assert "Taken back" in page
    assert not MatchDecision.objects.exists()
    assert cards(registrar) == ["900001"]


def test_used_decision_cannot_be_taken_back(registrar: Client) -> None:
    issue = a_match()
    decide(registrar, issue, "new")
    SyncRun.objects.filter(status="queued").update(status="complete")
    ExternalIdentityFactory.create(
        integration=issue.run.integration, external_id="900001", student=enrolled(a_school())
    )
    decision = MatchDecision.objects.get()

    listed = registrar.get(f"{QUEUE}?show=decided")
    page = registrar.post(f"{QUEUE}{decision.pk}/take-back/", follow=True).content.decode()

    assert listed.context["rows"][0]["used"]
    assert "take-back" not in listed.content.decode()
    assert "An import has used this decision" in page
    assert MatchDecision.objects.exists()


def test_link_is_refused_on_the_card_when_the_system_sends_both_ids(registrar: Client) -> None:
    issue = a_match()
    ExternalIdentityFactory.create(integration=issue.run.integration, external_id="800001", student=issue.candidate)
    RunPageFactory.create(run=issue.run, external_ids="800001\n900001")

    page = decide(registrar, issue, "link").content.decode()

    assert "as SIS ID 800001 too" in page
    assert not MatchDecision.objects.exists()


def test_decision_is_refused_when_another_student_was_looked_at(registrar: Client) -> None:
    issue = a_match()

    page = decide(registrar, issue, "link", student=enrolled(a_school()).pk).content.decode()

    assert "Ask somebody who may see" in page or "somebody else" in page
    assert not MatchDecision.objects.exists()


def test_second_press_says_that_it_was_decided_meanwhile(registrar: Client) -> None:
    issue = a_match()
    decide(registrar, issue, "not_the_same")

    page = decide(registrar, issue, "new").content.decode()

    assert "Somebody has decided this meanwhile." in page
    assert MatchDecision.objects.get().kind == "not_the_same"


def test_two_records_of_one_id_stand_side_by_side_with_nothing_to_decide(registrar: Client) -> None:
    other = {**RECORD, "first_name": "Leo", "birth_date": "2014-01-09"}
    issue = a_match(
        code="duplicate_in_source", candidate=None, facts={"records": [RECORD, other], "others": []},
        remedy="Correct the ID of one of them in the student information system.",
    )  # fmt: skip

    page = registrar.get(f"{QUEUE}record/{issue.pk}/").content.decode()

    assert "Leo" in page
    assert "Correct the ID of one of them" in page
    assert 'value="new"' not in page
    registrar.post(f"{QUEUE}record/{issue.pk}/look-again/")
    assert SyncRun.objects.latest("pk").scope_students == ["900001"]


def test_two_new_records_stand_side_by_side_and_each_can_be_called_new(registrar: Client) -> None:
    one = a_match(code="possible_duplicate", candidate=None, facts={"records": [RECORD], "others": ["900002"]})
    other = {**RECORD, "first_name": "Leo"}
    a_match(
        run=one.run, code="possible_duplicate", candidate=None, external_id="900002",
        facts={"records": [other], "others": ["900001"]},
    )  # fmt: skip

    page = registrar.get(f"{QUEUE}record/{one.pk}/").content.decode()

    assert "SIS ID 900002" in page
    assert 'value="new"' in page
    assert 'value="link"' not in page
    decide(registrar, one, "new")
    assert MatchDecision.objects.get().student is None


def test_older_issue_without_what_the_record_said_can_be_read_again(registrar: Client) -> None:
    issue = a_match(facts={}, candidate=None)

    page = registrar.get(f"{QUEUE}record/{issue.pk}/").content.decode()

    assert "has not kept what the record says" in page
    assert "SIS ID 900001" in page


def test_limited_person_sees_records_of_own_schools_and_no_student_of_others(sign_in: SignIn) -> None:
    there = a_school("102", "Washington High")
    stranger = enrolled(there, first_name="Secret", last_name="Child")
    mine = a_match(candidate=stranger)
    theirs = a_match(external_id="900009", schools=["102"], candidate=stranger)
    client = sign_in("Sync Service Full Access", schools=("101",))

    answer = client.get(QUEUE)
    page = decide(client, mine, "new").content.decode()

    assert [card.issue for card, _ in answer.context["cards"]] == [mine]
    assert "Secret" not in answer.content.decode()
    assert "Ask somebody who may see" in page
    assert client.get(f"{QUEUE}record/{theirs.pk}/").status_code == 404
    assert decide(client, theirs, "new").status_code == 404
    assert not MatchDecision.objects.exists()


def test_second_record_of_an_id_is_not_shown_to_a_limited_person(sign_in: SignIn) -> None:
    a_school("102", "Washington High")
    other = {**RECORD, "first_name": "Secret", "school": "102"}
    issue = a_match(code="duplicate_in_source", candidate=None, facts={"records": [RECORD, other], "others": []})
    client = sign_in("Sync Service Full Access", schools=("101",))

    page = client.get(f"{QUEUE}record/{issue.pk}/").content.decode()
    again = client.post(f"{QUEUE}record/{issue.pk}/look-again/", follow=True).content.decode()

    assert "Secret" not in page
    assert "of a school that you may not see" in page
    assert "Ask somebody who may see both" in again
    assert not SyncRun.objects.filter(status="queued").exists()


def test_decisions_of_other_schools_are_not_listed_for_a_limited_person(sign_in: SignIn, registrar: Client) -> None:
    a_school("102", "Washington High")
    decide(registrar, a_match(schools=["102"]), "new")
    client = sign_in("Sync Service Full Access", schools=("101",), name="limited")

    decision = MatchDecision.objects.get()

    assert client.get(f"{QUEUE}?show=decided").context["rows"] == []
    assert client.post(f"{QUEUE}{decision.pk}/take-back/").status_code == 404


def test_who_may_not_change_students_looks_only(looker: Client) -> None:
    issue = a_match()

    page = looker.get(QUEUE).content.decode()

    assert "you need the right to change students" in page
    assert looker.post(f"{QUEUE}record/{issue.pk}/decide/", {"decision": "new"}).status_code == 403


def test_nothing_is_decided_by_looking(registrar: Client) -> None:
    issue = a_match()

    for path in ("decide", "look-again"):
        assert registrar.get(f"{QUEUE}record/{issue.pk}/{path}/").status_code == 405
    assert not MatchDecision.objects.exists()
    assert not SyncRun.objects.filter(status="queued").exists()


def test_stranger_without_the_permission_is_turned_away(sign_in: SignIn) -> None:
    issue = a_match()
    client = sign_in("View Registrations")

    assert client.get(QUEUE).status_code == 403
    assert client.get(f"{QUEUE}record/{issue.pk}/").status_code == 403
