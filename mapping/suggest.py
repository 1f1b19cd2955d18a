"""Which of our values a system's code most likely means, and why: for a person to accept, never saved by itself."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Mapping
from difflib import SequenceMatcher

import msgspec

from students.codes import NOT_STATED

CODE, DESCRIPTION, CATEGORY, NAME = "The code is ours", "Same description", "Same federal category", "Same name"
SAYS_NOTHING = "It says that nothing was stated"
NEVER_BLANK = frozenset({"building", "academic_year", "grade_level"})
"""Entities without which a student cannot be placed: none of their codes is ignored."""

BLANKS = frozenset(
    {
        "blank", "decline to state", "declined", "declined to state", "missing", "missing or declined", "not reported",
        "no answer", "none", "not specified", "not stated", "nonspecified", "prefer not to say", "refused to answer",
        "unknown", "unspecified",
    }
)  # fmt: skip
ORDINALS = (
    "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth", "eleventh",
    "twelfth",
)  # fmt: skip
OTHER_WORDS: Mapping[str, Mapping[str, str]] = {
    "grade_level": {
        **{f"{word} grade": str(number) for number, word in enumerate(ORDINALS, start=1)},
        "kinder": "K", "kdg": "K", "full day kindergarten": "K", "half day kindergarten": "K",
        "transitional k": "TK", "pre k": "PK", "prekindergarten": "PK", "pre school": "PR", "infant": "IT",
        "toddler": "IT", "adult": "AE", "post secondary": "PS",
    },
    "gender": {
        "girl": "F", "woman": "F", "boy": "M", "man": "M", "non binary": "X", "nonbinary": "X", "other": "X",
        "gender x": "X",
    },
    "ethnicity": {
        "hispanic": "hispanic", "latino": "hispanic", "hispanic latino": "hispanic", "yes": "hispanic",
        "non hispanic": "not_hispanic", "not hispanic": "not_hispanic", "no": "not_hispanic",
        "non hispanic or latino": "not_hispanic", "not hispanic latino": "not_hispanic",
    },
    "race": {
        "american indian": "american_indian", "alaska native": "american_indian", "black": "black",
        "african american": "black", "native hawaiian": "pacific_islander", "hawaiian": "pacific_islander",
        "pacific islander": "pacific_islander", "caucasian": "white", "multiple races": "two_or_more",
        "multiracial": "two_or_more", "hispanic": "hispanic", "hispanic or latino": "hispanic",
        "american indian or alaskan native": "american_indian",
    },
    "language": {
        "sign language": "ase", "castilian": "es", "tagalog": "fil", "pilipino": "fil", "other": "mis",
        "unknown": "und", "undetermined": "und",
    },
    "relationship": {
        "mom": "mother", "dad": "father", "step mother": "stepmother", "step father": "stepfather",
        "step parent": "parent", "legal guardian": "guardian", "grand mother": "grandmother",
        "grand father": "grandfather", "foster mother": "foster_parent", "foster father": "foster_parent",
        "relative": "other_relative", "other adult relative": "other_relative", "friend": "family_friend",
        "neighbour": "neighbor", "other adult": "other", "physician": "doctor",
    },
    "allergy": {
        "dairy": "milk", "lactose": "milk", "eggs": "egg", "nuts": "tree_nuts", "peanut": "peanuts",
        "bee": "bee_sting", "bees": "bee_sting", "insect sting": "bee_sting", "drug": "medication",
        "seasonal": "pollen", "hay fever": "pollen",
    },
}  # fmt: skip
"""Entity → further words for our values, as ``folded`` gives them."""

TOO_WIDE = frozenset({"chinese", "other", "another"})
"""Parts of our labels that could mean several of our values."""
SCHOOL_WORDS: Mapping[str, str] = {
    "elem": "elementary", "es": "elementary", "ms": "middle", "hs": "high", "jr": "junior", "sr": "senior",
    "int": "intermediate", "sch": "", "school": "", "the": "", "of": "", "st": "saint", "mt": "mount",
    "acad": "academy", "ctr": "center", "alt": "alternative",
}  # fmt: skip
SPOKEN_FOR = "The code speaks for {0}, its description for {1}. Choose one"
ALIKE = 0.8


class Code(msgspec.Struct, frozen=True, kw_only=True):
    """A code as a system has it.

    category: what wider group the system counts it to, such as a federal race. opaque: the code is a number of the
    system's own, which means nothing by itself.
    """

    code: str
    description: str = ""
    category: str = ""
    opaque: bool = False


class Suggestion(msgspec.Struct, frozen=True):
    """One of our values with the reason; value "" where the signs disagree, and the reason says how."""

    value: str
    reason: str


def suggest(
    entity: str, code: Code, *, ours: Mapping[str, str], known: Mapping[str, Mapping[str, str]] | None = None
) -> Suggestion | None:
    """Our value for a code with the reason, None when nothing speaks for any.

    ours: the entity's values → labels; a Building's label is ``Name (code)``. known: name of a table of standard
    codes → code → our value. A value is only given when all that speaks for any speaks for the same.
    """
    if entity == "building":
        return _building(code, ours=ours)
    by_code = _by_code(entity, code, ours=ours, known=known or {})
    by_text = _by_text(entity, code, ours=ours)
    values = {value for value, _ in (*by_code, *by_text)}
    if not values:
        return None
    if len(values) == 1:
        reasons = list(dict.fromkeys(reason for _, reason in (*by_code, *by_text)))
        return Suggestion(values.pop(), ", ".join([reasons[0], *(one[0].lower() + one[1:] for one in reasons[1:])]))
    labels = {**ours, NOT_STATED: "nothing stated"}
    told = [" or ".join(sorted({labels[v] for v, _ in side})) for side in (by_code, by_text)]
    if not all(told):
        return Suggestion("", f"It could be {told[0] or told[1]}. Choose one")
    return Suggestion("", SPOKEN_FOR.format(*told))


def folded(text: str) -> str:
    """Words of a text in small letters without accents and signs, one blank between, such as ``pre k``."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().casefold()
    return " ".join(re.findall(r"[a-z0-9]+", plain.replace("'", "")))


def _by_code(
    entity: str, code: Code, *, ours: Mapping[str, str], known: Mapping[str, Mapping[str, str]]
) -> list[tuple[str, str]]:
    """What the code alone speaks for, as (value, reason)."""
    text = code.code.strip()
    found = []
    if not code.opaque and text:
        plain = text.casefold()
        equal = [v for v in ours if v.casefold() == plain and v != NOT_STATED]
        if not equal and entity == "grade_level" and plain.isdigit():
            equal = [v for v in ours if v == (plain.lstrip("0") or "0")]
        found += [(value, CODE) for value in equal]
    for name, table in known.items():
        folds = {external.casefold(): value for external, value in table.items()}
        value = table.get(text, folds.get(text.casefold()))
        if value is not None and value in ours:
            found.append((value, f"Known code ({name})"))
    return found


def _by_text(entity: str, code: Code, *, ours: Mapping[str, str]) -> list[tuple[str, str]]:
    """What description and category speak for; a code that is a word is its own description."""
    texts = [(code.description, DESCRIPTION)]
    if not code.description and not code.opaque and len(code.code) > 2:
        texts = [(code.code, DESCRIPTION)]
    found = [(value, reason) for text, reason in texts if (value := _named(entity, text, ours))]
    if not found and (value := _named(entity, code.category, ours)):
        found = [(value, CATEGORY)]
    if not found and entity not in NEVER_BLANK and NOT_STATED in ours and any(folded(t) in BLANKS for t, _ in texts):
        found = [(NOT_STATED, SAYS_NOTHING)]
    return found


def _named(entity: str, text: str, ours: Mapping[str, str]) -> str | None:
    """The one value that a text names in full, or in the part before or in its brackets."""
    whole = folded(text)
    if not whole:
        return None
    exact = {value for value, label in ours.items() if whole == folded(label) and value != NOT_STATED}
    words = {word: value for word, value in OTHER_WORDS.get(entity, {}).items() if value in ours}
    if whole in words and not exact:
        exact = {words[whole]}
    if exact:
        return exact.pop() if len(exact) == 1 else None
    parts = _parts(text)
    found = {v for v, label in ours.items() if parts & _parts(label) and v != NOT_STATED}
    found |= {words[part] for part in parts & words.keys()}
    return found.pop() if len(found) == 1 else None


def _parts(text: str) -> set[str]:
    pieces = {folded(piece) for piece in (text, *re.split(r"[()/;]", text))}
    return {piece for piece in pieces if piece} - TOO_WIDE


def _building(code: Code, *, ours: Mapping[str, str]) -> Suggestion | None:
    """One of our schools by its code, else by its name when only one has it."""
    names = {value: label.rpartition(" (")[0] for value, label in ours.items()}
    theirs = _school_name(code.description)
    equal = [value for value in ours if _number(value) == _number(code.code)]
    same = [value for value, name in names.items() if theirs and _school_name(name) == theirs]
    if len(equal) == 1:
        value = equal[0]
        if same and value not in same:
            return Suggestion("", SPOKEN_FOR.format(names[value], " or ".join(names[one] for one in same)))
        if value in same:
            return Suggestion(value, f"{CODE}, {NAME.lower()}")
        if theirs and not _alike(theirs, _school_name(names[value])):
            return Suggestion("", f"The code is that of {names[value]}, but the name is another. Choose one")
        return Suggestion(value, CODE)
    if len(same) > 1:
        return Suggestion("", f"Several of our schools are called {names[same[0]]}. Choose one")
    return Suggestion(same[0], NAME) if same else None


def _number(code: str) -> str:
    plain = code.strip().casefold()
    return plain.lstrip("0") or "0" if plain.isdigit() else plain


def _school_name(name: str) -> str:
    words = [SCHOOL_WORDS.get(word, word) for word in folded(name).split()]
    return " ".join(word for word in words if word)


def _alike(one: str, other: str) -> bool:
    """Whether two names of schools may be the same school: nearly the same letters, or one within the other."""
    a, b = set(one.split()), set(other.split())
    return a <= b or b <= a or SequenceMatcher(None, one, other).ratio() >= ALIKE


def standards(
    tables: Collection[Mapping[str, object]], *, entity: str, own: Collection[str]
) -> dict[str, Mapping[str, str]]:
    """Of shipped mappings (``{"name", "entity", "values"}``) those to judge an entity's codes by, name → values.

    These are the ones named in ``own``, and those that hold a published standard, which stands in brackets in their
    name and becomes theirs here, such as ``CALPADS``; of several of one standard the first, own ones before others.
    """
    found: dict[str, Mapping[str, str]] = {}
    for one in sorted(tables, key=lambda one: one["name"] not in own):
        name, values = str(one["name"]), one["values"]
        standard = name.rpartition(" (")[2].rstrip(")").partition("-")[0] if name.endswith(")") else ""
        if one["entity"] != entity or not (standard or name in own):
            continue
        assert isinstance(values, Mapping)
        found.setdefault(standard or name, values)
    return found
