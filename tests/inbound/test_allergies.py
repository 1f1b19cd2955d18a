"""Allergies come in with the source's own words, change as one list, and are given back by an undo."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from integrations.admin.words import Names, lines_of
from integrations.models import RecordIssue, UnmappedCode
from integrations.sandbox.district import Child
from students.models import FieldLock, FieldOwnership, StudentAllergy
from tests.world import World, a_world, roster

from .tables import everything

pytestmark = pytest.mark.django_db
BERRY_WORDS = "a berry that grows in the valley and " * 8 + "is eaten raw"
PEANUT = ("peanuts", "Peanut")


@pytest.fixture
def world() -> Iterator[World]:
    """Twenty children at two schools; the first has a peanut allergy; nothing read yet."""
    with a_world("powerschool_query", students=20, options={"page_size": 10}) as made:
        made.district.change(made.settled()[0].id, allergies="Peanut")
        yield made


@pytest.fixture
def loaded(world: World) -> World:
    """The same, read once."""
    assert world.sync().status == "complete"
    return world


def of(world: World, child: Child) -> list[tuple[str, str]]:
    """What we hold of the child."""
    return sorted(StudentAllergy.objects.filter(student=world.student(child)).values_list("allergy", "note"))


def shown(child: Child) -> list[dict[str, str | None]]:
    """What `export_roster` prints of the child."""
    told: list[dict[str, str | None]] = next(
        row["allergies"] for row in json.loads(roster()) if row["local_id"] == str(child.id)
    )
    return told


def test_a_known_allergy_stands_beside_an_unknown_one_with_every_word(world: World) -> None:
    child = world.settled()[0]
    world.district.change(child.id, allergies=f"Peanut; {BERRY_WORDS}; LATEX")
    run = world.sync()
    assert of(world, child) == [("", BERRY_WORDS), ("latex", "LATEX"), PEANUT]
    assert shown(child) == [
        {"allergy": None, "note": BERRY_WORDS},
        {"allergy": "latex", "note": "LATEX"},
        {"allergy": "peanuts", "note": "Peanut"},
    ]
    assert UnmappedCode.objects.filter(entity="allergy", value=BERRY_WORDS[:120], count=1).exists()
    issue = RecordIssue.objects.get(run=run, entity="allergy")
    assert (issue.code, issue.severity) == ("unmapped_code", "warning")
    assert BERRY_WORDS in issue.message
    assert "stands among the student's allergies" in issue.message
    before = everything()
    assert not world.sync().changes.exists()
    assert everything() == before


def test_another_list_replaces_ours_and_an_undo_gives_it_back(loaded: World) -> None:
    child = loaded.settled()[0]
    loaded.district.change(child.id, allergies="Tree nuts, dragon fruit")
    run = loaded.sync()
    change = loaded.changes(run)[loaded.external_id(child)]
    after = [["", "dragon fruit"], ["tree_nuts", "Tree nuts"]]
    assert change.fields == {"allergies": [[list(PEANUT)], after]}
    assert [
        (line.label, line.before, line.after) for line in lines_of(change, Names(schools={}, contacts={}, families={}))
    ] == [("Allergies", "Peanuts (“Peanut”)", "“dragon fruit”, Tree nuts")]
    assert of(loaded, child) == [tuple(pair) for pair in after]
    assert loaded.undo(run).status == "complete"
    assert of(loaded, child) == [PEANUT]


def test_an_undo_keeps_allergies_that_a_person_changed_since(loaded: World) -> None:
    child = loaded.settled()[0]
    loaded.district.change(child.id, allergies="Latex")
    run = loaded.sync()
    StudentAllergy.objects.create(student=loaded.student(child), allergy="milk")
    assert loaded.undo(run).status == "complete_with_issues"
    assert of(loaded, child) == [("latex", "Latex"), ("milk", "")]


def test_a_new_child_comes_with_allergies_and_an_undo_takes_both(loaded: World) -> None:
    child = loaded.district.add(allergies="Latex; kiwi")
    run = loaded.sync()
    assert of(loaded, child) == [("", "kiwi"), ("latex", "Latex")]
    loaded.undo(run)
    assert list(StudentAllergy.objects.values_list("allergy", "note")) == [PEANUT]


@pytest.mark.parametrize(("told", "after"), [("Peanut", [PEANUT]), ("Peanut; kiwi", [("", "kiwi"), PEANUT])])
def test_a_child_who_moves_keeps_allergies_but_for_what_changed(
    loaded: World, told: str, after: list[tuple[str, str]]
) -> None:
    child = loaded.settled()[0]
    here = child.enrollments[0].school
    loaded.district.move(child.id, next(s.number for s in loaded.district.real_schools if s.number != here))
    loaded.district.change(child.id, allergies=told)
    run = loaded.sync()
    change = loaded.changes(run)[loaded.external_id(child)]
    assert change.page_ids
    assert ("allergies" in change.fields) == (told != "Peanut")
    assert of(loaded, child) == after


def test_none_told_keeps_ours_unless_blanks_clear_the_field(loaded: World) -> None:
    child = loaded.settled()[0]
    loaded.district.change(child.id, allergies="")
    loaded.sync()
    assert of(loaded, child) == [PEANUT]
    FieldOwnership.objects.create(entity="student", field="allergies", when_blank="clear")
    loaded.sync()
    assert of(loaded, child) == []


def test_clearing_the_allergies_of_many_waits_for_a_person(loaded: World) -> None:
    for child in loaded.settled()[:12]:
        loaded.district.change(child.id, allergies="Latex")
    loaded.sync()
    FieldOwnership.objects.create(entity="student", field="allergies", when_blank="clear")
    for child in loaded.settled()[:12]:
        loaded.district.change(child.id, allergies="")
    run = loaded.sync()
    assert run.status == "held"
    assert "The list of allergies would become blank" in run.guard["reasons"][0]["message"]
    assert StudentAllergy.objects.count() == 12


@pytest.mark.parametrize("why", ["locked", "owned"])
def test_allergies_that_are_locked_or_owned_elsewhere_are_withheld_and_told(loaded: World, why: str) -> None:
    child = loaded.settled()[0]
    if why == "locked":
        FieldLock.objects.create(student=loaded.student(child), field="allergies", reason="The family asked")
    else:
        FieldOwnership.objects.create(entity="student", field="allergies", owner="console")
    loaded.district.change(child.id, allergies="Latex")
    run = loaded.sync()
    assert of(loaded, child) == [PEANUT]
    assert run.counts["withheld_fields"] == 1
    assert loaded.changes(run)[loaded.external_id(child)].withheld == {
        "allergies": [[list(PEANUT)], [["latex", "Latex"]], why]
    }


def test_allergies_that_were_not_asked_for_stay(loaded: World) -> None:
    child = loaded.settled()[0]
    loaded.set(options={**loaded.integration.options, "allergies": False})
    loaded.district.change(child.id, allergies="Latex", home_phone="5305550100")
    loaded.sync()
    assert loaded.student(child).home_phone == "5305550100"
    assert of(loaded, child) == [PEANUT]
