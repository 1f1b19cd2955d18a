"""Reads the pictures of every covered school, and goes on where a killed run stopped."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import transaction
from django.db.models import Max

from integrations.connectors.base import Connector, PictureSource, SourceSchool
from integrations.errors import ConfigurationError, PermissionMissing, RateLimited, SystemUnavailable
from integrations.inbound import store
from integrations.inbound.pictures.issues import pictures_of_nobody, school_failed
from integrations.inbound.pictures.match import students_of
from integrations.inbound.pictures.store import store_page
from integrations.inbound.rules import Rules
from integrations.models import RunPage, SyncRun
from integrations.runs import lease
from integrations.runs.failpoints import reach
from students.models import StudentPhoto


def read_pictures(run: SyncRun, connector: Connector, rules: Rules, *, covered: Sequence[str], fence: int) -> bool:
    """Bring every covered school's pictures; whether every school was read to its end.

    covered: the system's school codes. The run's counts are of pictures. Raises IntegrationError when the
    system cannot be read at all, LeaseLost.
    """
    if not isinstance(connector, PictureSource):
        raise ConfigurationError(f"{run.integration.name} has no pictures to read. Untick Pictures Only.")
    schools = {school.code: school for school in connector.schools()}
    done: dict[str, str] = dict(run.checkpoint.get("schools", {}))
    seen = _seen_before(run, rules)
    for code in covered:
        if code not in done:
            done[code] = _read_school(run, connector, schools.get(code), code, rules, seen, fence)
            reach("pictures.school")
    if covered and all(done[code] for code in covered):
        raise SystemUnavailable(f"None of the schools could be read. {next(iter(done.values()))}")
    return not any(done.values())


def _seen_before(run: SyncRun, rules: Rules) -> dict[int, int]:
    """Student → year, or 0, of the picture the run had of them before it was killed."""
    seen: dict[int, int] = {}
    for page in RunPage.objects.filter(run=run, resource="pictures").order_by("pk").iterator():
        whose = students_of(run.integration, _tenant(run), rules.buildings[page.school], page.ids)
        photos = StudentPhoto.objects.filter(student__in=whose.values())
        seen |= {student: year or 0 for student, year in photos.values_list("student_id", "source_year")}
    return seen


def _tenant(run: SyncRun) -> str:
    return str(run.certificate.get("tenant", {}).get("id", ""))


def _read_school(
    run: SyncRun,
    connector: PictureSource,
    school: SourceSchool | None,
    code: str,
    rules: Rules,
    seen: dict[int, int],
    fence: int,
) -> str:
    """Bring one school's pictures and note that it is done; why it was not read to its end, "" when it was."""
    ours = rules.buildings[code]
    problem = "" if school else f"School {code} of the Building mapping is not listed by the system."
    last = RunPage.objects.filter(run=run, resource="pictures", school=code).aggregate(last=Max("number"))["last"]
    try:
        for page in connector.pictures(school, first=(last or 0) + 1) if school else ():
            whose = students_of(run.integration, _tenant(run), ours, [one.external_id for one in page.pictures])
            store_page(run, page, school=code, ours=ours, whose=whose, seen=seen, fence=fence)
            reach("pictures.page")
    except RateLimited:
        raise
    except (SystemUnavailable, PermissionMissing) as error:
        problem = f"School {code} could not be read: {error.message}"
    found = [school_failed(ours, why=problem)] if problem else []
    if nobody := run.checkpoint.get("nobody", {}).get(code, 0):
        found.append(pictures_of_nobody(ours, number=nobody))
    done = {**run.checkpoint.get("schools", {}), code: problem}
    run.checkpoint = {**run.checkpoint, "schools": done}
    with transaction.atomic():
        store.insert_issues(run.pk, found)
        lease.checked(run.pk, fence, checkpoint=run.checkpoint)
    return problem
