"""Read the schools one after the other, page by page; every page is planned and committed as it comes."""

from __future__ import annotations

import msgspec
from django.db import transaction
from django.utils import timezone

from integrations.connectors.base import DELTA_ONLY, Connector, Problem, SourcePage, SourceSchool
from integrations.errors import IntegrationError, PermissionMissing, RateLimited, SystemUnavailable
from integrations.models import RunPage, SourceRecord, SyncRun
from integrations.runs import lease
from integrations.runs.failpoints import reach
from students import bulk
from students.records import CURRENT

from .block import digest, fingerprints
from .plan_page import PagePlan, plan_page
from .resolve import start_of
from .rules import Rules
from .store import clear_school, store_page


class SchoolState(msgspec.Struct, kw_only=True, omit_defaults=True):
    """How far the reading of one school has come, as the run's certificate keeps it.

    pages and rows: read so far. declared: the system's own count, None where it states none. done: the
    school was read to its end. problems: why it is not proven complete, as [code, message].
    """

    pages: int = 0
    rows: int = 0
    seen: int = 0
    declared: int | None = None
    last: int = 0
    done: bool = False
    problems: list[tuple[str, str]] = []

    @property
    def complete(self) -> bool:
        """Whether the school is proven to have been read whole."""
        return self.done and not self.problems


class Reading:
    """One run's reading: the connector, the rules, the fence, and the state of each school."""

    def __init__(self, run: SyncRun, *, connector: Connector, rules: Rules, fence: int) -> None:
        self.run, self.connector, self.rules, self.fence = run, connector, rules, fence
        self.start = start_of(rules.integration_id)
        told = run.certificate.get("schools", {})
        self.schools = {code: msgspec.convert(state, SchoolState) for code, state in told.items()}
        self.ended = False

    def certificate(self) -> dict[str, object]:
        """What the run keeps of the reading."""
        return {
            **self.run.certificate,
            "schools": {code: msgspec.to_builtins(state) for code, state in self.schools.items()},
        }

    def save(self) -> None:
        """Commit the certificate together with the caller's transaction."""
        self.run.certificate = self.certificate()
        lease.checked(self.run.pk, self.fence, certificate=self.run.certificate)
        self.ended = False

    def commit_ends(self) -> None:
        """Save the ends of schools that no page's transaction has saved since."""
        if self.ended:
            with transaction.atomic():
                self.save()


def fetch(reading: Reading, *, covered: list[str]) -> None:
    """Read and plan every covered school that is not done yet.

    A school that fails is told in its state and the next one is read. Raises what concerns the whole run:
    refused credentials, a request to come back later, or every school failing in the same way.
    """
    try:
        _fetch_schools(reading, covered)
    finally:
        reading.commit_ends()


def _fetch_schools(reading: Reading, covered: list[str]) -> None:
    listed = {school.code: school for school in reading.connector.schools()}
    for code in covered:
        state = reading.schools.setdefault(code, SchoolState())
        if state.done:
            continue
        if code not in listed:
            _end_school(reading, code, Problem("school_missing", f"The system no longer lists school {code}."))
            continue
        try:
            _read_school(reading, listed[code])
        except RateLimited:
            raise
        except (SystemUnavailable, PermissionMissing) as error:
            _end_school(reading, code, Problem("school_failed", f"School {code} could not be read: {error.message}"))
            _give_up_if_all_failed(reading, error)
        reach("school.after")


def _read_school(reading: Reading, school: SourceSchool) -> None:
    state = reading.schools[school.code]
    first, rows = (state.pages, state.rows - _rows_of(reading, school, state)) if state.pages else (1, 0)
    same = not state.pages
    for page in reading.connector.pages(school, first=first, rows_before=rows):
        marks = fingerprints(page.records, key=reading.rules.fingerprint_key)
        if not same:
            same = digest(marks) == state.last and page.declared == state.declared and not page.problems
            if not same:
                break
            continue
        _take_page(reading, school, page, marks)
        state = reading.schools[school.code]
    if not same:
        _start_anew(reading, school)
        return
    problems = [*reading.connector.confirm(school)]
    delta = any(problem.code == DELTA_ONLY for problem in problems)
    if state.seen == 0 and not delta and _was_not_empty(reading, school):
        problems.append(
            Problem(
                "school_empty",
                f"School {school.code} answered without a single student, but had some before.",
            )
        )
    _end_school(reading, school.code, *problems)


def _start_anew(reading: Reading, school: SourceSchool) -> None:
    """Forget what was read of a school that changed while the run was down, and read it again."""
    with transaction.atomic():
        clear_school(reading.run.pk, school.code)
        reading.schools[school.code] = SchoolState()
        reading.save()
    _read_school(reading, school)


def _take_page(reading: Reading, school: SourceSchool, page: SourcePage, marks: list[int]) -> None:
    """Plan one page and commit it with all that it comes to."""
    run, rules = reading.run, reading.rules
    ids = [record.external_id for record in page.records]
    known, others = _known(reading, school, ids)
    wanted = set(run.scope_students)
    changed = [
        (record, mark)
        for record, mark in zip(page.records, marks, strict=True)
        if known.get(record.external_id) != mark and (not wanted or record.external_id in wanted)
    ]
    plan = (
        plan_page(
            run.pk,
            changed,
            school=school,
            connector=reading.connector,
            rules=rules,
            start=reading.start,
            others=others,
        )
        if changed
        else PagePlan()
    )
    old = reading.schools[school.code]
    state = msgspec.structs.replace(
        old,
        pages=page.number,
        rows=old.rows + page.rows,
        seen=old.seen + len(ids),
        declared=page.declared,
        last=digest(marks),
        problems=[*old.problems, *((p.code, p.message) for p in page.problems)],
    )
    row = RunPage(
        run_id=run.pk,
        school=school.code,
        number=page.number,
        external_ids="\n".join(ids + [seen for seen, _, _ in page.rejected if seen]),
        inactive_ids="\n".join(r.external_id for r in page.records if r.facts.status != CURRENT),
        rows=page.rows,
        digest=state.last,
        received=timezone.now(),
    )
    reach("page.before")
    with transaction.atomic():
        bulk.commit_without_waiting()
        reading.schools[school.code] = state
        store_page(row, plan, page.rejected, rules=rules)
        reading.save()
        reach("page.commit")
    reach("page.after")


def _known(reading: Reading, school: SourceSchool, ids: list[str]) -> tuple[dict[str, int | None], set[str]]:
    """The fingerprints this school's records were last applied with, and the ids other schools speak of too."""
    if reading.start.unknown:
        return {}, set()
    rows = SourceRecord.objects.filter(integration_id=reading.rules.integration_id, external_id__among=frozenset(ids))
    known: dict[str, int | None] = {}
    others: set[str] = set()
    for external_id, code, mark in rows.values_list("external_id", "school", "fingerprint"):
        if code == school.code:
            known[external_id] = mark
        else:
            others.add(external_id)
    return known, others


def _rows_of(reading: Reading, school: SourceSchool, state: SchoolState) -> int:
    page = RunPage.objects.filter(run=reading.run, school=school.code, number=state.pages).only("rows").first()
    return page.rows if page else 0


def _was_not_empty(reading: Reading, school: SourceSchool) -> bool:
    rows = SourceRecord.objects.filter(integration_id=reading.rules.integration_id, school=school.code)
    return rows.filter(facts__status=CURRENT).exists()


def _end_school(reading: Reading, code: str, *problems: Problem) -> None:
    """Note how the school ended; saved with the next page, for a run killed before that confirms it again."""
    state = reading.schools[code]
    reading.schools[code] = msgspec.structs.replace(
        state, done=True, problems=[*state.problems, *((p.code, p.message) for p in problems)]
    )
    reading.ended = True


def _give_up_if_all_failed(reading: Reading, error: IntegrationError) -> None:
    states = reading.schools.values()
    failed = [s for s in states if any(code == "school_failed" for code, _ in s.problems)]
    if (
        len(failed) == len(states)
        and len(failed) >= min(3, len(reading.rules.buildings))
        and not any(s.pages for s in states)
    ):
        raise error
