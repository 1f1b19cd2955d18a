"""Faithful, stateful stand-ins for student information systems, to try, test and break syncs against."""

from __future__ import annotations

from integrations.sandbox.district import District
from integrations.sandbox.registry import start

__all__ = ["District", "start"]
