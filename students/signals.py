"""What the rest of the console may listen to."""

from __future__ import annotations

from django.dispatch import Signal

student_edited = Signal()
"""Sent after a person has saved an edit, with ``student_ids`` (list of primary keys) and ``user``.

An edit is a change to the student, an enrollment, a contact, a link to a contact, or a lock. What an
integration writes sends nothing.
"""
