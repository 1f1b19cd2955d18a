"""What a person decided on a family survives imports with other keys, until it is lifted."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import pytest

from integrations.sandbox.district import Child
from students.family_decisions import join_students, lift_decisions, split_student
from students.models import Student
from tests.stories.days import quiet_sync
from tests.world import World, a_world

pytestmark = pytest.mark.django_db


@pytest.fixture
def world(db: None) -> Iterator[World]:
    """Sixty children at two schools whose families Aeries numbers, loaded."""
    with a_world("aeries") as made:
        assert made.sync().status == "complete"
        yield made


def families(world: World) -> list[list[Child]]:
    """The district's families of two children or more."""
    found: dict[int, list[Child]] = defaultdict(list)
    for child in world.settled():
        if child.family_key:
            found[child.family_key].append(child)
    return [children for children in found.values() if len(children) > 1]


def family(world: World, child: Child) -> int | None:
    """The family we hold for the child."""
    return world.student(child).family_id


def test_child_taken_out_stays_out_whatever_number_the_system_sends(world: World) -> None:
    children, others = families(world)[:2]
    split_student(student=world.student(children[0]), reason="Lives with the father")
    for number in (others[0].family_key, children[1].family_key, 990_001):
        world.district.change(children[0].id, family_key=number)
        run = world.sync()
        assert family(world, children[0]) is None
        assert world.changes(run)[str(children[0].id)].withheld["family"][2] == "locked"
        quiet_sync(world)
    assert family(world, children[1]) is not None


def test_joined_children_stay_one_family_when_the_system_parts_them(world: World) -> None:
    children, others = families(world)[:2]
    together = [*children, *others]
    join_students(
        student=world.student(children[0]), other=world.student(others[0]), whole=True, reason="One household"
    )
    assert len({family(world, child) for child in together}) == 1
    for number, child in enumerate(together):
        world.district.change(child.id, family_key=990_000 + number)
    world.sync()
    assert len({family(world, child) for child in together}) == 1
    quiet_sync(world)


def test_import_decides_again_when_the_decision_is_lifted(world: World) -> None:
    children = families(world)[0]
    before = family(world, children[0])
    student = world.student(children[0])
    split_student(student=student, reason="Lives with the father")
    world.sync()
    assert lift_decisions(students=[student]) == 1
    world.sync()
    assert family(world, children[0]) == before
    quiet_sync(world)


def test_only_the_child_joins_when_its_siblings_are_not_brought(world: World) -> None:
    children, others = families(world)[:2]
    join_students(student=world.student(children[0]), other=world.student(others[0]), whole=False, reason="Stepchild")
    world.sync()
    assert family(world, children[0]) == family(world, others[0])
    assert family(world, children[1]) not in (None, family(world, others[0]))
    locked = set(Student.objects.filter(locks__field="family").values_list("pk", flat=True))
    assert locked == {world.student(child).pk for child in [children[0], *others]}
    quiet_sync(world)
