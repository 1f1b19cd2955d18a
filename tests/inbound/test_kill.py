"""`manage.py sync` killed with SIGKILL anywhere, then called again: as if nothing had happened."""

from __future__ import annotations

import random
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest

from integrations.sandbox import District, start
from integrations.sandbox.server import Sandbox

from .consoles import Console, new_console

KILLED = -signal.SIGKILL
PLACES = (
    "page.before", "page.commit", "page.after", "school.after", "settle.before", "settle.commit",
    "settle.after", "missing.before", "guard.before", "decided", "apply.before", "apply.commit",
    "apply.after", "rest.before", "rest.commit", "rest.after", "verify.before", "verify.commit", "end",
)  # fmt: skip
"""Every place of integrations.runs.failpoints that an import passes."""


@dataclass
class Scene:
    """A console that is about to sync, and the vendor. rows: what it holds after an undisturbed sync;
    further: after a second one, which finds nothing to do but settles what is remembered."""

    sis: Sandbox
    before: Console
    rows: dict[str, list[str]]
    further: dict[str, list[str]]
    roster: str
    folder: Path
    made: int = 0

    def copy(self) -> Console:
        """A fresh console as it was before the sync."""
        self.made += 1
        return self.before.copy(self.folder / f"copy{self.made}")


def a_day_later(district: District) -> None:
    """Let everything happen that a sync has to carry over."""
    single = [child for child in sorted(district.active_children(), key=lambda c: c.id) if len(child.enrollments) == 1]
    first, second, *_ = (school.number for school in district.real_schools)
    for child in single[:6]:
        district.change(child.id, home_phone="5305550101")
    for child in single[6:9]:
        here = child.enrollments[0].school
        district.move(child.id, second if here == first else first)
    district.leave(single[9].id)
    district.leave(single[10].id)
    district.remove(single[11].id)
    district.remove(single[12].id)
    district.change_contact(single[13].contacts[0].contact.id, mobile_phone="5305550102")
    district.change(single[14].id, contacts=single[14].contacts[:1])
    here = single[15].enrollments[0].school
    district.enroll(single[15].id, second if here == first else first, program="")
    for _ in range(3):
        district.add(school=first, grade=2)
    district.change_percent(10, seed=8)


@contextmanager
def a_scene(folder: Path, vendor: str, *, first_load: bool) -> Iterator[Scene]:
    """60 children at 3 schools, 12 to a page: loaded the day before, or never yet."""
    district = District.generate(students=60, schools=3, seed=6, messy=True)
    with start(vendor, district) as sis:
        before = new_console(folder / "before", sis, vendor, options={"page_size": 12})
        if not first_load:
            before.sync()
            a_day_later(district)
        undisturbed = before.copy(folder / "undisturbed")
        told = undisturbed.sync()
        assert told["counts"]["created"], told
        assert first_load or (told["counts"]["dropped"] and told["counts"]["updated"])
        rows, roster = undisturbed.rows(), undisturbed.roster()
        further = quiet(undisturbed, why="undisturbed")
        assert of_students(further) == of_students(rows)
        assert quiet(undisturbed, why="undisturbed") == further
        yield Scene(sis, before, rows, further, roster, folder)
        undisturbed.drop()
        before.drop()


def check(console: Console, scene: Scene, *, why: str) -> None:
    """The killed run goes on and ends as the undisturbed one; a further sync finds nothing left to do."""
    ends_the_same(console, scene, why=why)
    assert console.roster() == scene.roster, why
    assert quiet(console, why=why) == scene.further, why


def ends_the_same(console: Console, scene: Scene, *, why: str) -> None:
    """The run goes on, or a new one begins, and we hold what the undisturbed console holds.

    With the same fingerprints kept, whatever the next sync finds is the same too.
    """
    told = console.sync(expect=None)
    assert console.status == 0, (why, told)
    assert console.rows() in (scene.rows, scene.further), why


def quiet(console: Console, *, why: str) -> dict[str, list[str]]:
    """What a console holds after a sync that finds nothing left to do."""
    told = console.sync(expect=None)
    assert console.status == 0, (why, told)
    changed = {name: told["counts"][name] for name in ("created", "updated", "reopened", "left", "dropped")}
    assert set(changed.values()) == {0}, (why, changed)
    return console.rows()


def of_students(rows: dict[str, list[str]]) -> dict[str, list[str]]:
    """The rows of students alone, without what is remembered of the source."""
    return {table: found for table, found in rows.items() if table.startswith("students_")}


def kill_everywhere(scene: Scene, places: tuple[str, ...]) -> dict[str, int]:
    """Place → how many kills there, each followed by a sync that must end the same."""
    kills: dict[str, int] = {}
    for place in places:
        for hit in count(1):
            console = scene.copy()
            console.run("sync", "District", "--json", kill_at=f"{place}:{hit}", expect=None)
            if console.status == KILLED:
                kills[place] = hit
                (check if hit == 1 else ends_the_same)(console, scene, why=f"{place}:{hit}")
            console.drop()
            if console.status != KILLED and hit > kills.get(place, 0):
                break
    return kills


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """A day after the first load, behind Aeries."""
    with a_scene(tmp_path_factory.mktemp("kill"), "aeries", first_load=False) as made:
        yield made


@pytest.mark.parametrize("place", ["page.commit:3", "settle.commit:1", "apply.after:1", "rest.before:2"])
def test_a_killed_sync_goes_on_to_the_same_end(scene: Scene, place: str) -> None:
    console = scene.copy()
    console.run("sync", "District", kill_at=place, expect=KILLED)
    check(console, scene, why=place)
    console.drop()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("vendor", "first_load"),
    [("aeries", True), ("aeries", False), ("powerschool", False)],
    ids=["aeries first load", "aeries a day later", "powerschool a day later"],
)
def test_a_sync_killed_anywhere_goes_on_to_the_same_end(tmp_path: Path, vendor: str, first_load: bool) -> None:
    with a_scene(tmp_path, vendor, first_load=first_load) as scene:
        kills = kill_everywhere(scene, PLACES)
    unreached = set(PLACES) - kills.keys()
    assert unreached <= {"settle.before", "settle.commit", "settle.after", "rest.commit", "rest.after"}
    assert first_load or vendor != "aeries" or not unreached, unreached
    assert kills["page.after"] >= 6


@pytest.mark.slow
@pytest.mark.parametrize("vendor", ["aeries", "powerschool"])
def test_what_changes_in_the_system_between_kill_and_resume_arrives(tmp_path: Path, vendor: str) -> None:
    with a_scene(tmp_path, vendor, first_load=False) as scene:
        district = scene.sis.district
        child = sorted(district.active_children(), key=lambda c: c.id)[0]
        last = sorted(district.active_children(), key=lambda c: c.id)[-1]
        places = [f"page.after:{n}" for n in (1, 3, 5)] + [f"{p}:1" for p in PLACES[3:]]
        for place in places:
            console = scene.copy()
            console.run("sync", "District", kill_at=place, expect=None)
            killed = console.status == KILLED
            was = [(one.id, one.home_phone, one.middle_name) for one in (child, last)]
            for one in (child, last):
                district.change(one.id, home_phone="5305550177", middle_name="Meanwhile")
            console.sync(expect=0)
            console.sync(expect=0)
            arrived = console.roster()
            assert arrived.count("5305550177") == 2, place
            assert arrived.count("Meanwhile") == 2, place
            for number, phone, middle in was:
                district.change(number, home_phone=phone, middle_name=middle)
            if killed:
                console.sync(expect=0)
                if was[0][2] and was[1][2]:
                    assert of_students(console.rows()) == of_students(scene.rows), place
            console.drop()


@pytest.mark.slow
@pytest.mark.parametrize("vendor", ["aeries", "powerschool"])
def test_a_sync_killed_again_and_again_goes_on_to_the_same_end(tmp_path: Path, vendor: str) -> None:
    chance = random.Random(20)
    with a_scene(tmp_path, vendor, first_load=False) as scene:
        for round_ in range(6):
            console = scene.copy()
            for _ in range(3):
                process = console.start("sync", "District", "--json")
                time.sleep(chance.uniform(0.6, 1.6))
                process.kill()
                process.communicate()
            check(console, scene, why=f"round {round_}")
            console.drop()


def test_the_copy_of_a_console_is_a_console_of_its_own(tmp_path: Path) -> None:
    with start("aeries", students=12) as sis:
        one = new_console(tmp_path / "one", sis, "aeries")
        other = one.copy(tmp_path / "other")
        one.sync()
        assert one.rows()["students_student"]
        assert not other.rows()["students_student"]
        for console in (one, other):
            console.drop()
    shutil.rmtree(tmp_path, ignore_errors=True)
