"""The vocabularies OneRoster fixes: 1EdTech OneRoster 1.1 and 1.2, 'Enumerated vocabularies'; grades are CEDS codes."""

from __future__ import annotations

from collections.abc import Mapping

from ..base import SourceCode
from .parse import RACES, SEVERAL

GRADES = {
    "IT": "Infant/toddler",
    "PR": "Preschool",
    "PK": "Pre-kindergarten",
    "TK": "Transitional kindergarten",
    "KG": "Kindergarten",
    **{f"{number:02d}": f"Grade {number}" for number in range(1, 14)},
    "PS": "Postsecondary",
    "UG": "Ungraded",
}
WORDS: Mapping[str, Mapping[str, str]] = {
    "gender": {"male": "Male", "female": "Female", "other": "Other"},
    "ethnicity": {"true": "Hispanic or Latino", "false": "Not Hispanic or Latino"},
    "race": {
        **dict(
            zip(
                RACES,
                (
                    "American Indian or Alaska Native",
                    "Asian",
                    "Black or African American",
                    "Native Hawaiian or Other Pacific Islander",
                    "White",
                ),
                strict=True,
            )
        ),
        SEVERAL: "Two or more races",
    },
    "grade_level": GRADES,
    "relationship": {"parent": "Parent", "guardian": "Guardian", "relative": "Relative"},
}
"""Entity → code → what it stands for."""


def code_list(entity: str) -> list[SourceCode] | None:
    """The codes every OneRoster system uses for an entity; None where the standard leaves them to the system."""
    words = WORDS.get(entity)
    return None if words is None else [SourceCode(code=code, description=text) for code, text in words.items()]
