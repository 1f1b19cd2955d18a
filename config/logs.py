"""How a log line looks: time, level, logger, message; of an exception its kind and place, not its words."""

from __future__ import annotations

import copy
import logging
import traceback
from types import TracebackType

_ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


class CodesOnly(logging.Formatter):
    """A formatter that never prints the text of an exception.

    A database names the row that broke a constraint, a parser the value it could not read: a child's data.
    The kind of the exception and the lines it passed through are enough to find the fault.
    """

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        """One line, or several with the places of an exception."""
        if isinstance(record.args, dict) and "exc" in record.args:
            # Celery puts the exception's text and traceback into the message of a failed task.
            record = copy.copy(record)
            failure = record.exc_info[0] if record.exc_info else None
            record.args = {
                **record.args,  # type: ignore[dict-item]
                "exc": failure.__name__ if failure else "",
                "traceback": "",
                "args": "",
                "kwargs": "",
            }
        return super().format(record)

    def formatException(self, ei: _ExcInfo) -> str:
        """The kinds and places of the exception and its causes, outermost first."""
        lines: list[str] = []
        error = ei[1]
        while error is not None:
            lines += [
                f"  {frame.filename}:{frame.lineno} in {frame.name}"
                for frame in traceback.extract_tb(error.__traceback__)
            ]
            lines.append(f"{type(error).__module__}.{type(error).__qualname__}")
            error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
        return "\n".join(lines)
