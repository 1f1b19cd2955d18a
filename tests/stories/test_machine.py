"""Any order of events: the source changes, people edit, runs are held, approved, discarded and undone.

What holds after each: a second identical sync writes nothing, nobody is dropped without a complete snapshot,
no two students have one id, no child is doubled, a locked field is what it was.
"""

from __future__ import annotations

from contextlib import ExitStack

from django.db import transaction
from django.db.models import Count
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from integrations.errors import RunRefused
from integrations.models import Change, ExternalIdentity, SourceRecord, SyncRun
from integrations.sandbox import District
from integrations.sandbox.district import Child
from integrations.services import discard_run, undo_run
from students.models import Enrollment, FieldLock, Student
from students.signals import student_edited
from tests.stories.days import quiet_sync
from tests.world import World, a_world

FEW = 30
WHICH = st.integers(0, 1000)
PHONES = st.sampled_from(["5305550101", "5305550102", "5305550103"])


class Days(RuleBasedStateMachine):
    """One small district behind Aeries, and everything that may befall it."""

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        self.stack.enter_context(transaction.atomic())
        self.stack.callback(transaction.set_rollback, True)
        district = District.generate(students=FEW, seed=3, schools=2, messy=False, contacts_per_student=1)
        self.world: World = self.stack.enter_context(
            a_world("aeries", district=district, guard={"percent": 5, "count": 3})
        )
        self.removed: list[Child] = []
        self.locked: dict[int, str] = {}
        self.added = 0
        self.world.sync()

    def teardown(self) -> None:
        """Forget the world."""
        self.stack.close()

    def child(self, which: int) -> Child:
        """One of the active children."""
        children = sorted(self.world.district.active_children(), key=lambda child: child.id)
        return children[which % len(children)]

    def held(self) -> SyncRun | None:
        """The run that waits for a person."""
        return SyncRun.objects.filter(status="held").first()

    @rule(which=WHICH, phone=PHONES)
    def source_edits(self, which: int, phone: str) -> None:
        self.world.district.change(self.child(which).id, home_phone=phone)

    @rule()
    def source_adds(self) -> None:
        self.added += 1
        self.world.district.add(first_name=f"Pia{self.added}", last_name="Neu")

    @precondition(lambda self: len(self.world.district.active_children()) > FEW // 2)
    @rule(which=WHICH, count=st.sampled_from([1, 1, 5]))
    def source_removes(self, which: int, count: int) -> None:
        for _ in range(count):
            self.removed.append(self.world.district.remove(self.child(which).id))

    @precondition(lambda self: self.removed)
    @rule()
    def source_returns(self) -> None:
        self.world.district.restore_child(self.removed.pop())

    @precondition(lambda self: len(self.world.district.active_children()) > FEW // 2)
    @rule(which=WHICH)
    def source_moves(self, which: int) -> None:
        child = self.child(which)
        primary = child.primary
        assert primary is not None
        there = next(s.number for s in self.world.district.real_schools if s.number != primary.school)
        self.world.district.move(child.id, there)

    @precondition(lambda self: len(self.world.district.active_children()) > FEW // 2)
    @rule(which=WHICH)
    def source_ends(self, which: int) -> None:
        self.world.district.leave(self.child(which).id)

    @rule(which=WHICH, phone=PHONES)
    def person_edits(self, which: int, phone: str) -> None:
        students = Student.objects.exclude(pk__in=self.locked).order_by("local_id")
        student = students[which % len(students)]
        student.home_phone = phone
        student.save()
        student_edited.send(sender=Student, student_ids=[student.pk], user=None)

    @rule(which=WHICH)
    def person_locks(self, which: int) -> None:
        students = Student.objects.exclude(pk__in=self.locked).order_by("local_id")
        student = students[which % len(students)]
        FieldLock.objects.create(student=student, field="home_phone", reason="Mother called")
        student_edited.send(sender=Student, student_ids=[student.pk], user=None)
        self.locked[student.pk] = student.home_phone

    @rule()
    def sync(self) -> None:
        run = self.world.sync()
        assert run.status in ("complete", "complete_with_issues", "held"), (run.status, run.error_message)
        if run.status != "held":
            again = quiet_sync(self.world)
            assert again.counts["received"] == run.counts["received"] - self.asked(run)
            self.nothing_differs()

    def nothing_differs(self) -> None:
        """We hold exactly what the source says: who is where, and every phone that is not locked."""
        active = {str(child.id): child for child in self.world.district.active_children()}
        stays = Enrollment.objects.filter(left=None).values_list("student__local_id", "school__code", "primary")
        assert set(stays) == {
            (local_id, str(row.school), True)
            for local_id, child in active.items()
            for row in child.enrollments
            if row.status == "active"
        }
        phones = Student.objects.filter(status="current").exclude(pk__in=self.locked)
        for local_id, phone in phones.values_list("local_id", "home_phone"):
            assert phone == active[local_id].home_phone

    def asked(self, run: SyncRun) -> int:
        """Students who count as received because the system, asked by id, called them left."""
        return run.changes.filter(entity="student", kind="left", page=None, page_ids=[]).count()

    @rule(empty=st.booleans())
    def sync_of_half_a_district(self, empty: bool) -> None:
        school = self.world.district.real_schools[0].number
        before = set(Enrollment.objects.filter(left=None, school__code=school).values_list("pk", flat=True))
        self.world.sis.faults.add("F45" if empty else "F19", school=school)
        run = self.world.sync()
        self.world.sis.faults.clear()
        assert not run.certificate.get("complete")
        assert run.counts["dropped"] == run.counts["left"]
        still = set(Enrollment.objects.filter(left=None, school__code=school).values_list("pk", flat=True))
        moved = Change.objects.filter(run=run, status="applied").exclude(fields={})
        allowed = {path for fields in moved.values_list("fields", flat=True) for path in fields}
        assert before - still == set() or any(f"enrollments.{school}." in path for path in allowed)

    @precondition(lambda self: self.held())
    @rule()
    def approve(self) -> None:
        run = self.held()
        assert run is not None
        planned = set(run.changes.filter(status="planned").values_list("pk", flat=True))
        try:
            done = self.world.approve(run)
        except RunRefused:
            return
        applied = set(done.changes.filter(status="applied").values_list("pk", flat=True))
        assert applied <= planned
        assert done.status in ("complete", "complete_with_issues", "partial")

    @precondition(lambda self: self.held())
    @rule()
    def discard(self) -> None:
        run = self.held()
        assert run is not None
        discard_run(run=run)

    @rule(which=st.integers(0, 3))
    def undo(self, which: int) -> None:
        runs = SyncRun.objects.filter(kind="import", status__in=["complete", "complete_with_issues"])
        runs = runs.exclude(pk=SyncRun.objects.order_by("pk").first().pk)[which : which + 1]  # type: ignore[union-attr]
        for run in runs:
            try:
                undo = undo_run(run=run, wake=False)
            except RunRefused:
                return
            done = self.world.carry(undo)
            assert done.status in ("complete", "complete_with_issues")

    @invariant()
    def nobody_is_doubled(self) -> None:
        ids = Student.objects.values_list("local_id", flat=True)
        assert len(ids) == len(set(ids))
        twice = ExternalIdentity.objects.filter(entity="student").values("student").annotate(n=Count("id"))
        assert not twice.filter(n__gt=1).exists()
        assert ExternalIdentity.objects.filter(entity="student").count() == len(ids)

    @invariant()
    def locked_fields_are_what_they_were(self) -> None:
        phones = dict(Student.objects.filter(pk__in=self.locked).values_list("pk", "home_phone"))
        assert phones == {pk: phone for pk, phone in self.locked.items() if pk in phones}

    @invariant()
    def standing_follows_from_the_enrollments(self) -> None:
        enrolled = set(Enrollment.objects.filter(left=None).values_list("student", flat=True))
        current = set(Student.objects.filter(status="current").values_list("pk", flat=True))
        assert enrolled == current

    @invariant()
    def every_fingerprint_belongs_to_a_student(self) -> None:
        known = set(ExternalIdentity.objects.filter(entity="student").values_list("external_id", flat=True))
        kept = SourceRecord.objects.exclude(fingerprint=None).values_list("external_id", flat=True)
        assert set(kept) <= known


class TestDays(Days.TestCase, TestCase):  # type: ignore[misc, valid-type]
    """The machine, with a database."""

    settings = settings(
        max_examples=12,
        stateful_step_count=15,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
