"""After planning and after applying: count, compare with the system, and say how the run ended."""

from __future__ import annotations

from django.db.models import Count

from integrations.models import Change, ExternalIdentity, RecordIssue, RunPage, SourceRecord, SyncRun
from integrations.models.run import Status
from students import bulk
from students.models import Contact, Enrollment, Student, StudentContact

from .missing import enrolled_counts
from .rules import Rules
from .seen import count_seen, current_elsewhere, seen_anywhere

NOT_COUNTED = (Change.Status.DISCARDED, Change.Status.WITHHELD, Change.Status.CONFLICT)


def count(run: SyncRun) -> dict[str, int]:
    """The run's counts of distinct students, as planned until applied.

    received = created + updated + unchanged + reopened + rejected + inactive + left, with those of whom the system,
    asked by id, says that they have left; dropped = left + those dropped by absence.
    """
    changes = Change.objects.filter(run=run, entity="student").exclude(status__in=NOT_COUNTED)
    kinds = dict(changes.order_by().values_list("kind").annotate(Count("id")))
    asked = _left_unseen(run)
    seen, inactive_only = count_seen(run.pk)
    left = kinds.get("left", 0)
    refused = _rejected(run)
    stopped = seen_anywhere(run.pk, refused)
    counts = {
        "received": seen + asked + len(refused - stopped),
        "created": kinds.get("create", 0),
        "updated": kinds.get("update", 0),
        "unchanged": 0,
        "reopened": kinds.get("reopen", 0),
        "rejected": len(refused),
        "inactive": max(inactive_only - (left - asked) - len(stopped - current_elsewhere(run.pk, stopped)), 0),
        "left": left,
        "dropped": left + kinds.get("drop", 0),
        "withheld_fields": _withheld(run),
    }
    told = ("created", "updated", "reopened", "rejected", "inactive", "left")
    counts["unchanged"] = counts["received"] - sum(counts[name] for name in told)
    return counts


def compare(run: SyncRun, rules: Rules) -> dict[str, dict[str, int]]:
    """Our school code → how many current students the system told, and how many are enrolled here."""
    told: dict[str, int] = dict.fromkeys(rules.buildings.values(), 0)
    pages = RunPage.objects.filter(run=run).values_list("school", "external_ids", "inactive_ids")
    for school, ids, inactive in pages.iterator(chunk_size=50):
        if ids and school in rules.buildings:
            told[rules.buildings[school]] += ids.count("\n") + 1 - (inactive.count("\n") + 1 if inactive else 0)
    here = enrolled_counts(rules)
    return {school: {"system": told[school], "here": here[school]} for school in told}


def closing_status(run: SyncRun, *, complete: bool) -> str:
    """How an applied run ended."""
    if not complete:
        return Status.PARTIAL
    return Status.COMPLETE_WITH_ISSUES if RecordIssue.objects.filter(run=run).exists() else Status.COMPLETE


def refresh_statistics(run: SyncRun) -> None:
    """Give the database new statistics after a load that added most of what there is."""
    created = run.counts.get("created", 0)
    if created > 1000 and created * 2 > Student.objects.count():
        bulk.analyze(Student, Enrollment, Contact, StudentContact, ExternalIdentity, SourceRecord)


def _left_unseen(run: SyncRun) -> int:
    """How many of those who left stand on no page of the run, but were asked for by id."""
    rows = Change.objects.filter(run=run, entity="student", kind=Change.Kind.LEFT, page=None, page_ids=[]).exclude(
        status__in=NOT_COUNTED
    )
    asked = set(rows.values_list("external_id", flat=True))
    return len(asked - seen_anywhere(run.pk, asked))


def _rejected(run: SyncRun) -> set[str]:
    """The ids of students kept out by an issue."""
    errors = RecordIssue.objects.filter(run=run, severity="error").exclude(external_id="")
    refused = set(errors.values_list("external_id", flat=True))
    if not refused:
        return set()
    changed = Change.objects.filter(run=run, entity="student").exclude(status__in=NOT_COUNTED)
    return refused - set(changed.values_list("external_id", flat=True).iterator())


def _withheld(run: SyncRun) -> int:
    rows = Change.objects.filter(run=run).exclude(withheld={}).values_list("withheld", flat=True)
    return sum(why != "conflict" for withheld in rows.iterator() for _, _, why in withheld.values())
