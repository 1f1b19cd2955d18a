"""Refresh one student from a system: read, show before and after, write only when a person says so."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

from integrations import services
from integrations.code_inbox import schools_of
from integrations.errors import RunRefused
from integrations.models import ExternalIdentity, Integration, SyncRun
from mapping.models import DataEntityMappingValue
from students.models import Enrollment, School, Student
from students.scope import allowed_schools

SIS_ID = re.compile(r"[\w.:@+-]{1,64}", re.ASCII)


def refresh_student(
    *, integration: Integration, external_id: str, schools: Collection[str] = (), user: Any = None, wake: bool = True
) -> SyncRun:
    """A queued import of one student that stops before it writes, for the person to look at.

    schools: our codes of where to look; without, where the student is known. It never drops anybody. Raises RunOpen
    and RunRefused as ``start_import``, and RunRefused for an id that is none or when there is no school to look at.
    """
    external_id = external_id.strip()
    if not SIS_ID.fullmatch(external_id):
        raise RunRefused("Type the student's SIS ID: letters, digits and . : @ + - _ only.")
    known = set(schools) or _schools(integration, external_id)
    if not known:
        raise RunRefused(
            f"It is not known at which school {integration} has SIS ID {external_id}. "
            "Say the school on the page Refresh by SIS ID and school."
        )
    found = known & {school.code for school in schools_to_choose(integration, user)}
    if not found:
        which = "the school you chose" if schools else "a school of yours at which this student is"
        raise RunRefused(f"{integration} does not cover {which}.")
    services.look_again(integration=integration, external_ids=[external_id])
    return services.start_import(
        integration=integration, user=user, students=[external_id], schools=found, ask_first=True, wake=wake
    )


def schools_to_choose(integration: Integration, user: Any) -> list[School]:
    """The schools the integration covers and the person may see, by name."""
    covered = DataEntityMappingValue.objects.filter(mapping=integration.building_id).values("value")
    codes = allowed_schools(user) if user is not None else None
    schools = School.objects.filter(code__in=covered, active=True).order_by("name")
    return list(schools if codes is None else schools.filter(code__in=codes))


def known_by(student: Student) -> list[ExternalIdentity]:
    """The ids of the student in systems that may import now, one for each integration."""
    rows = ExternalIdentity.objects.filter(
        entity="student", student=student, silent=False, integration__active=True, integration__import_enabled=True,
        integration__pictures_only=False,
    )  # fmt: skip
    return list(rows.select_related("integration").order_by("integration__name", "pk"))


def _schools(integration: Integration, external_id: str) -> set[str]:
    """Our codes of the schools where the system, or we, know the student."""
    mine = ExternalIdentity.objects.filter(integration=integration, entity="student", external_id=external_id)
    stays = Enrollment.objects.filter(student__in=mine.values("student"), left=None)
    return schools_of(integration, [external_id]) | set(stays.values_list("school__code", flat=True))
