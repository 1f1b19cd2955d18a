"""Close the issues and unmapped codes that a run has not met again."""

from __future__ import annotations

from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone

from integrations.models import RecordIssue, SyncRun, UnmappedCode

from .rules import Rules
from .seen import seen_anywhere

CHUNK = 500


def close_what_is_mended(run: SyncRun, rules: Rules) -> None:
    """Close what an applied run shows to be mended: what still holds, it has told again.

    A complete run speaks of everything, one limited to students of those it has seen, at the schools it has
    read. An unmapped code goes with its last open issue. A run of pictures speaks of pictures only.
    """
    if run.certificate.get("complete"):
        _open_issues(run).update(resolved=timezone.now())
        if run.kind == SyncRun.Kind.PICTURES:
            return
        UnmappedCode.objects.filter(integration=run.integration_id).exclude(run=run).delete()
    elif run.scope_students and run.kind != SyncRun.Kind.PICTURES:
        _close_for_students(run, rules)


def _close_for_students(run: SyncRun, rules: Rules) -> None:
    told = run.certificate.get("schools", {})
    read = {rules.buildings[code] for code in told if told[code].get("done") and code in rules.buildings}
    seen = sorted(seen_anywhere(run.pk, set(run.scope_students)))
    for start in range(0, len(seen), CHUNK):
        rows = _open_issues(run).filter(external_id__in=seen[start : start + CHUNK]).values_list("pk", "schools")
        mended = [pk for pk, schools in rows if set(schools) <= read]
        RecordIssue.objects.filter(pk__in=mended).update(resolved=timezone.now())
    open_still = RecordIssue.objects.filter(
        run__integration=run.integration_id,
        code="unmapped_code",
        entity=OuterRef("entity"),
        raw_code=OuterRef("value"),
        resolved=None,
    )
    UnmappedCode.objects.filter(~Exists(open_still), integration=run.integration_id).delete()


def _open_issues(run: SyncRun) -> QuerySet[RecordIssue]:
    """Those of older runs of the integration; for a run of pictures those of runs of pictures."""
    found = RecordIssue.objects.filter(run__integration=run.integration_id, run__lt=run.pk, resolved=None)
    return found.filter(run__kind=run.kind) if run.kind == SyncRun.Kind.PICTURES else found
