"""One style for reading (Nov 3, 2026) and one for typing (11/03/2026), on every screen."""

from __future__ import annotations

DATE_FORMAT = SHORT_DATE_FORMAT = "M j, Y"
TIME_FORMAT = "g:i A"
DATETIME_FORMAT = SHORT_DATETIME_FORMAT = "M j, Y, g:i A"
# The first is how a stored date is shown in its box; the others are understood too.
DATE_INPUT_FORMATS = ["%m/%d/%Y", "%Y-%m-%d", "%m/%d/%y", "%b %d, %Y", "%B %d, %Y"]
