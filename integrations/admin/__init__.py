"""The screens of integrations: what they are, what their runs did, and what needs a person."""

from integrations.admin import (
    change,
    connection,
    duplicates,
    family,
    integration,
    issue,
    job,
    kept,
    matches,
    ownership,
    run,
    student,
    unmapped,
)

__all__ = [
    "change",
    "connection",
    "duplicates",
    "family",
    "integration",
    "issue",
    "job",
    "kept",
    "matches",
    "ownership",
    "run",
    "student",
    "unmapped",
]
