"""State IDs as people mean them: leading zeros, which some systems lose, tell no two children apart."""

from __future__ import annotations

LONGEST = 32
"""Characters of the longest state ID we hold."""


def bare_state_id(state_id: str) -> str:
    """The ID without its leading zeros; one of zeros alone as it is."""
    return state_id.lstrip("0") or state_id


def spellings(state_id: str) -> list[str]:
    """Every ID that differs from this one in leading zeros at most, itself among them; none for a blank."""
    bare = bare_state_id(state_id)
    if not bare.strip("0"):
        return [state_id] if state_id else []
    return ["0" * zeros + bare for zeros in range(max(LONGEST, len(state_id)) - len(bare) + 1)]
