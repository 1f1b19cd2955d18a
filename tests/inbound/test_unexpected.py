"""A fault of our own ends the run with a sentence; it is not met again and again."""

from __future__ import annotations

import pytest

from integrations.connectors import registry
from integrations.connectors.aeries.connector import AeriesConnector
from integrations.connectors.base import RawRecord, SourceSchool
from integrations.models import SyncRun
from students.models import Student
from students.records import StudentRecord
from tests.world import a_world

pytestmark = pytest.mark.django_db


class Faulty(AeriesConnector):
    """An Aeries connector with a mistake in it."""

    def normalise(self, record: RawRecord, school: SourceSchool) -> StudentRecord:
        """Fails as only a mistake does, naming a child."""
        raise ZeroDivisionError("Marisol Vega")


def test_run_fails_with_a_sentence_when_the_console_is_at_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    with a_world("aeries", students=30) as world:
        monkeypatch.setitem(registry.SYSTEMS, "aeries", ("Aeries", f"{__name__}:Faulty"))
        run = world.sync()
        assert (run.status, run.error_code) == ("failed", "unexpected")
        assert "ZeroDivisionError" in run.error_message
        assert "Marisol" not in run.error_message
        assert not Student.objects.exists()
        assert not SyncRun.objects.open().exists()
        monkeypatch.undo()
        assert world.sync().counts["created"] == 30
