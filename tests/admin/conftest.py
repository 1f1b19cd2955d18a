"""The people of the screens."""

from __future__ import annotations

from tests.factories.people import approver, looker, registrar, sign_in

__all__ = ["approver", "looker", "registrar", "sign_in"]
