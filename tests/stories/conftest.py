"""The districts the stories play in."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.world import World, a_world


@pytest.fixture
def world(db: None) -> Iterator[World]:
    """Sixty children at two schools, behind Aeries; nothing read yet."""
    with a_world("aeries") as made:
        yield made


@pytest.fixture
def loaded(world: World) -> World:
    """The same after the first load."""
    assert world.sync().status == "complete"
    return world
