"""What an import of pictures tells a person."""

from __future__ import annotations

from integrations.inbound.issues import Found


def picture_refused(external_id: str, school: str, *, why: str) -> Found:
    """A picture that cannot be kept. why: a sentence."""
    return Found(
        severity="warning",
        code="picture_refused",
        external_id=external_id,
        school=school,
        message=f"The picture was not taken: {why} The one we have, if any, stays.",
        remedy="Upload a JPEG or PNG picture for the student in the student information system.",
    )


def pictures_of_nobody(school: str, *, number: int) -> Found:
    """Pictures of students who are not enrolled here at that school."""
    what = "1 picture is of a student" if number == 1 else f"{number} pictures are of students"
    return Found(
        severity="warning",
        code="pictures_of_nobody",
        school=school,
        message=f"{what} not enrolled here at school {school}. They were left out.",
        remedy="Nothing, if they are former students. Else import the students first, then the pictures again.",
    )


def school_failed(school: str, *, why: str) -> Found:
    """A school whose pictures were not read to the end. why: a sentence."""
    return Found(
        severity="run",
        code="school_failed",
        school=school,
        message=f"{why} The pictures read before that are kept.",
        remedy="Run the import again.",
    )
