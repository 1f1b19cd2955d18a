"""Issues in words: what became of the field, whose contact it was, no stored names."""

from __future__ import annotations

import pytest

from integrations.inbound import issues
from tests.world import a_world


@pytest.mark.django_db
def test_field_of_a_new_student_was_left_blank_and_of_a_known_one_as_it_was() -> None:
    with a_world("aeries", students=12) as world:
        child = world.district.active_children()[0]
        world.district.change(child.id, gender="Q")
        first = world.issues(world.sync(), code="unmapped_code")[0]
        again = world.issues(world.sync(), code="unmapped_code")[0]

    assert first.message == "The Gender mapping has no value for “Q”. The gender was left blank."
    assert again.message == "The Gender mapping has no value for “Q”. The gender was left as it was."


@pytest.mark.django_db
def test_issue_of_a_contact_names_the_contact() -> None:
    with a_world("aeries", students=12) as world:
        child = next(child for child in world.district.active_children() if child.contacts)
        contact = child.contacts[0].contact
        world.district.change_contact(contact.id, first_name="Rosa", last_name="Marin")
        child.contacts[0].relationship = "77"
        world.district.touch(child)
        run = world.sync()
        messages = [issue.message for issue in world.issues(run, entity="relationship")]

    assert messages == [
        "The Relationship mapping has no value for “77”. The relationship of contact Rosa Marin was left blank."
    ]


@pytest.mark.parametrize(
    ("whom", "name"), [(None, "The home phone"), ("Rosa Marin", "The home phone of contact Rosa Marin")]
)
def test_text_that_does_not_fit_is_told_by_the_label_of_its_field(whom: str | None, name: str) -> None:
    told = issues.unusable_text("1", "101", field="home_phone", limit=30, whom=whom).message

    assert told == f"{name} is longer than 30 characters. It was left as it was, nothing was cut."


def test_conflict_is_told_by_the_labels_of_its_fields() -> None:
    paths = ["residence_line1", "contacts.7.order", "contacts.8", "enrollments.101.2026-2027.1.left", "family"]

    told = issues.conflict("1", "101", fields=paths).message

    assert "_" not in told
    assert "contacts, enrollment's last day, family" in told
    assert "101" not in told


def test_field_of_the_system_is_quoted_when_a_record_cannot_be_read() -> None:
    told = issues.unreadable(
        "1", "101", code="bad_date", field="BirthDate", message="BirthDate is no date: 2015-13-01."
    )

    assert told.message == "The student was not imported: the SIS field “BirthDate” is no date: 2015-13-01."
    assert told.remedy == "Correct the date in the student information system."
