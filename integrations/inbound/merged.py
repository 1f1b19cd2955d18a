"""Decide, once the last school is read, about records that were merged into another record of their student.

One id speaks. A current record under another id is told and not written. When the speaking id has gone and another
one is still current, that one takes over, so that no child is dropped who is current under any id.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from django.db import transaction

from integrations.models import Change
from integrations.runs import lease
from integrations.runs.failpoints import reach
from students.records import CURRENT, LEFT
from students.stays import current, succeed
from students.student_plan import end_stays

from . import hub, issues, store
from .block import Entry
from .fetch import Reading
from .missing import snapshot_complete
from .plan_page import PagePlan, PlannedChange, add_contacts, one_student
from .seen import current_at
from .settle import entries_of, remember_pages, spell_out_contacts
from .speakers import Ids, several_ids
from .write import SPEAKER

MOVED = "moved"


class _Heard(msgspec.Struct, kw_only=True):
    """What the run read of one student. spoken: id → decoded entries of its silent ids; where: id → schools."""

    student: hub.Held
    ids: Ids
    spoken: Mapping[str, list[Entry]]
    where: Mapping[str, set[str]]

    @property
    def speaks(self) -> bool:
        """Whether the id that speaks is current."""
        return any(one in self.where for one in self.ids.speaking)

    @property
    def heir(self) -> str:
        """The silent id that is current and can be read, "" when there is none."""
        readable = (e for e in self.ids.silent if any(x.facts.status == CURRENT for x in self.spoken.get(e, ())))
        return next(readable, "")


def settle_merged(reading: Reading) -> None:
    """Replace what waits of merged records by what is to be done about their students, in one transaction."""
    if not reading.start.silent:
        return
    run, rules = reading.run, reading.rules
    several = several_ids(rules.integration_id)
    waiting = list(Change.objects.filter(run=run, deferred=True, external_id__in=reading.start.silent))
    entries = entries_of(waiting)
    where = current_at(run.pk, {one for ids in several.values() for one in ids.all})
    held = hub.load(rules.integration_id, several)
    whole = not run.scoped and snapshot_complete(reading)
    plan = PagePlan()
    speaking: list[Entry] = []
    for student, ids in several.items():
        heard = _Heard(student=held[student], ids=ids, spoken=entries, where=where)
        if whole and heard.heir and not heard.speaks:
            _take_over(reading, heard, plan, speaking)
        else:
            _keep_silent(reading, heard, plan, whole=whole)
    add_contacts(run.pk, plan, speaking, rules=rules, start=reading.start)
    spell_out_contacts(plan, speaking)
    pages = {change.external_id: change.page_ids or [change.page_id] for change in waiting}
    reach("merged.before")
    with transaction.atomic():
        Change.objects.filter(pk__in=[change.pk for change in waiting]).delete()
        leaving = Change.objects.filter(run=run, entity="student", external_id__in=plan.withdraw)
        leaving.filter(kind=Change.Kind.LEFT).update(status=Change.Status.DISCARDED)
        store.insert_changes(run.pk, plan.changes, page_id=None)
        remember_pages(run.pk, {c.external_id: pages[c.external_id] for c in plan.changes if c.external_id in pages})
        store.insert_issues(run.pk, plan.issues)
        lease.checked(run.pk, reading.fence)
        reach("merged.commit")


def _take_over(reading: Reading, heard: _Heard, plan: PagePlan, speaking: list[Entry]) -> None:
    """Let the heir speak: write what its records say, and end what only the gone id has held."""
    spoken = heard.spoken[heard.heir]
    stays = heard.student.stays
    here = {reading.rules.buildings[code] for schools in _schools(heard) for code in schools}
    covered = set(reading.rules.buildings.values())
    gone = frozenset(s.school for s in stays if s.left is None and s.school in covered - here)
    decided = one_student(heard.student, spoken, rules=reading.rules, gone=gone)
    before = heard.ids.speaking[0] if heard.ids.speaking else ""
    plan.changes.append(
        PlannedChange(
            entity="student",
            external_id=heard.heir,
            kind=decided.kind if decided else "update",
            fields={**(decided.fields if decided else {}), SPEAKER: [before, heard.heir]},
            withheld=decided.withheld if decided else {},
            target=heard.student.id,
            schools=sorted({entry.ours for entry in spoken} | gone),
        )
    )
    main = next((e for e in spoken if decided and e.ours == decided.main), None)
    main = main or next(e for e in spoken if e.facts.status == CURRENT)
    speaking.append(main)
    plan.withdraw += heard.ids.speaking
    _tell(heard, plan, speaker=heard.heir)


def _keep_silent(reading: Reading, heard: _Heard, plan: PagePlan, *, whole: bool) -> None:
    """Write nothing of the silent records, except that a school they left is left. Nobody ends who may be current."""
    _tell(heard, plan, speaker=next(iter(heard.ids.speaking), ""))
    if not heard.speaks:
        if heard.where.keys() & set(heard.ids.all) or not whole:
            plan.withdraw += heard.ids.speaking
        return
    here = set().union(*_schools(heard))
    stays = heard.student.stays
    for external_id in heard.ids.silent:
        endings = {
            entry.ours: (min(entry.facts.left or reading.rules.today, reading.rules.today), MOVED)
            for entry in heard.spoken.get(external_id, ())
            if entry.facts.status == LEFT and entry.school not in here and reading.schools[entry.school].complete
            if current(stays, entry.ours)
        }
        fields, _ = end_stays(stays, endings, year=reading.rules.year)
        if fields:
            fields |= succeed(stays, ending=endings.keys(), alternate=())
            plan.changes.append(
                PlannedChange(
                    entity="student", external_id=external_id, kind="update", fields=fields,
                    target=heard.student.id, schools=sorted(endings),
                )
            )  # fmt: skip


def _tell(heard: _Heard, plan: PagePlan, *, speaker: str) -> None:
    """One issue for every record that is current and not written."""
    for external_id in heard.ids.silent:
        entry = next((e for e in heard.spoken.get(external_id, ()) if e.facts.status == CURRENT), None)
        if entry is not None and external_id != speaker:
            plan.issues.append(issues.merged_record(external_id, entry.ours, speaker=speaker))


def _schools(heard: _Heard) -> list[set[str]]:
    return [heard.where[one] for one in heard.ids.all if one in heard.where]
