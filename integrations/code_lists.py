"""The codes a system knows beside our mappings: suggestions for a mapping, and how far each entity is mapped."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from typing import Any

import msgspec
from django.db import transaction
from django.utils import timezone

from integrations import code_inbox
from integrations.connectors.base import CodeSource, SourceCode
from integrations.connectors.registry import connector_class
from integrations.errors import RunRefused
from integrations.inbound.rules import connection_of
from integrations.models import Integration, UnmappedCode
from integrations.models.integration import MAPPING_FIELDS
from integrations.system_fields import FIELDS, LABELS
from mapping.choices import our_values
from mapping.defaults import shipped_for, shipped_mappings
from mapping.models import DataEntityMapping, DataEntityMappingValue
from mapping.suggest import Code, Suggestion, standards, suggest
from mapping.translate import Table

LONGEST = 120
Judge = Callable[[SourceCode], Suggestion | None]


class Proposal(msgspec.Struct, frozen=True, kw_only=True):
    """A code that a mapping does not know, with what it most likely means.

    students: how many wait for it. listed: the system's own list holds it. suggestion: None when nothing speaks for
    any of our values; its value is "" when the signs disagree.
    """

    code: SourceCode
    suggestion: Suggestion | None
    students: int = 0
    listed: bool = True


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """A mapping beside the codes of one system.

    has_list: whether the system keeps a list for the entity. listed: how many codes it holds. known: how many of them
    the mapping has. proposals: the others, and codes that students came with. doubtful: sentences on values that the
    system's description speaks against. gone: codes of the mapping that the list does not hold.
    """

    has_list: bool
    listed: int
    known: int
    proposals: Sequence[Proposal]
    doubtful: Sequence[str] = ()
    gone: Sequence[str] = ()


class Coverage(msgspec.Struct, frozen=True, kw_only=True):
    """How far one entity of an integration is mapped.

    mapping: None where none is chosen. codes: how many the mapping holds. waiting: unmapped codes that were met →
    students who wait. listed and missing: the codes of the system's own list, and those of them without a value; None
    where the system was not asked or keeps no list.
    """

    entity: str
    label: str
    required: bool
    mapping: DataEntityMapping | None
    codes: int
    waiting: Mapping[str, int]
    listed: int | None = None
    missing: Sequence[str] = ()

    @property
    def unmapped(self) -> int:
        """How many codes have no value: those that were met, and those of the list."""
        return len({*self.waiting, *self.missing})

    @property
    def students(self) -> int:
        """How many students wait, one who waits for two codes counted twice."""
        return sum(self.waiting.values())

    @property
    def told(self) -> str:
        """In words, what is done and what is left."""
        if self.mapping is None and self.entity == "academic_year":
            return "No mapping is chosen, and none is needed: the school year is known by the date."
        if self.mapping is None:
            needed = self.entity in ("building", "grade_level")
            return f"No mapping is chosen, so {'nothing' if needed else 'this'} is {'' if needed else 'not '}imported."
        if not self.codes:
            return "The mapping is empty."
        parts = []
        if self.waiting:
            met = _counted(len(self.waiting), "code")
            parts.append(f"{met} met in students without a value: {_some(self.waiting)}.")
        if self.missing:
            schools = self.entity == "building"
            listed = _counted(len(self.missing), "school" if schools else "code")
            left = "left out of the import" if schools else "without one"
            parts.append(f"{listed} of the system's list {left}: {_some(self.missing)}.")
        if not parts and self.listed is not None:
            return "Complete: every code of the system's list has a value."
        return " ".join(parts) or "Every code met so far has a value."


def fetch_codes(integration: Integration, entities: Iterable[str]) -> dict[str, list[SourceCode] | None]:
    """Entity → the system's own list of its codes, None where it keeps none; the schools as codes of Building.

    Nothing is stored. Raises IntegrationError.
    """
    wanted = list(entities)
    if "academic_year" in wanted:
        # The mapping that is to be filled cannot say yet which year to read.
        integration = copy(integration)
        integration.academic_year = None
    connection = connection_of(integration, today=timezone.localdate())
    if "academic_year" in wanted:
        connection = msgspec.structs.replace(connection, year=None)
    connector = connector_class(integration.system)(connection)
    try:
        found: dict[str, list[SourceCode] | None] = {}
        for entity in wanted:
            if entity == "building":
                schools = [one for one in connector.schools() if one.building]
                found[entity] = [SourceCode(code=one.code, description=one.name) for one in schools]
            else:
                told = connector.codes(entity) if isinstance(connector, CodeSource) else None
                found[entity] = None if told is None else _each_once(told)
        return found
    finally:
        connector.close()


def compare(mapping: DataEntityMapping, *, integration: Integration) -> Comparison:
    """The mapping beside the codes of a system, asked now, and beside those its students came with.

    Raises IntegrationError.
    """
    listed = fetch_codes(integration, [mapping.entity])[mapping.entity]
    ours = our_values(mapping.entity)
    values = _values(mapping)
    table = Table(values)
    judge = _judge(integration.system, mapping.entity, ours)
    met = met_codes(integration, mapping.entity)
    known = [one for one in listed or () if table.get(one.code) is not None]
    names = {one.code for one in listed or ()}
    proposals = [
        Proposal(code=one, suggestion=judge(one), students=met.pop(one.code, 0))
        for one in listed or ()
        if table.get(one.code) is None
    ]
    for code, students in sorted(met.items()):
        if table.get(code) is None:
            one = SourceCode(code=code)
            proposals.append(Proposal(code=one, suggestion=judge(one), students=students, listed=False))
    return Comparison(
        has_list=listed is not None,
        listed=len(listed or ()),
        known=len(known),
        proposals=sorted(proposals, key=lambda one: (one.students == 0, one.code.retired)),
        doubtful=[told for one in known if (told := _doubt(one, table.get(one.code) or "", ours, judge))],
        gone=sorted(code for code in values if listed is not None and code.strip() and not _in(code, names)),
    )


def suggestions(codes: Iterable[UnmappedCode]) -> dict[int, Suggestion]:
    """Primary key → suggestion, of the unmapped codes for which something speaks."""
    judges: dict[tuple[str, str], Judge] = {}
    found = {}
    for code in codes:
        key = (code.integration.system, code.entity)
        if key not in judges:
            judges[key] = _judge(*key, our_values(code.entity))
        if (told := judges[key](SourceCode(code=code.value))) is not None:
            found[code.pk] = told
    return found


def accept(
    mapping: DataEntityMapping, *, chosen: Mapping[str, str], user: Any = None, run: bool = True, wake: bool = True
) -> tuple[int, code_inbox.Mapped]:
    """Add codes with the values a person ticked; how many were added, and which imports of those who waited began.

    A code that the mapping knows by now is left as it is. All or nothing: raises RunRefused for a value that is none
    of ours or a code that is too long.
    """
    with transaction.atomic():
        locked = DataEntityMapping.objects.select_for_update().get(pk=mapping.pk)
        ours, table = our_values(locked.entity), Table(_values(locked))
        for code, value in chosen.items():
            if value not in ours:
                raise RunRefused(f"Choose one of our values for “{code}”.")
            if len(code) > LONGEST:
                raise RunRefused(f"The code “{code[:40]}…” is longer than {LONGEST} characters.")
        new = {code.strip(): value for code, value in chosen.items() if table.get(code) is None}
        for code, value in new.items():
            DataEntityMappingValue.objects.create(mapping=locked, external_value=code, value=value)
    added = Table(new)
    met = UnmappedCode.objects.filter(entity=mapping.entity).select_related("integration")
    values = {one: added.get(one.value) for one in met if code_inbox.mapping_of(one) == mapping}
    waiting = {one: value for one, value in values.items() if value is not None}
    return len(new), code_inbox.map_codes(waiting, user=user, run=run, wake=wake)


def coverage(
    integration: Integration, *, lists: Mapping[str, Sequence[SourceCode] | None] | None = None
) -> list[Coverage]:
    """How far each entity that the integration's system shows is mapped, in the order of the form.

    lists: the system's own lists, where it was asked.
    """
    rules = FIELDS[integration.system]
    found = []
    for entity in (name for name in LABELS if name in MAPPING_FIELDS and name in rules.shown):
        mapping = getattr(integration, entity)
        table = Table(_values(mapping)) if mapping is not None else Table({})
        listed = (lists or {}).get(entity)
        missing = [one.code for one in listed or () if table.get(one.code) is None and not one.retired]
        found.append(
            Coverage(
                entity=entity,
                label=rules.label(entity),
                required=entity in rules.required,
                mapping=mapping,
                codes=mapping.values.count() if mapping is not None else 0,
                waiting={c: n for c, n in met_codes(integration, entity).items() if table.get(c) is None},
                listed=None if listed is None else len(listed),
                missing=missing if mapping is not None else (),
            )
        )
    return found


def met_codes(integration: Integration, entity: str) -> dict[str, int]:
    """The unmapped codes of an entity that the integration's students came with → how often, most first."""
    rows = UnmappedCode.objects.filter(integration=integration, entity=entity).order_by("-count", "value")
    return dict(rows.values_list("value", "count"))


def _judge(system: str, entity: str, ours: Mapping[str, str]) -> Judge:
    """What suggests a value for a code of a system."""
    own = [name for one, name in shipped_for(system).items() if one == entity]
    shipped = shipped_mappings()
    known = standards(shipped, entity=entity, own=own)
    # A number of the system's own is none of a standard, though it may look like one.
    its_own = standards([one for one in shipped if one["name"] in own], entity=entity, own=own)

    def judge(one: SourceCode) -> Suggestion | None:
        code = Code(code=one.code, description=one.description, category=one.category, opaque=one.opaque)
        return suggest(entity, code, ours=ours, known=its_own if one.opaque else known)

    return judge


def _doubt(one: SourceCode, value: str, ours: Mapping[str, str], judge: Judge) -> str:
    """A sentence when the description of a mapped code speaks for another value, else ""."""
    told = judge(msgspec.structs.replace(one, opaque=True))
    if told is None or not told.value or told.value == value:
        return ""
    return f"“{one.code}” ({one.description}) is mapped to {ours.get(value, value)}; it could be {ours[told.value]}."


def _each_once(codes: Iterable[SourceCode]) -> list[SourceCode]:
    """Every code once, trimmed; one that is retired in one place and not in another counts as in use."""
    found: dict[str, SourceCode] = {}
    for one in codes:
        code = one.code.strip()
        if code not in found or found[code].retired:
            found[code] = msgspec.structs.replace(one, code=code)
    return list(found.values())


def _values(mapping: DataEntityMapping) -> dict[str, str]:
    return dict(mapping.values.values_list("external_value", "value"))


def _in(code: str, names: set[str]) -> bool:
    return code.strip().casefold() in {name.casefold() for name in names}


def _counted(number: int, word: str) -> str:
    return f"{number:,} {word}" if number == 1 else f"{number:,} {word}s"


def _some(codes: Iterable[str]) -> str:
    every = list(codes)
    shown = ", ".join(f"“{code}”" if code.strip() else "the blank code" for code in every[:5])
    return f"{shown} and {len(every) - 5} more" if len(every) > 5 else shown
