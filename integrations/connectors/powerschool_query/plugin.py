"""The plugin a district installs: the queries the connector asks, and the fields they read. Sources: the README."""

from __future__ import annotations

import io
import re
import zipfile
from functools import cache
from pathlib import Path
from xml.sax.saxutils import quoteattr

FOLDER = Path(__file__).resolve().parent / "queries"
PREFIX = "org.sisconsole.sync."
SCHOOLS, FIND, CODES = "schools.list", "students.enrollments", "codes.list"
ROSTER, RACES, EMAILS = "students.roster", "students.races", "students.emails"
CONTACTS, PHONES = "students.contacts", "students.phones"
CONTACT_EMAILS, ADDRESSES = "students.contact_emails", "students.addresses"
ALLERGIES = "students.allergies"
OPTIONAL: dict[str, tuple[str, ...]] = {
    "emails": (EMAILS,),
    "contacts": (CONTACTS, PHONES, CONTACT_EMAILS, ADDRESSES),
    "allergies": (ALLERGIES,),
}
"""What a district may leave out, and the queries it needs."""

FILE_NAME = "sis-console-sync-plugin.zip"
NAME, VERSION = "SIS Console Sync", "1.1"
DESCRIPTION = "Lets SIS Console read students, enrollments, contacts and allergies. It changes nothing."
PUBLISHER, CONTACT = "SIS Console", "sis-console@example.org"
FIRST_DAY = (1980, 1, 1, 0, 0, 0)
COLUMN = re.compile(r'column="(\w+)\.(\w+)"')
SELECT = re.compile(r"<!\[CDATA\[(.*)\]\]>", re.DOTALL)
NAMED = re.compile(r"\b(?:from|join) (\w+) (\w+)")
USED = re.compile(r"\b(\w+)\.(\w+)\b")


def queries(*, emails: bool = True, contacts: bool = True, allergies: bool = True) -> tuple[str, ...]:
    """The queries an integration asks, without the prefix all names have: for the schools, for one student, and
    for the students of a school, the roster before the others."""
    chosen = {"emails": emails, "contacts": contacts, "allergies": allergies}
    more = [name for option, names in OPTIONAL.items() if chosen[option] for name in names]
    return (SCHOOLS, FIND, ROSTER, RACES, *more)


def installed_queries(*, emails: bool = True, contacts: bool = True, allergies: bool = True) -> tuple[str, ...]:
    """The queries the plugin brings: those that are asked, and with contacts the one for their codes."""
    asked = queries(emails=emails, contacts=contacts, allergies=allergies)
    return (*asked, CODES) if contacts else asked


@cache
def definition(name: str) -> str:
    """The file that defines a query, as XML."""
    return (FOLDER / f"{name}.named_queries.xml").read_text("utf-8")


@cache
def fields(name: str) -> frozenset[tuple[str, str]]:
    """Every (table, field) a query reads, in capitals: those it shows, asks by and joins by."""
    text = definition(name)
    found = SELECT.search(text)
    select = found[1] if found else ""
    tables = {alias: table for table, alias in NAMED.findall(select)}
    joined = {(tables[alias], field) for alias, field in USED.findall(select) if alias in tables}
    return frozenset((table.upper(), field.upper()) for table, field in {*COLUMN.findall(text), *joined})


def field_line(table: str, field: str) -> str:
    """The line of plugin.xml that asks for one field to be read."""
    return f'<field table="{table.upper()}" field="{field.upper()}" access="ViewOnly"/>'


def plugin_zip(*, emails: bool = True, contacts: bool = True, allergies: bool = True) -> bytes:
    """The plugin as a zip file for PowerSchool's page of plugins; the same choice gives the same bytes.

    It asks for the fields its queries read and for nothing else, and for no level of the V1 API.
    """
    names = installed_queries(emails=emails, contacts=contacts, allergies=allergies)
    asked = sorted({one for name in names for one in fields(name)})
    files = {"plugin.xml": _plugin_xml([field_line(*one) for one in asked])}
    files |= {f"queries_root/{PREFIX}{name}.named_queries.xml": definition(name) for name in sorted(names)}
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, text in files.items():
            archive.writestr(zipfile.ZipInfo(name, FIRST_DAY), text)
    return made.getvalue()


def _plugin_xml(lines: list[str]) -> str:
    head = " ".join(
        f"{key}={quoteattr(value)}"
        for key, value in {
            "xmlns": "http://plugin.powerschool.pearson.com",
            "name": NAME,
            "version": VERSION,
            "description": DESCRIPTION,
        }.items()
    )
    return "\n".join((
        '<?xml version="1.0" encoding="UTF-8"?>',
        f"<plugin {head}>",
        "  <oauth/>",
        "  <access_request>",
        *(f"    {line}" for line in lines),
        "  </access_request>",
        f"  <publisher name={quoteattr(PUBLISHER)}><contact email={quoteattr(CONTACT)}/></publisher>",
        "</plugin>",
        "",
    ))  # fmt: skip
