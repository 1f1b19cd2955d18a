"""Pictures: read in windows, checked by their bytes, made anew, stored only where they changed."""

from __future__ import annotations

import hashlib
import io
import json
import signal
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from integrations.checking import check_integration
from integrations.errors import RunRefused
from integrations.inbound.pictures.check import PictureRefused, made_anew
from integrations.management.commands.sync import carry
from integrations.models import Change, Integration, RecordIssue, SyncRun
from integrations.sandbox import District, aeries_pictures, start
from integrations.services import start_import
from students.models import Enrollment, Student, StudentPhoto
from students.models.photos import photo_storage
from tests.factories.students import EnrollmentFactory, SchoolFactory, StudentFactory
from tests.inbound.consoles import new_console
from tests.world import World, a_world, configuration

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _own_folder(settings: object, tmp_path: Path) -> None:
    """Pictures go to a folder of the test's own."""
    storages = settings.STORAGES  # type: ignore[attr-defined]  # the fixture of settings
    options = {"location": str(tmp_path), "base_url": None}
    settings.STORAGES = {**storages, "photos": {**storages["photos"], "OPTIONS": options}}  # type: ignore[attr-defined]


@contextmanager
def pictured(*, students: int = 30) -> Iterator[tuple[World, Integration]]:
    """A district whose students are imported, and a second integration that brings their pictures."""
    with a_world("aeries", students=students, messy=False) as world:
        world.sync()
        first = world.integration
        photos = Integration.objects.create(
            name="Photos",
            system="aeries",
            url=first.url,
            token=first.token,
            building=first.building,
            pictures_only=True,
        )
        yield world, photos


def bring(photos: Integration, **arguments: object) -> SyncRun:
    """Import the pictures."""
    run = start_import(integration=photos, wake=False, **arguments)  # type: ignore[arg-type]  # of many types
    carry(run.pk)
    return SyncRun.objects.get(pk=run.pk)


def asked_for(world: World) -> list[str]:
    """The requests for pictures."""
    return [entry["path"] for entry in world.sis.truth if "Pictures" in entry["path"]]


def somebody(world: World) -> tuple[int, Student]:
    """A child in one school only, and the student we hold."""
    child = world.settled()[0]
    return child.id, world.student(child)


def files(tmp_path: Path) -> set[str]:
    """The picture files there are."""
    return {path.name for path in tmp_path.rglob("*.jpg")}


def test_everybody_enrolled_gets_a_picture_and_the_second_run_stores_nothing(tmp_path: Path) -> None:
    with pictured() as (world, photos):
        first = bring(photos)
        asked = len(asked_for(world))
        enrolled = set(Enrollment.objects.filter(left=None).values_list("student", flat=True))

        assert first.kind == "pictures"
        assert set(StudentPhoto.objects.values_list("student", flat=True)) == enrolled
        assert Change.objects.filter(run=first, entity="photo").count() == first.counts["created"] == len(enrolled)
        before = {photo.pk: (photo.received, photo.image.name) for photo in StudentPhoto.objects.all()}

        second = bring(photos)

        assert second.counts["unchanged"] == second.counts["received"] == first.counts["received"]
        assert {photo.pk: (photo.received, photo.image.name) for photo in StudentPhoto.objects.all()} == before
        assert not Change.objects.filter(run=second).exists()
        assert len(asked_for(world)) == 2 * asked
        assert len(files(tmp_path)) == len(enrolled)


def test_only_a_new_picture_is_stored_and_the_old_file_goes(
    tmp_path: Path, django_capture_on_commit_callbacks: Any
) -> None:
    with pictured() as (world, photos):
        bring(photos)
        number, student = somebody(world)
        old = student.photo.image.name
        world.sis.vendor.switch["retaken"] = (number,)

        with django_capture_on_commit_callbacks(execute=True):
            run = bring(photos)

        photo = StudentPhoto.objects.get(student=student)
        assert (run.counts["updated"], run.counts.get("created", 0)) == (1, 0)
        assert photo.image.name != old
        assert (photo.source_year, photo_storage().exists(old)) == (world.district.year, False)
        assert len(files(tmp_path)) == StudentPhoto.objects.count()


@pytest.mark.parametrize(
    ("odd", "told"),
    [
        ("huge", "20 MB"),
        ("wrong_length", "came cut"),
        ("size_text", "came cut"),
        ("null", "without its file"),
        ("gif", "a GIF"),
        ("html", "a web page"),
        ("no_base64", "garbled"),
        ("bomb", "million pixels"),
    ],
)
def test_what_is_no_picture_is_refused_with_an_issue_and_the_old_one_stays(odd: str, told: str) -> None:
    with pictured(students=16) as (world, photos):
        bring(photos)
        number, student = somebody(world)
        before = student.photo.sha256
        world.sis.vendor.switch["odd_pictures"] = {number: odd}

        run = bring(photos)

        issue = RecordIssue.objects.get(run=run, code="picture_refused")
        assert told in issue.message
        assert issue.external_id == str(number)
        assert StudentPhoto.objects.get(student=student).sha256 == before
        assert (run.status, run.counts["rejected"]) == ("complete_with_issues", 1)


def test_student_without_a_picture_is_no_issue() -> None:
    with pictured(students=16) as (world, photos):
        number, student = somebody(world)
        world.sis.vendor.switch["odd_pictures"] = {number: "none"}

        run = bring(photos)

        assert not StudentPhoto.objects.filter(student=student).exists()
        assert not RecordIssue.objects.filter(run=run, code="picture_refused").exists()


def test_pictures_of_children_we_do_not_hold_are_left_out_and_told() -> None:
    with pictured(students=16) as (world, photos):
        number, student = somebody(world)
        Enrollment.objects.filter(student=student).update(left="2026-11-01")

        run = bring(photos)

        assert not StudentPhoto.objects.filter(student=student).exists()
        issue = RecordIssue.objects.filter(run=run, code="pictures_of_nobody").first()
        assert issue is not None
        assert "not enrolled here" in issue.message
        assert str(number) not in issue.message


def test_pictures_go_to_students_of_the_same_district_only() -> None:
    with pictured(students=16) as (_world, photos):
        Student.objects.update(local_id="")
        Integration.objects.exclude(pk=photos.pk).update(url="https://another.example.org")

        run = bring(photos)

        assert not StudentPhoto.objects.exists()
        assert run.counts.get("received", 0) == 0


def at_two_schools(world: World) -> tuple[int, tuple[int, int]]:
    """A child whom the second school is to have too, once imported again; the schools in the order they are read."""
    child = world.settled()[0]
    here = child.enrollments[0].school
    other = next(school.number for school in world.district.real_schools if school.number != here)
    world.district.enroll(child.id, other)
    world.sync()
    return child.id, (min(here, other), max(here, other))


@pytest.mark.parametrize(("later", "taken"), [(0, 0), (1, 1)])
def test_child_of_two_schools_keeps_the_first_picture_unless_the_second_is_of_a_later_year(
    later: int, taken: int, tmp_path: Path, django_capture_on_commit_callbacks: Any
) -> None:
    with pictured(students=16) as (world, photos):
        number, schools = at_two_schools(world)
        world.sis.vendor.switch["taken_at"] = {(number, schools[1]): later}
        student = world.student(world.district.child(number))

        for _night in range(2):
            with django_capture_on_commit_callbacks(execute=True):
                run = bring(photos)

            photo = StudentPhoto.objects.get(student=student)
            assert run.status != "failed"
            assert photo.sha256 == hashlib.sha256(aeries_pictures.picture(number, retaken=bool(taken))).hexdigest()
            assert photo.source_year == world.district.year + later
            assert len(files(tmp_path)) == StudentPhoto.objects.count()
        assert Change.objects.filter(entity="photo", student=student).count() == 1


def test_child_who_comes_twice_in_a_window_gets_the_newest_picture() -> None:
    with pictured(students=16) as (world, photos):
        number, student = somebody(world)
        world.sis.vendor.switch["twice"] = (number,)

        run = bring(photos)

        assert run.status != "failed"
        photo = StudentPhoto.objects.get(student=student)
        assert photo.sha256 == hashlib.sha256(aeries_pictures.picture(number)).hexdigest()
        assert Change.objects.filter(run=run, student=student).count() == 1


def test_picture_of_a_child_of_another_school_is_not_given_to_one_with_that_local_id() -> None:
    with pictured(students=16) as (world, photos):
        number, student = somebody(world)
        stay = Enrollment.objects.get(student=student)
        namesake = StudentFactory.create(local_id=str(number))
        EnrollmentFactory.create(student=namesake, school=stay.school, academic_year=stay.academic_year)
        Enrollment.objects.filter(pk=stay.pk).update(school=SchoolFactory.create(code="999"))

        bring(photos)

        assert not StudentPhoto.objects.filter(student__in=[student, namesake]).exists()


def test_files_of_pictures_go_when_undo_removes_their_students(
    tmp_path: Path, django_capture_on_commit_callbacks: Any
) -> None:
    with pictured(students=16) as (world, photos):
        bring(photos)
        assert files(tmp_path)

        with django_capture_on_commit_callbacks(execute=True):
            world.undo(SyncRun.objects.get(kind="import"))

        assert not StudentPhoto.objects.exists()
        assert not files(tmp_path)


def test_missing_permission_ends_the_run_and_says_which() -> None:
    with pictured(students=16) as (world, photos):
        world.sis.vendor.switch["permissions"] = {"Student Pictures": False}

        run = bring(photos)

        assert run.status == "failed"
        assert "'Student Pictures'" in run.error_message
        lines = check_integration(photos)
        assert [(line.name, line.ok) for line in lines][-1] == ("Permission 'Student Pictures'", False)


def test_picture_run_has_no_dry_run() -> None:
    with pictured(students=16) as (_world, photos), pytest.raises(RunRefused, match="brings pictures only"):
        bring(photos, dry_run=True)


def test_answers_too_large_are_asked_for_in_halves() -> None:
    with pictured(students=16) as (world, photos):
        photos.options = {"max_body_mb": 1}
        photos.save()
        number, _student = somebody(world)
        world.sis.vendor.switch["odd_pictures"] = {number: "huge"}

        run = bring(photos)

        assert "too large" in RecordIssue.objects.get(run=run, code="picture_refused").message
        assert (
            StudentPhoto.objects.count()
            == Enrollment.objects.filter(left=None).values("student").distinct().count() - 1
        )


def test_picture_is_made_anew_without_what_else_is_in_the_file() -> None:
    large = Image.new("RGB", (2000, 1000), (200, 10, 10))
    exif = Image.Exif()
    exif[0x010E] = "Ana Ortiz, 14 Elm St"
    file = io.BytesIO()
    large.save(file, "JPEG", exif=exif)

    found = made_anew(file.getvalue())

    with Image.open(io.BytesIO(found)) as picture:
        assert (picture.size, picture.format, len(picture.getexif())) == ((800, 400), "JPEG", 0)
    assert b"Ortiz" not in found


def test_cut_picture_is_refused() -> None:
    with pytest.raises(PictureRefused, match="cannot be read"):
        made_anew(aeries_pictures.picture(1)[:200])


def test_killed_import_of_pictures_goes_on_where_it_stopped(tmp_path: Path) -> None:
    district = District.generate(students=50, seed=3, schools=1, messy=False)
    with start("aeries", district) as sis:
        console = new_console(tmp_path / "console", sis, "aeries")
        console.sync()
        entry = configuration("aeries", sis, name="Photos")["integrations"][0]
        entry |= {"pictures_only": True, "mappings": {"building": "District building"}, "family_identifier": []}
        told = tmp_path / "photos.json"
        told.write_text(json.dumps({"integrations": [{**entry, "drop_students_not_in_file": False}]}))
        console.run("configure", str(told))
        undisturbed = console.copy(tmp_path / "undisturbed")
        counts = json.loads(undisturbed.run("sync", "Photos", "--json", expect=None))["counts"]

        console.run("sync", "Photos", "--json", kill_at="pictures.page:2", expect=-signal.SIGKILL)
        asked = len([entry for entry in sis.truth if "Pictures" in entry["path"]])
        again = json.loads(console.run("sync", "Photos", "--json", expect=None))

        assert again["counts"] == counts
        assert counts["created"] > 40
        assert console.rows() == undisturbed.rows()
        later = [entry for entry in sis.truth if "Pictures" in entry["path"]][asked:]
        assert later[0]["query"]["StartingRecord"] == "41"
        console.drop()
        undisturbed.drop()


@pytest.mark.slow
def test_memory_does_not_grow_with_the_number_of_pictures() -> None:
    peaks = []
    for students in (400, 2000):
        switches = {"picture_padding": 20_000}
        with a_world("aeries", students=students, name=f"District {students}", schools=1, switches=switches) as world:
            world.sync()
            first = world.integration
            photos = Integration.objects.create(
                name=f"Photos {students}", system="aeries", url=first.url, token=first.token, building=first.building,
                pictures_only=True,
            )  # fmt: skip
            world.sis.warm()
            # The server keeps its answers in this process: they are there before anything is counted.
            bring(photos)
            StudentPhoto.objects.all().delete()
            tracemalloc.start()
            stored, run = bring(photos), bring(photos)
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
            assert stored.counts["created"] == run.counts["unchanged"] > students * 0.8
    # 1,600 pictures more are over 40 MB on the wire; the server's log of requests grows in this process too.
    assert peaks[1] < peaks[0] + 3_000_000
