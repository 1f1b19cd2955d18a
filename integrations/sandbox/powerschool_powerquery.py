"""PowerQueries: a PowerSchool server with a plugin in it whose queries can be asked.

Sources: the official pages "PowerQueries" and "Plugin XML"; answers in the tests of grantholle/powerschool-api, in
StrongMind's fixtures and in Tulsa's ps-avela-enrollment; the queries of mennotech/fsenrollment-pssync. The select
of a query is run as it stands, over tables filled from the district. The plugin that is there from the start is the
one the console offers, its queries read as a district's administrator would; `sis.vendor.install(zip)` puts another
in its place. What is not documented and is a guess has a switch:

- `denied_fields` (empty): fields such as "students.ssn" that the plugin was not granted;
- `shape` ("declared"): how rows come: as the query declares, or always "flattened", "grouped", or "bare", which is
  flattened as without a core table;
- `numbers` (False): numbers are written as numbers and not as text (one public document shows it);
- `moments` (False): dates come with a time of day;
- `counts` (True): `count=true` is understood;
- `plugin` (True): the plugin is there.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

import msgspec

from integrations.sandbox.district import District
from integrations.sandbox.powerschool import PowerSchool
from integrations.sandbox.powerschool_plugin import Argument, Plugin, Query, installed, parsed_queries, used_fields
from integrations.sandbox.powerschool_query import Clause, QueryError, matches, parse
from integrations.sandbox.powerschool_rows import EXTENSIONS
from integrations.sandbox.powerschool_tables import Tables
from integrations.sandbox.vendor import Answer, Count, Page, Request, Result, route

SHIPPED = Path(__file__).resolve().parent.parent / "connectors" / "powerschool_query" / "queries"
KEYS = {"students": "dcid", "schools": "dcid", "person": "dcid"}
DATE = re.compile(r"\d{4}-\d\d-\d\d")
RESERVED = frozenset({"$q", "projection", "$dataversion", "$dataversion_applicationname"})
DEFAULT_PAGE = 100


class Refused(Exception):
    """A question that PowerSchool refuses with 400; the message says why."""


class PowerSchoolQuery(PowerSchool):
    """The PowerSchool SIS of the district, asked through the queries of a plugin."""

    key = "powerschool_query"
    switches: ClassVar[dict[str, Any]] = {
        **PowerSchool.switches,
        "access_level": "NONE",
        "denied_fields": (),
        "shape": "declared",
        "numbers": False,
        "moments": False,
        "counts": True,
        "plugin": True,
    }
    last_name = "last_name"
    identifiers = ("student_number", "state_studentnumber", "zip", "mailing_zip")
    dates = ("dob", "entrydate")

    def setup(self) -> None:
        """The server of the district with the console's plugin in it."""
        super().setup()
        self._plugin = _shipped()
        self._tables: dict[District, Tables] = {}

    def install(self, plugin: bytes) -> None:
        """Put the plugin of a zip file in the place of the one there. PluginError says what is wrong with it."""
        self._plugin = installed(plugin)
        self.switch["access_level"] = self._plugin.access_level

    def error(self, status: int, message: str) -> Answer:
        """An error as the queries word it."""
        return self.json({"message": message}, status)

    def school_of(self, request: Request) -> int | None:
        """The number of the school asked for, in the path or among the arguments."""
        data = request.data()
        number = str(data.get("school", "")) if isinstance(data, dict) else ""
        return int(number) if number.isdigit() else super().school_of(request)

    @route("GET", r"/ws/schema/query/api")
    def listing(self, request: Request) -> Result:
        """The queries there are. The shape is inferred."""
        return self.json({"queries": [{"name": name} for name in sorted(self._queries)]})

    @route("POST", r"/ws/schema/query/(?P<query>[\w.]+)/count")
    def query_count(self, request: Request) -> Result:
        """How many rows the query without `/count` gives."""
        query, rows = self._asked(request)
        if isinstance(rows, Answer):
            return rows
        return Count(len(rows), lambda value: b'{"count":%d}' % value, school=self.school_of(request))

    @route("POST", r"/ws/schema/query/(?P<query>[\w.]+)")
    def query(self, request: Request) -> Result:
        """The rows of a query, 100 to a page; with pagesize=0 all of them, whatever the page."""
        query, rows = self._asked(request)
        if isinstance(rows, Answer) or query is None:
            return rows if isinstance(rows, Answer) else self.error(404, "No such query.")
        try:
            rows = _ordered(rows, request.query.get("order", ""), query)
            page, size = (_whole(request, *one) for one in (("page", 1), ("pagesize", DEFAULT_PAGE)))
        except Refused as refused:
            return self.error(400, str(refused))
        counted = self.switch["counts"] and request.query.get("count", "").lower() == "true"
        start, stop = (0, len(rows)) if size == 0 else ((page - 1) * size, page * size)
        head = b'"name":"%b",' % query.core_table.encode() if query.core_table and self._shape(query) != "bare" else b""
        tail = b'"@extensions":"%b"' % _extensions(query) + (b',"count":%d' % len(rows) if counted else b"")
        encoded = [msgspec.json.encode(self._row(row, query, place)) for place, row in enumerate(rows)]

        def wrap(found: Sequence[bytes]) -> bytes:
            records = b'"record":[%b],' % b",".join(found) if found else b""
            return b"{%b%b%b}" % (head, records, tail)

        return Page(encoded, start, stop, wrap=wrap, school=self.school_of(request))

    @property
    def _queries(self) -> dict[str, Query]:
        return self._plugin.queries if self.switch["plugin"] else {}

    def _asked(self, request: Request) -> tuple[Query | None, list[tuple[Any, ...]] | Answer]:
        """The query and its rows, or the refusal."""
        name = request.args["query"]
        query = self._queries.get(name)
        if query is None:
            return None, self.error(404, f"Query {name} was not found.")
        granted = self._plugin.fields - {one.lower() for one in self.switch["denied_fields"]}
        if missing := [column for column, _ in query.columns if column not in granted]:
            errors = [{"resource": name, "field": one, "code": "No access to the field"} for one in missing]
            return query, self.json({"message": "Validation Failed", "errors": errors}, 403)
        tables = self._tables.setdefault(request.district, Tables(request.district))
        try:
            data = request.data()
            if not isinstance(data, dict):
                raise Refused("The body must be a JSON object.")
            (sql, values), clauses = _statement(query, data), _clauses(query, data)
            rows = tables.rows(sql, values)
            return query, [row for row in rows if matches(clauses, _facts(query, row))] if clauses else rows
        except (Refused, QueryError, sqlite3.Error) as refused:
            return query, self.error(400, str(refused))

    def _shape(self, query: Query) -> str:
        if self.switch["shape"] != "declared":
            return str(self.switch["shape"])
        return ("flattened" if query.core_table else "bare") if query.flattened else "grouped"

    def _row(self, row: tuple[Any, ...], query: Query, place: int) -> dict[str, Any]:
        shape, cells = self._shape(query), list(zip(query.columns, row, strict=True))
        shown = [(column, alias, self._value(value)) for (column, alias), value in cells if value is not None]
        if shape == "bare":
            return {alias.lower(): value for _, alias, value in shown}
        core = query.core_table
        key = f"{core}.{KEYS.get(core, f'{core}id')}"
        number = next((value for (column, _), value in cells if column == key), place + 1)
        if shape == "flattened":
            return {"_name": core, "_id": number, **{alias.lower(): value for _, alias, value in shown}}
        tables: dict[str, dict[str, Any]] = {}
        for column, alias, value in shown:
            tables.setdefault(column.partition(".")[0], {})[alias.lower()] = value
        return {"id": number, "name": core, "tables": tables}

    def _value(self, value: Any) -> Any:
        if isinstance(value, int):
            return value if self.switch["numbers"] else str(value)
        if self.switch["moments"] and DATE.fullmatch(value):
            return f"{value} 00:00:00.0"
        return value


@lru_cache(maxsize=1)
def _shipped() -> Plugin:
    files = sorted(SHIPPED.glob("*.named_queries.xml"))
    queries = {one.name: one for path in files for one in parsed_queries(path.name, path.read_bytes())}
    return Plugin("Shipped", "NONE", queries, used_fields(queries))


def _whole(request: Request, name: str, default: int) -> int:
    text = request.query.get(name, "") or str(default)
    if not text.isdigit():
        raise Refused(f"{name} must be a whole number.")
    return int(text)


def _statement(query: Query, data: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """The select with a mark for each value, and the values. Raises Refused for bad arguments."""
    known = {one.name for one in query.arguments} | RESERVED
    if unknown := sorted(set(data) - known):
        raise Refused(f"Unknown argument: {', '.join(unknown)}.")
    sql, values = query.sql, dict[str, Any]()
    for one in query.arguments:
        given = _given(one, data)
        marks = [f"{one.name}_{place}" for place in range(len(given))]
        values |= dict(zip(marks, given, strict=True))
        sql = re.sub(rf":{one.name}\b", ", ".join(f":{mark}" for mark in marks), sql)
    return sql, values


def _given(argument: Argument, data: Mapping[str, Any]) -> list[int | str]:
    """The values of one argument; those that look like numbers as numbers."""
    value = data.get(argument.name, argument.default)
    if value is None:
        if argument.required:
            raise Refused(f"The argument {argument.name} is required.")
        return [""]
    if isinstance(value, (list, dict)) and not argument.many:
        raise Refused(f"The argument {argument.name} takes one value.")
    texts = [str(one) for one in value] if isinstance(value, list) else str(value).split(",")
    return [int(text) if re.fullmatch(r"-?\d+", text) else text for text in texts]


def _clauses(query: Query, data: Mapping[str, Any]) -> tuple[Clause, ...]:
    """The conditions of `$q`: AND only, no lists, no blank value."""
    text = str(data.get("$q", ""))
    if re.search(r"[(),]", text):
        raise Refused("$q has no lists and no OR.")
    return parse(text, fields={alias.lower(): "text" for _, alias in query.columns})


def _facts(query: Query, row: tuple[Any, ...]) -> dict[str, str]:
    cells = zip(query.columns, row, strict=True)
    return {alias.lower(): "" if value is None else str(value).lower() for (_, alias), value in cells}


def _ordered(rows: list[tuple[Any, ...]], order: str, query: Query) -> list[tuple[Any, ...]]:
    """The rows by `order`, a list of columns, each with `;desc` or not."""
    places = {alias.lower(): place for place, (_, alias) in enumerate(query.columns)}
    places |= {column: place for place, (column, _) in enumerate(query.columns)}
    for part in reversed([one for one in order.split(",") if one.strip()]):
        name, _, direction = part.strip().lower().partition(";")
        if name not in places or direction not in ("", "asc", "desc"):
            raise Refused(f"Cannot order by {part.strip()}.")
        place = places[name]
        rows = sorted(rows, key=lambda row: (row[place] is None, row[place] or 0), reverse=direction == "desc")
    return rows


def _extensions(query: Query) -> bytes:
    return ",".join(EXTENSIONS).encode() if query.core_table == "students" else b""
