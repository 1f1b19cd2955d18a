"""A plugin as PowerSchool installs it: a zip file with the queries it adds and the fields it asks for.

Sources: the official pages "Plugin XML", "Plugin ZIP" and "PowerQueries", and the public plugin of
mennotech/fsenrollment-pssync. Names and limits are documented; that a table or field of a column is compared
without regard to case is seen.
"""

from __future__ import annotations

import io
import re
import zipfile
from dataclasses import dataclass, field
from xml.etree import ElementTree

NAMESPACE = "{http://plugin.powerschool.pearson.com}"
LIMITS = {"name": 40, "version": 20, "description": 256}
QUERIES = re.compile(r"queries_root/[^/]+\.named_queries\.xml")
REAL_COLUMN = re.compile(r"[A-Za-z0-9_]{1,30}\.[A-Za-z0-9_]{1,30}")


class PluginError(ValueError):
    """What keeps PowerSchool from installing a plugin; the message names it."""


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument of a query; `default` None means that there is none."""

    name: str
    column: str
    many: bool = False
    required: bool = False
    default: str | None = None


@dataclass(frozen=True, slots=True)
class Query:
    """One named query; `columns` are (table.field in lower case, alias as written) in the order of the select."""

    name: str
    core_table: str
    flattened: bool
    arguments: tuple[Argument, ...]
    columns: tuple[tuple[str, str], ...]
    sql: str


@dataclass(frozen=True, slots=True)
class Plugin:
    """What one plugin brings: its queries by name, its fields ("students.dcid"), its level for the v1 API."""

    name: str = ""
    access_level: str = "NONE"
    queries: dict[str, Query] = field(default_factory=dict)
    fields: frozenset[str] = frozenset()


def installed(plugin: bytes) -> Plugin:
    """The plugin in a zip file. PluginError says what PowerSchool would refuse."""
    try:
        with zipfile.ZipFile(io.BytesIO(plugin)) as archive:
            files = {name: archive.read(name) for name in archive.namelist()}
    except zipfile.BadZipFile:
        raise PluginError("The plugin is no zip file.") from None
    if "plugin.xml" not in files:
        raise PluginError("plugin.xml is not at the root of the zip file.")
    root = _xml("plugin.xml", files["plugin.xml"])
    if root.tag != f"{NAMESPACE}plugin":
        raise PluginError("plugin.xml holds no plugin.")
    for name, longest in LIMITS.items():
        if not 0 < len(root.get(name, "")) <= longest:
            raise PluginError(f"The {name} of the plugin must have 1 to {longest} characters.")
    publisher = root.find(f"{NAMESPACE}publisher")
    contact = root.find(f"{NAMESPACE}publisher/{NAMESPACE}contact")
    if publisher is None or not publisher.get("name") or contact is None or not contact.get("email"):
        raise PluginError("The plugin needs a publisher with the email of a contact.")
    if strange := sorted(name for name in files if name != "plugin.xml" and not QUERIES.fullmatch(name)):
        raise PluginError(f"The plugin holds files that do not belong to it: {', '.join(strange)}.")
    queries = [one for name in sorted(files) if name != "plugin.xml" for one in parsed_queries(name, files[name])]
    if len({one.name for one in queries}) < len(queries):
        raise PluginError("Two queries have one name.")
    oauth = root.find(f"{NAMESPACE}oauth")
    if oauth is None:
        raise PluginError("The plugin does not ask for OAuth.")
    return Plugin(
        root.get("name", ""), oauth.get("accessLevelV1Api", "NONE"), {one.name: one for one in queries}, _fields(root)
    )


def parsed_queries(name: str, content: bytes) -> list[Query]:
    """The queries of one file of a plugin. PluginError says what is wrong with it."""
    return [_query(one) for one in _xml(name, content).iter("query")]


def used_fields(queries: dict[str, Query]) -> frozenset[str]:
    """Every column these queries show, as table.field."""
    return frozenset(column for query in queries.values() for column, _ in query.columns)


def _xml(name: str, content: bytes) -> ElementTree.Element:
    try:
        return ElementTree.fromstring(content)  # noqa: S314 - a plugin of our own
    except ElementTree.ParseError as error:
        raise PluginError(f"{name} is no XML: {error}.") from None


def _fields(root: ElementTree.Element) -> frozenset[str]:
    found = set()
    for one in root.iter(f"{NAMESPACE}field"):
        named = f"{one.get('table', '')}.{one.get('field', '')}"
        if not REAL_COLUMN.fullmatch(named) or one.get("access") not in ("ViewOnly", "FullAccess"):
            raise PluginError(f"The plugin asks for a field that cannot be: {named}.")
        found.add(named.lower())
    return frozenset(found)


def _query(found: ElementTree.Element) -> Query:
    name, core = found.get("name", ""), found.get("coreTable", "").lower()
    columns = tuple((one.get("column", "").lower(), (one.text or "").strip()) for one in found.iter("column"))
    aliases = [alias.lower() for _, alias in columns]
    if name.count(".") < 4 or not columns or len(set(aliases)) < len(aliases):
        raise PluginError(f"The query {name} needs a name of five parts, and columns of different names.")
    for column, alias in columns:
        if not REAL_COLUMN.fullmatch(column) or ("." not in alias and not core):
            raise PluginError(f"The column {alias} of {name} needs a table and a field.")
    arguments = tuple(
        Argument(
            one.get("name", ""),
            one.get("column", "").lower(),
            one.get("type") == "array",
            one.get("required") == "true",
            one.get("default"),
        )
        for one in found.iter("arg")
    )
    sql = (found.findtext("sql") or "").strip()
    if not sql.lower().startswith("select"):
        raise PluginError(f"The query {name} selects nothing.")
    return Query(name, core, found.get("flattened") == "true", arguments, columns, sql)
