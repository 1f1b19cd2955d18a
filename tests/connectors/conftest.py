"""Sandbox servers for every system that has a connector."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from integrations.connectors.registry import SYSTEMS
from integrations.sandbox import District, start
from integrations.sandbox.registry import SERVERS
from integrations.sandbox.server import Sandbox


@pytest.fixture(params=sorted(set(SYSTEMS) & set(SERVERS)))
def system(request: pytest.FixtureRequest) -> str:
    """The key of a system that has a connector and a sandbox server."""
    return str(request.param)


@pytest.fixture
def tidy(system: str) -> Iterator[Sandbox]:
    """A server with 60 ordinary students in two schools."""
    with start(system, District.generate(students=60, seed=3, schools=2, messy=False)) as sis:
        yield sis


@pytest.fixture
def messy(system: str) -> Iterator[Sandbox]:
    """A server with a district as untidy as real ones."""
    with start(system, District.generate(students=150, seed=5, schools=2)) as sis:
        yield sis
