"""The enrollments a held run would end: found, told, and what was chosen for each."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from typing import Any, NamedTuple

import msgspec
from django.db.models import Q, QuerySet
from django.http import QueryDict

from integrations.admin.scoping import NamesAny, at_schools
from integrations.errors import RunRefused
from integrations.inbound.last_seen import last_seen
from integrations.models import Change, KeepEnrolled, SyncRun
from mapping.models import DataEntityMappingValue
from students.models import Enrollment, School

DROPS = (Change.Kind.DROP, Change.Kind.LEFT, Change.Kind.ENDED)
SHOWN = {
    "": "All",
    "drop": "Dropped: not in file",
    "left": "Left, says the SIS",
    "ended": "Year ended",
    "kept": "Kept enrolled",
}


class Wanted(NamedTuple):
    """What the person looks for: words of a name or a SIS ID, our code of a school, one of SHOWN."""

    words: str = ""
    school: str = ""
    what: str = ""


class Decision(msgspec.Struct, frozen=True):
    """What the person chose for one drop. until: None is until someone lifts it."""

    keep: bool
    reason: str = ""
    until: dt.date | None = None


class Unfinished(RunRefused):
    """A decision that cannot be saved as it stands; the person goes on where they were."""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One drop as the page shows it. last_day: what would be written as the leave date."""

    change: Change
    schools: str
    grade: str
    last_day: dt.date | None
    seen: dt.datetime | None
    now: Decision

    @property
    def until_text(self) -> str:
        """The date as the browser's date field takes it."""
        return self.now.until.isoformat() if self.now.until else ""


def wanted_of(data: QueryDict) -> Wanted:
    """What was typed and chosen above the list."""
    what = data.get("what", "")
    return Wanted(data.get("q", "").strip(), data.get("school", ""), what if what in SHOWN else "")


def drops_of(run: SyncRun, user: Any, wanted: Wanted | None = None) -> QuerySet[Change]:
    """The drops of a held run that the person may see and looks for, by name."""
    wanted = wanted or Wanted()
    rows = at_schools(run.changes.filter(entity="student", kind__in=DROPS), user)
    for word in wanted.words.split():
        name = Q(student__last_name__icontains=word) | Q(student__first_name__icontains=word)
        rows = rows.filter(name | Q(external_id__startswith=word))
    if wanted.school:
        rows = rows.filter(NamesAny("schools", [wanted.school]))
    if wanted.what == "kept":
        rows = rows.exclude(keep_reason="")
    elif wanted.what:
        rows = rows.filter(kind=wanted.what, keep_reason="")
    return rows.select_related("student").order_by("student__last_name", "student__first_name", "pk")


def schools_of(run: SyncRun, user: Any) -> list[tuple[str, str]]:
    """(code, name) of every school at which an enrollment would end."""
    codes = {code for schools in drops_of(run, user).values_list("schools", flat=True) for code in schools}
    return list(School.objects.filter(code__in=codes).order_by("name").values_list("code", "name"))


def rows_of(run: SyncRun, changes: list[Change], posted: QueryDict) -> list[Row]:
    """The drops with what the page tells of each; posted: what was chosen and could not be saved."""
    names = dict(School.objects.values_list("code", "name"))
    targets = [c.target for c in changes if c.target]
    enrolled = Enrollment.objects.filter(student__in=targets, left=None).order_by("primary")
    grades = dict(enrolled.values_list("student", "grade_level"))
    labels = dict(Enrollment._meta.get_field("grade_level").flatchoices)
    seen = _last_seen(run, changes)
    kept = kept_rows(run, changes)
    return [
        Row(
            change=change,
            schools=", ".join(names.get(code, code) for code in change.schools),
            grade=str(labels.get(grade := grades.get(change.target or 0, ""), grade)),
            last_day=_last_day(change),
            seen=seen.get(change.pk),
            now=_shown(posted, change, kept.get(change.target or 0)),
        )
        for change in changes
    ]


def kept_rows(run: SyncRun, changes: Collection[Change]) -> dict[int, KeepEnrolled]:
    """Student → the decision in force, of those the drops are about."""
    targets = [c.target for c in changes if c.target]
    rows = KeepEnrolled.objects.filter(integration=run.integration_id, student__in=targets)
    return {row.student_id: row for row in rows}


def decided(change: Change, kept: KeepEnrolled | None) -> Decision:
    """What is stored for a drop."""
    if change.status != Change.Status.WITHHELD:
        return Decision(keep=False)
    return Decision(keep=True, reason=change.keep_reason, until=kept.until if kept else None)


def chosen(posted: QueryDict, change: Change) -> Decision:
    """What was ticked for a drop. Raises Unfinished without a reason, and for a date that is none."""
    if posted.get(f"decision-{change.pk}") != "keep":
        return Decision(keep=False)
    reason = posted.get(f"reason-{change.pk}", "").strip()[:200]
    if not reason:
        raise Unfinished(f"Say why {change.student} stays enrolled. No decision was saved.")
    until = day_of(posted.get(f"until-{change.pk}", ""), whom=f"The date for {change.student}")
    return Decision(keep=True, reason=reason, until=until)


def day_of(text: str, *, whom: str) -> dt.date | None:
    """The date a date field sent, None for a blank one. Raises Unfinished; whom begins its sentence."""
    try:
        return dt.date.fromisoformat(text.strip()) if text.strip() else None
    except ValueError:
        raise Unfinished(f"{whom} is not a date. No decision was saved.") from None


def posted_drops(posted: QueryDict) -> list[int]:
    """Primary keys of the drops the posted page showed."""
    keys = (key.removeprefix("decision-") for key in posted if key.startswith("decision-"))
    return [int(key) for key in keys if key.isdigit()]


def _shown(posted: QueryDict, change: Change, kept: KeepEnrolled | None) -> Decision:
    if f"decision-{change.pk}" not in posted:
        return decided(change, kept)
    keep = posted[f"decision-{change.pk}"] == "keep"
    return Decision(keep=keep, reason=posted.get(f"reason-{change.pk}", ""))


def _last_day(change: Change) -> dt.date | None:
    days = [after for path, (_, after) in change.fields.items() if path.endswith(".left") and after]
    return dt.date.fromisoformat(max(days)) if days else None


def _last_seen(run: SyncRun, changes: list[Change]) -> dict[int, dt.datetime]:
    """The drop's primary key → when an earlier run last saw the student at a school of the drop."""
    theirs: dict[str, list[str]] = {}
    pairs = DataEntityMappingValue.objects.filter(mapping=run.integration.building_id)
    for external, ours in pairs.values_list("external_value", "value"):
        theirs.setdefault(ours, []).append(external)
    asked = {c.pk: [(c.external_id, code) for ours in c.schools for code in theirs.get(ours, ())] for c in changes}
    seen = last_seen(run, {key for keys in asked.values() for key in keys})
    days = {pk: [seen[key] for key in keys if key in seen] for pk, keys in asked.items()}
    return {pk: max(found) for pk, found in days.items() if found}
