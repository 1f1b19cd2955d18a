"""The first morning: everything is new, and the second pull has nothing to do."""

from __future__ import annotations

import pytest

from integrations.models import ExternalIdentity
from students.models import Enrollment, Student
from tests.stories.days import quiet_sync
from tests.world import World, a_world, roster


@pytest.mark.parametrize("vendor", ["aeries", "powerschool"])
@pytest.mark.parametrize("messy", [False, True], ids=["clean", "messy"])
@pytest.mark.django_db
def test_second_pull_writes_nothing_when_nothing_changed(vendor: str, messy: bool) -> None:
    with a_world(vendor, students=90, messy=messy) as world:
        first = world.sync()
        assert first.status in ("complete", "complete_with_issues"), first.error_message
        assert first.guard["reasons"] == []
        assert first.counts["created"] + first.counts["rejected"] == 90
        before = roster()
        second = quiet_sync(world, looked_at=messy)
        assert roster() == before
        assert second.counts["created"] == second.counts["updated"] == second.counts["dropped"] == 0
        assert second.counts["received"] == first.counts["received"]


def test_first_load_is_not_held_when_every_student_is_new(world: World) -> None:
    run = world.sync()
    assert (run.status, run.counts["created"], run.counts["received"]) == ("complete", 60, 60)
    assert Student.objects.filter(status="current").count() == 60
    assert Enrollment.objects.filter(left=None, primary=True).count() == 60
    assert ExternalIdentity.objects.filter(entity="student").count() == 60


def test_first_load_is_held_when_the_students_are_here_under_other_ids(world: World) -> None:
    for child in world.district.active_children():
        Student.objects.create(first_name=child.first_name, last_name=child.last_name, birth_date=child.birth_date)
    run = world.sync()
    assert run.status == "held"
    assert {reason["code"] for reason in run.guard["reasons"]} == {"rekeyed"}
    assert Student.objects.count() == 60


def test_dry_run_writes_nothing_when_everything_is_new(world: World) -> None:
    run = world.sync(dry_run=True)
    assert (run.status, run.counts["created"]) == ("planned", 60)
    assert Student.objects.count() == 0
    real = world.sync()
    assert (real.status, real.counts["created"]) == ("complete", 60)
    assert real.plan_hash == run.plan_hash
