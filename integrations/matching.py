"""A person decides whose record it is: link it to a student, add a new one, or say that they are not the same."""

from __future__ import annotations

from typing import Any

import msgspec
from django.db import transaction
from django.db.models import Max, QuerySet
from django.utils import timezone

from integrations import services
from integrations.code_inbox import schools_of
from integrations.errors import RunOpen, RunRefused
from integrations.inbound.seen import current_elsewhere
from integrations.models import ExternalIdentity, Integration, MatchDecision, RecordIssue, SourceRecord, SyncRun
from integrations.models.run import REVIEWED, Status
from students.models import Student
from students.scope import allowed_schools

Kind = MatchDecision.Kind


class Decided(msgspec.Struct, kw_only=True):
    """What a decision came to. run: the import that was queued; waiting: why none was, "" when one was."""

    decision: MatchDecision
    run: SyncRun | None = None
    waiting: str = ""


def waiting() -> QuerySet[RecordIssue]:
    """The newest open issue of every record of which a person has to say whose it is."""
    told = RecordIssue.objects.filter(code__in=REVIEWED, resolved=None)
    told = told.exclude(run__status__in=[Status.FAILED, Status.CANCELLED])
    newest = told.order_by().values("run__integration", "external_id").annotate(newest=Max("pk"))
    return RecordIssue.objects.filter(pk__in=newest.values("newest"))


def candidate_of(issue: RecordIssue) -> Student | None:
    """The student the record may be; None where it looks like nobody we hold by now."""
    found = Student.objects.filter(pk=issue.candidate_id).first() if issue.candidate_id else None
    if found is not None or issue.code == "duplicate_in_source":
        return found
    others = _ids(issue.run.integration).filter(external_id__in=issue.facts.get("others", []))
    return Student.objects.filter(identities__in=others).order_by("pk").first()


def still_sent(issue: RecordIssue, student: Student) -> set[str]:
    """The student's other ids in the same system under which the issue's run has seen a current student."""
    older = _ids(issue.run.integration).filter(student=student).exclude(external_id=issue.external_id)
    return current_elsewhere(issue.run_id, set(older.values_list("external_id", flat=True)))


def decide(
    issue: RecordIssue,
    *,
    kind: str,
    student: Student | None = None,
    user: Any = None,
    run: bool = True,
    wake: bool = True,
) -> Decided:
    """Remember whose record it is and import this one record; nobody is ever dropped by it.

    kind: of MatchDecision; student: whom it is or is not, as the person saw it. run: whether an import is queued;
    without, and where none can start, the next import uses the decision. Raises RunRefused when the record is
    somebody's by now, the student is no longer the one to compare with, or the system sends both ids; for a link
    also while a run of the integration is open.
    """
    integration = issue.run.integration
    schools = _schools(issue, user, [issue.external_id])
    with transaction.atomic():
        _refuse_decided(issue)
        if kind != Kind.NEW and (student is None or student != candidate_of(issue)):
            raise RunRefused("This record is compared with somebody else by now. Look at it again, then decide.")
        values: dict[str, Any] = {"kind": kind, "issue": issue, "user": user, "created": timezone.now(), "given_up": []}
        if kind == Kind.LINK and student is not None:
            _refuse_while_open(integration, "may have planned for this student")
            values["given_up"] = _link(issue, student)
        decision, _ = MatchDecision.objects.update_or_create(
            integration=integration,
            external_id=issue.external_id,
            student=None if kind == Kind.NEW else student,
            defaults=values,
        )
        _open_issues(integration, issue.external_id).update(resolved=timezone.now())
    told = Decided(decision=decision)
    if run:
        told.run, told.waiting = _import(integration, issue.external_id, schools, user=user, wake=wake)
    return told


def look_again(issue: RecordIssue, *, user: Any = None, wake: bool = True) -> SyncRun:
    """A queued import of the issue's record and of those it looks like, at all schools that speak of it.

    Raises RunOpen and RunRefused as ``start_import``, and RunRefused for two records of one id when the person may
    not see both: read alone, either would pass for the child.
    """
    integration, wanted = issue.run.integration, [issue.external_id, *issue.facts.get("others", [])]
    schools = _schools(issue, user, wanted)
    if issue.code == "duplicate_in_source" and schools != _schools(issue, None, wanted):
        raise RunRefused("One of the two records is of a school that you may not see. Ask somebody who may see both.")
    services.look_again(integration=integration, external_ids=wanted)
    return services.start_import(integration=integration, user=user, students=wanted, schools=schools, wake=wake)


def used(decision: MatchDecision) -> bool:
    """Whether an import has acted on the decision: it has written what the record says."""
    record = {"integration": decision.integration_id, "external_id": decision.external_id}
    if decision.kind == Kind.LINK:
        return SourceRecord.objects.filter(**record).exists()
    return ExternalIdentity.objects.filter(**record, entity="student").exists()


def take_back(decision: MatchDecision) -> None:
    """Forget a decision that no import has used; the record waits in the review queue again.

    Raises RunRefused when an import has used it, or may be using it now.
    """
    with transaction.atomic():
        held = MatchDecision.objects.select_for_update().select_related("integration").get(pk=decision.pk)
        _refuse_while_open(held.integration, "may use it")
        if used(held):
            raise RunRefused("An import has used this decision. Undo that run, or merge the two students.")
        if held.kind == Kind.LINK and held.student is not None:
            _unlink(held, held.student)
        RecordIssue.objects.filter(pk=held.issue_id or 0).update(resolved=None)
        held.delete()


def _refuse_while_open(integration: Integration, why: str) -> None:
    opened = SyncRun.objects.open().filter(integration=integration, lane=SyncRun.Lane.INBOUND).first()
    if opened is not None:
        raise RunRefused(f"Run {opened.pk} of {integration} is open and {why}. Wait for it to end.")


def _refuse_decided(issue: RecordIssue) -> None:
    if issue.code not in REVIEWED or issue.code == "duplicate_in_source":
        raise RunRefused("Nothing can be decided here: correct the record in the student information system.")
    taken = _ids(issue.run.integration).filter(external_id=issue.external_id).select_related("student").first()
    if taken is not None:
        raise RunRefused(f"SIS ID {issue.external_id} already belongs to {taken.student}.")
    if not RecordIssue.objects.select_for_update().filter(pk=issue.pk, resolved=None).exists():
        raise RunRefused("Somebody has decided this meanwhile.")


def _link(issue: RecordIssue, student: Student) -> list[str]:
    """Give the student the record's id; returns the older ones, given up as after a renumbering."""
    if sent := still_sent(issue, student):
        raise RunRefused(
            f"{issue.run.integration} sends {student} as SIS ID {', '.join(sorted(sent))} too. The child stands there "
            "twice: let one of the two records be removed there, then run the import again."
        )
    integration = issue.run.integration
    older = _ids(integration).filter(student=student)
    given_up = sorted(older.values_list("external_id", flat=True))
    SourceRecord.objects.filter(integration=integration, external_id__in=given_up).delete()
    older.delete()
    ExternalIdentity.objects.create(integration=integration, external_id=issue.external_id, student=student)
    return given_up


def _unlink(decision: MatchDecision, student: Student) -> None:
    """Take the record's id from the student and give the older ones back, those nobody has by now."""
    mine = _ids(decision.integration)
    mine.filter(external_id=decision.external_id, student=student).delete()
    for external_id in decision.given_up:
        ExternalIdentity.objects.get_or_create(
            integration=decision.integration, entity="student", external_id=external_id, defaults={"student": student}
        )


def _import(
    integration: Integration, external_id: str, schools: set[str], *, user: Any, wake: bool
) -> tuple[SyncRun | None, str]:
    try:
        run = services.start_import(
            integration=integration, user=user, students=[external_id], schools=schools, wake=wake
        )
    except (RunOpen, RunRefused) as error:
        return None, error.message
    return run, ""


def _schools(issue: RecordIssue, user: Any, external_ids: list[str]) -> set[str]:
    """Our codes of the schools where the records were seen, as far as the person may see them."""
    found = schools_of(issue.run.integration, external_ids) | set(issue.schools)
    found |= {record["school"] for record in issue.facts.get("records", [])}
    codes = allowed_schools(user) if user is not None else None
    return found if codes is None else found & codes


def _ids(integration: Integration) -> QuerySet[ExternalIdentity]:
    return ExternalIdentity.objects.filter(integration=integration, entity="student")


def _open_issues(integration: Integration, external_id: str) -> QuerySet[RecordIssue]:
    return RecordIssue.objects.filter(
        run__integration=integration, external_id=external_id, code__in=REVIEWED, resolved=None
    )
