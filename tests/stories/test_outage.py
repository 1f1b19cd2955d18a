"""The system is down for two nights."""

from __future__ import annotations

import datetime as dt

import pytest
import time_machine
from django.utils import timezone

from integrations.errors import RunRefused
from integrations.services import start_import
from tests.stories.days import quiet_sync
from tests.world import NOVEMBER, World, roster


def test_nothing_is_dropped_and_the_rest_grows_when_the_system_is_down_for_two_nights(loaded: World) -> None:
    before = roster()
    loaded.sis.faults.add("F16", status=503)
    rests, rested = [], NOVEMBER
    for night in (1, 2):
        with time_machine.travel(NOVEMBER + dt.timedelta(days=night), tick=True):
            run = loaded.sync(trigger="schedule")
            assert (run.status, run.error_code) == ("failed", "sis_unavailable")
            assert "503" in run.error_message
            assert run.error_message.endswith(".")
            assert run.counts.get("dropped", 0) == 0
            integration = loaded.integration
            assert integration.failures_in_row == night
            assert integration.resting_until is not None
            rested = integration.resting_until
            rests.append(rested - timezone.now())
            with pytest.raises(RunRefused, match="did not answer"):
                start_import(integration=integration, trigger="schedule")
            assert roster() == before
    assert rests[1] > rests[0] * 1.5
    loaded.sis.faults.clear()
    # A person may try while the schedule still rests.
    with time_machine.travel(rested - dt.timedelta(minutes=1), tick=True):
        assert quiet_sync(loaded).status == "complete"
        assert (loaded.integration.failures_in_row, loaded.integration.resting_until) == (0, None)
        assert loaded.sync(trigger="schedule").status == "complete"
        assert roster() == before


def test_run_is_partial_when_one_school_does_not_answer(loaded: World) -> None:
    gone, changed = loaded.settled()[0], loaded.settled()[-1]
    loaded.district.remove(gone.id)
    loaded.district.change(changed.id, home_phone="5305550199")
    school = gone.enrollments[0].school
    assert changed.enrollments[0].school != school
    loaded.sis.faults.add("F19", school=school)
    run = loaded.sync()
    assert run.status == "partial"
    assert run.counts["dropped"] == 0
    assert loaded.student(changed).home_phone == "5305550199"
    assert loaded.student(gone).status == "current"
    assert [issue.code for issue in loaded.issues(run)] == ["school_failed"]
    assert "Nobody was dropped" in loaded.issues(run)[0].message
    loaded.sis.faults.clear()
    assert loaded.sync().counts["dropped"] == 1


def test_empty_school_drops_nobody_when_it_had_students(loaded: World) -> None:
    before = roster()
    school = loaded.district.real_schools[0].number
    loaded.sis.faults.add("F45", school=school)
    run = loaded.sync()
    assert (run.status, run.counts["dropped"]) == ("partial", 0)
    assert "school_empty" in [issue.code for issue in loaded.issues(run)]
    assert roster() == before
