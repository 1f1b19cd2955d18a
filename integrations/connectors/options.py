"""The options of an integration: which a connector takes, and whether a value fits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from ..errors import ConfigurationError
from ..http import Limits


class Option(msgspec.Struct, frozen=True, kw_only=True):
    """One option: its meaning in a sentence, and what may stand in it.

    kind: integer or number (from least to most), choice (of choices), codes (a list of texts), boolean, text,
    url or json (an object, which the connector checks). label: the name a person reads, "" for the key in words.
    names: choice → what a person reads for it.
    """

    meaning: str
    label: str = ""
    kind: str = "integer"
    default: Any = None
    least: float = 0
    most: float = 0
    choices: tuple[str, ...] = ()
    names: Mapping[str, str] = {}


COMMON: Mapping[str, Option] = {
    "timeout_s": Option(
        meaning="Seconds without a byte before an answer is given up.",
        label="Seconds to wait for an answer",
        kind="number", default=60.0, least=0.05, most=600,
    ),
    "max_at_once": Option(
        meaning="Requests to the system at the same time.", label="Requests at once", default=2, least=1, most=16,
    ),
    "min_interval_s": Option(
        meaning="Seconds between the starts of two requests.",
        label="Seconds between requests",
        kind="number", default=0.0, most=60,
    ),
    "max_body_mb": Option(
        meaning="The largest answer taken, in MB.", label="Largest answer", default=64, least=1, most=1024,
    ),
}  # fmt: skip
"""The options every connector takes."""


def checked_options(given: Mapping[str, Any], known: Mapping[str, Option], *, system: str) -> dict[str, Any]:
    """The given options with the defaults of the others. Raises ConfigurationError naming what is wrong."""
    every = {**COMMON, **known}
    if unknown := sorted(set(given) - set(every)):
        raise ConfigurationError(f"{system} has no option {', '.join(unknown)}. It has: {', '.join(sorted(every))}.")
    for name, value in given.items():
        if fault := _fault(every[name], value):
            raise ConfigurationError(f"The option {name} of {system} must be {fault}.")
    return {name: given.get(name, option.default) for name, option in every.items()}


def limits(options: Mapping[str, Any]) -> Limits:
    """How patient the client of an integration with these checked options is."""
    seconds = float(options["timeout_s"])
    return Limits(
        connect_s=min(5.0, seconds),
        read_s=seconds,
        body_s=5 * seconds,
        body_bytes=int(options["max_body_mb"]) << 20,
        at_once=int(options["max_at_once"]),
        interval_s=float(options["min_interval_s"]),
    )


def _fault(option: Option, value: Any) -> str:
    """What the value must be instead, "" when it fits."""
    if option.kind == "choice":
        return "" if value in option.choices else f"one of {', '.join(option.choices)}"
    if option.kind == "codes":
        fits = isinstance(value, list) and all(isinstance(one, str) for one in value)
        return "" if fits else "a list of texts"
    if option.kind == "boolean":
        return "" if isinstance(value, bool) else "true or false"
    if option.kind in ("text", "url"):
        return "" if isinstance(value, str) else "a text"
    if option.kind == "json":
        return "" if isinstance(value, dict) else 'a JSON object, such as {"name": "value"}'
    number = isinstance(value, int if option.kind == "integer" else (int, float))
    if not number or isinstance(value, bool) or not option.least <= value <= option.most:
        whole = "whole " if option.kind == "integer" else ""
        return f"a {whole}number from {option.least:g} to {option.most:g}"
    return ""
