"""Students who look like one child twice, in groups."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import combinations
from typing import Any

import msgspec
from django.db.models import Count, F, Func, Q, QuerySet, Value

from .models import NotDuplicate, Student

SAME_NAME, SAME_STATE_ID, SAME_LOCAL_ID = "same name and birth date", "same state ID", "same student ID"
PAIRED_UP_TO = 30
"""A value that more students share than this is no sign of one child; only the first ones are compared."""


class Group(msgspec.Struct, frozen=True):
    """Students who may be one child, by primary key in order, and why."""

    students: tuple[int, ...]
    why: tuple[str, ...]


def find_duplicates(students: QuerySet[Student]) -> list[Group]:
    """The groups among these students, without pairs of whom a person said that they are two children."""
    found: list[tuple[str, list[int]]] = []
    for why, rows, columns in _signs(students.order_by()):
        keys = rows.values(*columns).annotate(number=Count("pk")).filter(number__gt=1).values_list(*columns)
        found += [(why, ids) for ids in _members(rows, columns, list(keys))]
    denied = set(NotDuplicate.objects.values_list("first", "second"))
    return group(found, denied=denied)


def group(signs: Iterable[tuple[str, Sequence[int]]], *, denied: Collection[tuple[int, int]]) -> list[Group]:
    """Join students who share a sign into groups. signs: (why, primary keys); denied: pairs, the lower key first."""
    root: dict[int, int] = {}

    def find(one: int) -> int:
        while root.setdefault(one, one) != one:
            one = root[one]
        return one

    told: list[tuple[str, int]] = []
    for why, ids in signs:
        for first, second in combinations(sorted(ids)[:PAIRED_UP_TO], 2):
            if (first, second) not in denied:
                root[find(second)] = find(first)
                told.append((why, first))
    members: dict[int, list[int]] = defaultdict(list)
    for one in root:
        members[find(one)].append(one)
    reasons: dict[int, list[str]] = defaultdict(list)
    for why, one in told:
        reasons[find(one)].append(why)
    groups = [Group(tuple(sorted(ids)), tuple(dict.fromkeys(reasons[top]))) for top, ids in members.items()]
    return sorted(groups, key=lambda one: one.students)


def preselected(students: Sequence[Student], *, systems: Mapping[int, int]) -> Student:
    """Who stays unless a person chooses otherwise: one who is enrolled now, then the one more systems know.

    systems: primary key → how many integrations know the student.
    """
    return min(students, key=lambda one: (one.status != Student.Status.CURRENT, -systems.get(one.pk, 0), one.pk))


def pair(one: int, other: int) -> tuple[int, int]:
    """The two primary keys as a decision on them keeps them."""
    return (one, other) if one < other else (other, one)


def _signs(students: QuerySet[Student]) -> list[tuple[str, QuerySet[Any], tuple[str, ...]]]:
    bare = students.annotate(
        bare_state_id=Func(F("state_id"), Value("0"), function="LTRIM"),
    )
    return [
        (SAME_NAME, students.exclude(birth_date=None).exclude(name_key=""), ("birth_date", "name_key")),
        (SAME_STATE_ID, bare.filter(~Q(bare_state_id="")), ("bare_state_id",)),
        (SAME_LOCAL_ID, students.exclude(local_id=""), ("local_id",)),
    ]


def _members(rows: QuerySet[Any], columns: tuple[str, ...], keys: list[tuple[Any, ...]]) -> list[list[int]]:
    """For each key the primary keys of its students."""
    found: dict[tuple[Any, ...], list[int]] = defaultdict(list)
    wanted = set(keys)
    for start in range(0, len(keys), 300):
        chunk = keys[start : start + 300]
        some = rows.filter(**{f"{columns[-1]}__in": {key[-1] for key in chunk}})
        for pk, *values in some.values_list("pk", *columns):
            key = tuple(values)
            if key in wanted and pk not in found[key]:
                found[key].append(pk)
    return list(found.values())
