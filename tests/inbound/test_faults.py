"""Whatever goes wrong while the system is read: nobody is dropped, the run says why, the next one converges."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.db import transaction

from integrations.models import SyncRun
from integrations.runs.wire import exit_status, run_as_json
from integrations.sandbox.district import Child
from students.models import Enrollment, Student
from tests.world import World, a_world, roster

pytestmark = pytest.mark.django_db
LIST = {"aeries": r"/students$", "powerschool": r"/student$"}
COUNT = {"aeries": r"^$", "powerschool": r"/student/count$"}
BOTH = ("aeries", "powerschool")


@dataclass
class Case:
    """One way to go wrong. codes: one of which some issue of the run must have, unless the run fails.

    path: "list" or "count" requests.
    """

    code: str
    codes: tuple[str, ...] = ()
    status: str = "partial"
    path: str = "list"
    vendors: tuple[str, ...] = BOTH
    after: int = 0
    times: int | None = 1
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What the test is called."""
        told = [f"{key}={value}" for key, value in self.settings.items()]
        return " ".join([self.code, *told, self.path, f"after {self.after}", f"times {self.times}"])


FAILED, ALL = "failed", None
PATIENT = (
    Case("F16", status=FAILED, times=ALL),
    Case("F16", ("school_failed",), times=ALL, after=5),
    Case("F05", ("school_failed",), times=ALL, after=3, vendors=("powerschool",)),
    Case("F05", ("school_failed",), times=ALL, after=5, vendors=("aeries",)),
)
CASES = (
    Case("F28", ("page_truncated", "page_skipped", "count_disagrees"), settings={"keep": 3}),
    Case("F28", ("page_truncated", "page_skipped", "count_disagrees"), settings={"keep": 3}, after=1),
    Case("F28", ("school_empty", "page_truncated", "page_skipped", "count_disagrees"), times=ALL, settings={"keep": 0}),
    Case("F45", ("school_empty", "page_skipped"), times=ALL),
    Case("F45", ("school_empty", "page_skipped"), times=ALL, settings={"school": 110}),
    Case("F45", ("page_truncated", "page_skipped", "count_disagrees"), after=1),
    Case("F45", ("count_disagrees",), path="count", vendors=("powerschool",)),
    Case("F21", ("school_failed",)),
    Case("F21", status=FAILED, times=ALL),
    Case("F20", ("school_failed",), settings={"to": "login"}),
    Case("F20", ("school_failed",), settings={"to": "login"}, after=2),
    Case("F20", status=FAILED, times=ALL, settings={"to": "login"}),
    Case("F38", ("page_repeated",)),
    Case("F38", ("page_repeated", "page_skipped"), after=2),
    Case("F39", ("page_skipped",)),
    Case("F39", ("page_skipped",), after=1),
    Case("F40", ("page_skipped", "count_disagrees", "page_repeated"), settings={"how": "delete"}),
    Case("F40", ("page_repeated", "page_skipped", "count_disagrees"), settings={"how": "insert"}),
    Case("F40", ("page_repeated", "page_skipped", "count_disagrees"), settings={"how": "insert"}, after=3),
    Case("F43", ("count_disagrees", "page_skipped"), path="count", vendors=("powerschool",)),
    Case("F43", ("count_disagrees",), path="count", vendors=("powerschool",), settings={"by": -1}),
    Case("F43", ("count_disagrees",), path="count", vendors=("powerschool",), after=1),
    Case("F19", ("school_failed",), times=ALL, settings={"school": 120}),
    Case("F18", status=FAILED, times=ALL),
    Case("F22", ("school_failed",)),
    Case("F27", ("school_failed",)),
    Case("F29", ("school_failed",)),
    Case("F30", ("school_failed",)),
    Case("F33", ("page_repeated",)),
    Case("F41", ("page_truncated", "page_skipped", "count_disagrees")),
)  # fmt: skip


@pytest.fixture(params=BOTH)
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    """Thirty-six children at three schools, loaded; since then one child has vanished and others have changed."""
    with a_world(request.param, students=36, schools=3, options=options(request.param)) as made:
        assert made.sync().status == "complete"
        change(made)
        yield made


def options(vendor: str) -> dict[str, Any]:
    """Small pages; contacts as they cost least, for they are not what these tests are about."""
    contacts = {"contacts": "student_record"} if vendor == "powerschool" else {}
    return {"page_size": 5, **contacts}


def change(world: World) -> None:
    """What a clean run would carry over: one drop, phones, an arrival."""
    children = world.settled()
    world.district.remove(children[7].id)
    for child in (children[0], children[12], children[24], children[-1]):
        world.district.change(child.id, home_phone="5305550199")
    world.district.add(school=110, grade=2)


def undisturbed(world: World) -> bytes:
    """The roster a clean run would lead to; nothing of it stays."""
    with transaction.atomic():
        assert world.sync().status == "complete"
        found = roster()
        transaction.set_rollback(True)
    return found


def vanished(world: World) -> int:
    """Primary key of the one student whose child is not in the district any more."""
    known = {str(number) for number in world.district.children}
    (pk,) = Student.objects.exclude(local_id__in=known).values_list("pk", flat=True)
    return pk


def nobody_dropped(before: set[int]) -> bool:
    """Whether all who were enrolled still are."""
    return before <= enrolled()


def enrolled() -> set[int]:
    """Primary keys of students with a current enrollment."""
    return set(Enrollment.objects.filter(left=None).values_list("student_id", flat=True))


def tells(run: SyncRun, world: World, codes: tuple[str, ...]) -> bool:
    """Whether the run says what was wrong and how to go on, to a person and to a program."""
    if run.status == FAILED:
        assert exit_status(run) == 1
        return bool(run.error_code and run.error_message.endswith("."))
    told = world.issues(run, severity="run")
    assert exit_status(run) == 4
    assert {issue["code"] for issue in run_as_json(run)["issues"]} >= {issue.code for issue in told}
    return (
        bool(told) and all(one.message and one.remedy for one in told) and bool({one.code for one in told} & set(codes))
    )


@pytest.mark.slow
@pytest.mark.parametrize("case", PATIENT, ids=lambda case: case.name)
def test_nobody_is_dropped_when_patience_does_not_help(world: World, case: Case) -> None:
    test_nobody_is_dropped_and_the_next_run_converges_when(world, case)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_nobody_is_dropped_and_the_next_run_converges_when(world: World, case: Case) -> None:
    if world.vendor not in case.vendors:
        pytest.skip(f"{world.vendor} does not count" if case.path == "count" else "does not apply")
    right, before = undisturbed(world), enrolled()
    path = {"list": LIST, "count": COUNT}[case.path][world.vendor]
    fault = world.sis.faults.add(case.code, path=path, after=case.after, times=case.times, **case.settings)
    run = world.sync()
    assert fault.applied, "the fault met no request"
    world.sis.faults.clear()
    found = [(issue.code, issue.message) for issue in world.issues(run)]
    assert run.status == case.status, (run.error_message, found)
    assert nobody_dropped(before)
    assert tells(run, world, case.codes), found
    assert not run.counts.get("dropped")
    assert world.sync().status == "complete"
    assert roster() == right
    again = world.sync()
    assert again.counts["unchanged"] == again.counts["received"]
    assert again.changes.count() == 0


@pytest.mark.parametrize("after", [0, 1, 3])
def test_a_token_revoked_while_reading_is_renewed_and_the_run_ends_complete(after: int) -> None:
    with a_world("powerschool", schools=2, options=options("powerschool")) as world:
        world.sis.faults.add("F17", path=LIST["powerschool"], after=after, times=1)
        run = world.sync()
        assert run.status == "complete", run.error_message
        assert run.counts["created"] == 60


def test_a_school_that_is_no_longer_listed_drops_nobody(world: World) -> None:
    before = enrolled()
    school = world.district.school(120)
    assert school is not None
    world.district.schools.remove(school)
    run = world.sync()
    assert run.status == "partial"
    assert nobody_dropped(before)
    assert tells(run, world, ("school_missing",))
    world.district.schools.append(school)
    assert world.sync().status == "complete"
    assert enrolled() < before | set(Student.objects.values_list("pk", flat=True))


def test_another_districts_children_are_held_for_a_person(world: World) -> None:
    before = enrolled()
    world.sis.faults.add("F46", path=LIST[world.vendor].replace("$", ""))
    run = world.sync()
    assert run.status in ("held", "partial", "failed"), run.status
    assert nobody_dropped(before)
    world.sis.faults.clear()
    assert world.sync().status == "complete"


def test_everybody_gone_at_once_is_held_for_a_person(world: World) -> None:
    """The end of a school year, or a list emptied by mistake: the schools answer, with hardly anyone."""
    before = enrolled()
    for child in world.settled()[:-3]:
        world.district.remove(child.id)
    run = world.sync()
    assert run.status in ("held", "partial"), run.status
    assert nobody_dropped(before)


class Mover:
    """Moves children to another school while they are being read: after the n-th request for a list."""

    def __init__(self, world: World, children: list[Child], *, to: int, after: int) -> None:
        self.world, self.children, self.to, self.left = world, children, to, after
        self.lock = threading.Lock()
        vendor, wrapped = world.sis.vendor, world.sis.vendor.authenticate
        self.restore: Callable[[], None] = lambda: setattr(vendor, "authenticate", wrapped)

        def watched(request: Any) -> Any:
            if request.route and request.path.rstrip("/").endswith(("/students", "/student")):
                self._count()
            return wrapped(request)

        vendor.authenticate = watched  # type: ignore[method-assign]

    def _count(self) -> None:
        with self.lock:
            self.left -= 1
            if self.left == 0:
                for child in self.children:
                    self.world.district.move(child.id, self.to)


@pytest.mark.slow
@pytest.mark.parametrize("after", [1, 3, 4, 6, 7, 9, 10, 12, 13, 15, 16, 18])
@pytest.mark.parametrize(("from_", "to"), [(110, 130), (130, 110), (110, 120)])
def test_a_child_who_moves_at_any_time_is_never_dropped(world: World, from_: int, to: int, after: int) -> None:
    test_a_child_who_moves_while_being_read_is_never_dropped(world, from_, to, after)


@pytest.mark.parametrize("after", [2, 5, 8, 11])
@pytest.mark.parametrize(("from_", "to"), [(110, 130), (130, 110)])
def test_a_child_who_moves_while_being_read_is_never_dropped(world: World, from_: int, to: int, after: int) -> None:
    before = enrolled()
    movers = [child for child in world.settled() if child.enrollments[0].school == from_][2:5]
    mover = Mover(world, movers, to=to, after=after)
    run = world.sync()
    mover.restore()
    missing = {vanished(world)}
    assert before - enrolled() <= missing, (run.status, [issue.code for issue in world.issues(run)])
    last = world.sync()
    assert last.status == "complete"
    for child in movers if mover.left <= 0 else []:
        stays = Enrollment.objects.filter(student=world.student(child), left=None)
        assert [(stay.school.code, stay.primary) for stay in stays] == [(str(to), True)]
    assert before - enrolled() == missing
    assert world.sync().changes.count() == 0
