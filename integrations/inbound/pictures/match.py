"""Whose pictures they are: the students we hold, by the id the system sends with a picture."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from urllib.parse import urlsplit

from integrations.models import ExternalIdentity, Integration
from students.models import Enrollment


def students_of(integration: Integration, tenant_id: str, school: str, ids: Collection[str]) -> dict[str, int]:
    """External id → primary key of the student enrolled at our school who has it; nobody else is taken.

    The id is one of the same system and district, through whichever integration brought the student;
    where none did, it is the student's own local id.
    """
    here = set(Enrollment.objects.filter(school__code=school, left=None).values_list("student_id", flat=True))
    known = ExternalIdentity.objects.filter(
        entity="student", external_id__in=ids, integration__in=_siblings(integration, tenant_id), student__in=here
    )
    found = dict(known.filter(silent=False).values_list("external_id", "student_id"))
    merged = set(known.filter(silent=True).values_list("external_id", flat=True))
    rest = [external_id for external_id in ids if external_id not in found and external_id not in merged]
    by_local_id: dict[str, set[int]] = defaultdict(set)
    current = Enrollment.objects.filter(school__code=school, left=None, student__local_id__in=rest)
    for local_id, student in current.values_list("student__local_id", "student_id"):
        by_local_id[local_id].add(student)
    alone = {local_id: next(iter(students)) for local_id, students in by_local_id.items() if len(students) == 1}
    return {**{external_id: pk for external_id, pk in found.items() if pk is not None}, **alone}


def _siblings(integration: Integration, tenant_id: str) -> list[int]:
    """The integrations that read the same district from the same kind of system, itself among them."""
    host = urlsplit(integration.url).netloc
    same = Integration.objects.filter(system=integration.system).values_list("pk", "url", "tenant_id")
    return [pk for pk, url, tenant in same if urlsplit(url).netloc == host and tenant in ("", tenant_id)]
