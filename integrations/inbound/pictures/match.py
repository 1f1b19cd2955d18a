"""Whose pictures they are: the students we hold, by the id the system sends with a picture."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from urllib.parse import urlsplit

from django.db.models import Exists, OuterRef

from integrations.models import ExternalIdentity, Integration
from students.models import Enrollment


def students_of(integration: Integration, tenant_id: str, school: str, ids: Collection[str]) -> dict[str, int]:
    """External id → primary key of the student enrolled at our school who has it; nobody else is taken.

    The id is one of the same system and district, through whichever integration brought the student. An id known
    there is never anybody else's; an unknown one is the local id of a student none of them brought.
    """
    siblings = _siblings(integration, tenant_id)
    identities = ExternalIdentity.objects.filter(entity="student", integration__in=siblings)
    speaking: dict[str, set[int]] = {}
    for external_id, student, silent in identities.filter(external_id__in=ids).values_list(
        "external_id", "student_id", "silent"
    ):
        speaking.setdefault(external_id, set()).update({student} if student and not silent else ())
    theirs = identities.filter(student=OuterRef("student"))
    current = Enrollment.objects.filter(left=None)
    by_local_id: dict[str, set[int]] = defaultdict(set)
    without = current.filter(~Exists(theirs), student__local_id__in=[one for one in ids if one not in speaking])
    for local_id, student in without.values_list("student__local_id", "student_id"):
        by_local_id[local_id].add(student)
    alone = {one: next(iter(students)) for one, students in (speaking | by_local_id).items() if len(students) == 1}
    enrolled = current.filter(school__code=school, student__in=alone.values())
    here = set(enrolled.values_list("student_id", flat=True))
    return {one: student for one, student in alone.items() if student in here}


def _siblings(integration: Integration, tenant_id: str) -> list[int]:
    """The integrations that read the same district from the same kind of system, itself among them."""
    host = urlsplit(integration.url).netloc
    same = Integration.objects.filter(system=integration.system).values_list("pk", "url", "tenant_id")
    return [pk for pk, url, tenant in same if urlsplit(url).netloc == host and tenant in ("", tenant_id)]
