"""Which students are one family: a key made of the fields an integration chose to compare."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Callable, Sequence

from .records import Household

FAMILY_FIELDS: dict[str, tuple[str, str]] = {
    "family_key": ("Family Key", "family_key"),
    "head_of_household_first_name": ("Head of Household First Name", "head_first_name"),
    "head_of_household_home_phone": ("Head of Household Home Phone", "head_home_phone"),
    "head_of_household_last_name": ("Head of Household Last Name", "head_last_name"),
    "household_home_address": ("Household Home Address", "home_address"),
}
"""Option → (its label on screen, the attribute of ``Household`` it compares)."""

COMPARED = 2
"""Which way of comparing households this is; a new one makes every student be read again."""

_STREET_WORDS = {
    "street": "st", "avenue": "ave", "av": "ave", "road": "rd", "drive": "dr", "lane": "ln", "court": "ct",
    "circle": "cir", "boulevard": "blvd", "place": "pl", "terrace": "ter", "highway": "hwy",
    "parkway": "pkwy", "north": "n", "south": "s", "east": "e", "west": "w", "suite": "ste",
    "apartment": "", "apt": "", "unit": "",
}  # fmt: skip
"""Word of an address → how it is compared, "" where it says no more than # does."""

_EXTENSION = re.compile(r"(?:x|ext|#).*", re.IGNORECASE | re.DOTALL)
_ZIP_AND_FOUR = re.compile(r"\b(\d{5})-?\d{4}\s*$")


def family_key(household: Household, chosen: Sequence[str], *, namespace: str = "") -> str | None:
    """The key of the household's family, None when any chosen field is blank or nothing is chosen.

    Households with equal keys are one family; case, accents, spacing, punctuation, street abbreviations, the last
    four digits of ZIP+4 and a phone's extension do not count, nor whether a flat is called Apt, Unit or #.
    namespace keeps the family numbers of different systems apart. The key holds no readable data.
    """
    if not chosen:
        return None
    parts: list[str] = []
    for option in sorted(chosen):
        attribute = FAMILY_FIELDS[option][1]
        value = _NORMALISE[attribute](getattr(household, attribute))
        if not value:
            return None
        parts.append(f"{option}={value}")
    prefix = namespace if "family_key" in chosen else ""
    return hashlib.blake2b("|".join([prefix, *parts]).encode(), digest_size=16).hexdigest()


def same_name(text: str) -> str:
    """A name in a form that is equal for the same name: letters and digits only, no accents, lower case."""
    if text.isascii() and text.isalnum():
        return text.lower()
    plain = unicodedata.normalize("NFKD", text).casefold()
    return "".join(ch for ch in plain if ch.isalnum())


def name_key(first_name: str, last_name: str) -> str:
    """First and last name in a form that is equal for the same person's name."""
    return f"{same_name(first_name)} {same_name(last_name)}"


def _family_number(text: str) -> str:
    number = text.strip()
    return "" if number.strip("0") == "" else number


def _phone(text: str) -> str:
    digits = re.sub(r"\D", "", _EXTENSION.sub("", text))
    if len(digits) == 11 and digits.startswith("1"):
        digits = digits[1:]
    placeholder = len(set(digits[-7:])) <= 1 or digits[-7:] == "1234567"
    return "" if len(digits) < 7 or placeholder else digits


def _address(text: str) -> str:
    plain = unicodedata.normalize("NFKD", _ZIP_AND_FOUR.sub(r"\1", text)).casefold()
    words = re.split(r"[^0-9a-z]+", "".join(ch for ch in plain if not unicodedata.combining(ch)))
    return " ".join(same for word in words if (same := _STREET_WORDS.get(word, word)))


_NORMALISE: dict[str, Callable[[str], str]] = {
    "family_key": _family_number,
    "head_first_name": same_name,
    "head_last_name": same_name,
    "head_home_phone": _phone,
    "home_address": _address,
}
