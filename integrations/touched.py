"""Whom a setting of an integration would touch, counted before it is saved."""

from __future__ import annotations

from collections import Counter

import msgspec
from django.db.models import Count, F, Q, QuerySet
from django.utils import timezone

from integrations.inbound.rules import split_codes
from integrations.models import ExternalIdentity, Integration, KeepEnrolled, SourceRecord, SyncRun
from integrations.models.run import APPLIED
from mapping.models import DataEntityMappingValue
from students.models import Enrollment, School, Student

MOST_NAMED = 5
CHUNK = 500


class Absent(msgspec.Struct, frozen=True, kw_only=True):
    """The current students of one school whom the latest complete import did not find.

    enrolled: how many current students the integration supplies there. kept: absent ones a person keeps enrolled.
    """

    school: School
    enrolled: int
    students: list[Student]
    kept: int = 0


def supplied_students(integration: Integration) -> QuerySet[Student]:
    """The current students that the integration supplies: linked to it, and enrolled at a school it covers."""
    stays = Enrollment.objects.filter(school__code__in=_covered(integration).values(), left=None)
    linked = ExternalIdentity.objects.filter(integration=integration, student__isnull=False)
    return Student.objects.filter(pk__in=linked.values("student"), enrollments__in=stays).distinct()


def touched(integration: Integration) -> dict[str, str]:
    """Field of the form → a sentence on the students it would touch, for an integration that has imported before.

    {} for one that has supplied nobody yet.
    """
    if integration.pk is None or not integration.source_records.exists():
        return {}
    students = supplied_students(integration)
    current = students.count()
    told = {
        "use_local_id_as_pin": _pins(students, current),
        "drop_students_not_in_file": _drops(integration, current),
        "family_identifier": _families(students, current),
    }
    return told | _programs(integration)


def program_codes(integration: Integration) -> dict[str, int]:
    """Enrollment program code as the system sends it, "" for the blank one → source records with it, most first."""
    rows = SourceRecord.objects.filter(integration=integration).values_list("facts__program").annotate(Count("pk"))
    found: Counter[str] = Counter()
    for code, number in rows.order_by():
        found[(code or "").strip()] += number
    return dict(found.most_common())


def absent_students(integration: Integration) -> list[Absent]:
    """Per covered school the current students whom the latest complete import did not find, in order of name.

    Students a person keeps enrolled are only counted.
    """
    covered = _covered(integration)
    missing: dict[str, list[str]] = {}
    rows = SourceRecord.objects.filter(integration=integration, missing_since__isnull=False)
    for code, external_id in rows.values_list("school", "external_id"):
        if code in covered:
            missing.setdefault(covered[code], []).append(external_id)
    kept = set(_keeps(integration).values_list("student", "school__code"))
    enrolled = _enrolled(integration, set(covered.values()))
    found = []
    for school in School.objects.filter(code__in=set(covered.values())).order_by("name"):
        students = _still_enrolled(integration, school, missing.get(school.code, []))
        left = [one for one in students if (one.pk, school.code) not in kept]
        found.append(
            Absent(school=school, enrolled=enrolled.get(school.code, 0), students=left, kept=len(students) - len(left))
        )
    return found


def latest_complete_import(integration: Integration) -> SyncRun | None:
    """The latest import that was applied and read every school whole."""
    runs = integration.runs.filter(kind=SyncRun.Kind.IMPORT, dry_run=False, scope_schools=[], scope_students=[])
    return runs.filter(status__in=[one for one in APPLIED if one != "partial"]).order_by("-pk").first()


def _pins(students: QuerySet[Student], current: int) -> str:
    other = students.exclude(pin=F("local_id")).exclude(local_id="").exclude(local_id=None)
    without = other.filter(Q(pin="") | Q(pin=None)).count()
    changed = other.count() - without
    return (
        f"Of {_students(current)} of this integration {changed:,} {_have(changed)} another PIN now, which it would "
        f"replace, and {without:,} {_have(without)} none. Unticked, PINs are left alone"
    )


def _drops(integration: Integration, current: int) -> str:
    absent = sum(len(one.students) for one in absent_students(integration))
    told = f"This integration supplies {_students(current, 'current student')}"
    if latest_complete_import(integration) is None:
        return f"{told}; no import has read every school whole yet"
    return f"{told}; {absent:,} of them {'was' if absent == 1 else 'were'} not in the latest complete import"


def _families(students: QuerySet[Student], current: int) -> str:
    grouped = students.exclude(family=None)
    families = grouped.order_by().values("family").distinct().count()
    told = "1 family" if families == 1 else f"{families:,} families"
    return (
        f"Now {grouped.count():,} of {_students(current)} of this integration are in {told}. "
        "Another choice regroups all of them with the next import"
    )


def _programs(integration: Integration) -> dict[str, str]:
    """How many source records carry each code; those in neither list are named."""
    counts = program_codes(integration)
    primary, alternate = (
        split_codes(integration.primary_enrollment_codes),
        split_codes(integration.alternate_enrollment_codes),
    )
    seen = ", ".join(f"{_shown(code)} {number:,}" for code, number in counts.items())
    told = {"primary_enrollment_codes": f"Enrollments by code: {seen}"}
    unlisted = [code for code in counts if code not in primary | alternate]
    if (primary or alternate) and unlisted:
        number = sum(counts[code] for code in unlisted)
        named = ", ".join(_shown(code) for code in unlisted[:MOST_NAMED])
        more = f" and {len(unlisted) - MOST_NAMED} more" if len(unlisted) > MOST_NAMED else ""
        told["alternate_enrollment_codes"] = (
            f"In neither list: {named}{more}, so {number:,} enrollment{' is' if number == 1 else 's are'} not imported"
        )
    elif primary or alternate:
        told["alternate_enrollment_codes"] = "Every code seen is in one of the two lists"
    return told


def _covered(integration: Integration) -> dict[str, str]:
    """The system's code → ours, of the schools of the Building mapping."""
    rows = DataEntityMappingValue.objects.filter(mapping=integration.building_id)
    return {external.strip(): ours for external, ours in rows.values_list("external_value", "value")}


def _enrolled(integration: Integration, codes: set[str]) -> dict[str, int]:
    stays = Enrollment.objects.filter(school__code__in=codes, left=None, student__identities__integration=integration)
    return Counter(code for code, _ in stays.values_list("school__code", "student").distinct())


def _still_enrolled(integration: Integration, school: School, external_ids: list[str]) -> list[Student]:
    found: list[Student] = []
    for start in range(0, len(external_ids), CHUNK):
        chunk = external_ids[start : start + CHUNK]
        linked = ExternalIdentity.objects.filter(integration=integration, entity="student", external_id__in=chunk)
        stays = Enrollment.objects.filter(school=school, left=None, student__in=linked.values("student"))
        found += Student.objects.filter(pk__in=stays.values("student"))
    return sorted(found, key=lambda one: (one.last_name or "", one.first_name or "", one.pk))


def _keeps(integration: Integration) -> QuerySet[KeepEnrolled]:
    today = timezone.localdate()
    return KeepEnrolled.objects.filter(Q(until=None) | Q(until__gte=today), integration=integration)


def _students(number: int, word: str = "student") -> str:
    return f"1 {word}" if number == 1 else f"{number:,} {word}s"


def _have(number: int) -> str:
    return "has" if number == 1 else "have"


def _shown(code: str) -> str:
    return code or "(blank)"
