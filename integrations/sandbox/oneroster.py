"""A OneRoster provider: the rostering service of 1.1 or 1.2, with OAuth 1.0a or OAuth 2, or a zip of CSV files.

Sources: the 1EdTech OneRoster 1.1 and 1.2 specifications (REST and CSV bindings) and what public clients accept.
Where providers differ there is a switch:

- `version` ("1.2"), `auth` ("oauth2"; "oauth1" with 1.1 only), `signatures` (both HMACs);
- `granted` (all three scopes of the roster): without "roster-demographics.readonly" /demographics answers 403;
- `paging` ("both"): "link" sends no X-Total-Count, "count" no Link, "none" neither;
- `clamp` (0): the most rows of a page, silently; `most` (10000): a larger limit is refused with 400;
- `sorting` (True): False refuses `sort`; `filters` (True): False ignores `filter`;
- `booleans` ("string"; "json", "upper"), `empties` ("omit"; "null", "blank"), `grades` ("ceds"; "plain"),
  `state_id` ("userIds"; "master"): how objects are written;
- `wrapped` (False): errors stand inside imsx_StatusInfo;
- `link_host` (""): the host of Link addresses, as behind a proxy that does not tell its own;
- `token_seconds` (3600), `expires_as_text` (False);
- `csv` (""): "bulk" or "delta" makes the service URL answer with a zip; `csv_*`: see oneroster_csv.

Switches may be changed while the server runs. Inferred: tombstones stay for ever; that a child who left one
school only is no tombstone; `sourcedId` as last sort key.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Sequence
from typing import Any, ClassVar
from urllib.parse import parse_qs, quote, unquote, urlsplit

from integrations.sandbox.district import District
from integrations.sandbox.oneroster_auth import CORE, PEOPLE, ROSTER, SCOPE, SCOPES, Signatures, Tokens
from integrations.sandbox.oneroster_csv import Export, zipped
from integrations.sandbox.oneroster_filter import FilterError, parse, value_at
from integrations.sandbox.oneroster_rows import COLLECTIONS, SERVICE, Row, Style, build
from integrations.sandbox.vendor import Answer, Page, Request, Result, Vendor, route

CLIENTS = uuid.UUID("5c3e6a7e-04b5-4d13-8d0e-2b6f3a1c7e55")
BASE = r"/ims/oneroster/(?P<service>v1p1|rostering/v1p2)"
ONE = r"(?P<id>[^/]+)"
FILE = "/export/oneroster.zip"
VIEWS: dict[str, tuple[str, Callable[[Row], bool]]] = {
    "schools": ("orgs", lambda row: row["type"] == "school"),
    "students": ("users", lambda row: _has_role(row, "student")),
    "teachers": ("users", lambda row: _has_role(row, "teacher")),
    "terms": ("academicSessions", lambda row: row["type"] in ("term", "semester")),
    "gradingPeriods": ("academicSessions", lambda row: row["type"] == "gradingPeriod"),
}
SINGLE = {
    "orgs": "org", "academicSessions": "academicSession", "courses": "course", "classes": "class", "users": "user",
    "enrollments": "enrollment", "demographics": "demographics",
}  # fmt: skip
NAMES = "|".join((*COLLECTIONS, *VIEWS))
MINOR = {401: "unauthorisedrequest", 403: "forbidden", 404: "unknownobject", 429: "server_busy"}


class OneRoster(Vendor):
    """The OneRoster service of the district."""

    key, base = "oneroster", ""
    switches: ClassVar[dict[str, Any]] = {
        "version": "1.2", "auth": "oauth2", "signatures": ("HMAC-SHA256", "HMAC-SHA1"), "granted": SCOPES,
        "paging": "both", "clamp": 0, "most": 10_000, "sorting": True, "filters": True, "booleans": "string",
        "empties": "omit", "grades": "ceds", "state_id": "userIds", "wrapped": False, "link_host": "",
        "token_seconds": 3600, "expires_as_text": False, "csv": "", "csv_since": "", "csv_encoding": "utf-8",
        "csv_missing": (), "csv_absent": (), "csv_renamed": {}, "csv_folder": "", "csv_filled": False, "csv_broken": "",
        "csv_bad_bytes": {},
    }  # fmt: skip
    last_name = "familyName"
    identifiers = ("identifier", "userMasterIdentifier", "phone", "sms")
    dates = ("birthDate", "dateLastModified")

    def setup(self) -> None:
        """Make the client's credentials: the same for the same seed of the district."""
        seed = self.district.seed
        self.client = (uuid.uuid5(CLIENTS, f"key {seed}").hex, uuid.uuid5(CLIENTS, f"secret {seed}").hex)
        self._tokens, self._signatures = Tokens(self.client), Signatures(self.client)
        self._built: dict[District, tuple[int, Style, dict[str, dict[str, Row]]]] = {}

    def address(self) -> str:
        """The service of the version, or where the zip is."""
        return FILE if self.switch["csv"] else SERVICE[self.switch["version"]]

    def credentials(self) -> dict[str, str]:
        """Key and secret, as consumer token and consumer secret."""
        return {"consumer_token": self.client[0], "consumer_secret": self.client[1]}

    def options(self, url: str) -> dict[str, Any]:
        """The version, and where tokens are given; no such address with OAuth 1.0a."""
        parts = urlsplit(url)
        token_url = f"{parts.scheme}://{parts.netloc}/oauth/token?appName=console"
        return {"version": self.switch["version"], "token_url": token_url if self.switch["auth"] == "oauth2" else ""}

    def authenticate(self, request: Request) -> Answer | None:
        """401 without a valid token or signature, 403 without the scope of the path."""
        if self.switch["auth"] == "oauth1":
            return None if self._signatures.valid(request, self.switch["signatures"]) else self.unauthorized()
        scopes = self._tokens.scopes(request)
        if scopes is None:
            return self.unauthorized()
        needed = {ROSTER} if request.args.get("inner") else {ROSTER, CORE}
        if request.args.get("name") == "demographics":
            needed = {PEOPLE}
        prefix = SCOPE[self.switch["version"]]
        return None if scopes & {prefix + one for one in needed} else self.error(403, "The scope does not allow this.")

    def error(self, status: int, message: str, *, minor: str = "") -> Answer:
        """An error as the specifications have it, flat or wrapped."""
        code = minor or MINOR.get(status, "internal_server_error" if status >= 500 else "invaliddata")
        if self.switch["version"] == "1.1":
            code = {"server_busy": "targetreadfailure", "forbidden": "unsupportedoperation"}.get(code, code)
        field = {"imsx_codeMinorFieldName": "TargetEndSystem", "imsx_codeMinorFieldValue": code}
        body: Row = {
            "imsx_codeMajor": "failure",
            "imsx_severity": "error",
            "imsx_description": message,
            "imsx_CodeMinor": {"imsx_codeMinorField": [field]},
        }
        if self.switch["version"] == "1.1":
            body["imsx_messageRefIdentifier"] = str(uuid.uuid4())
        return self.json({"imsx_StatusInfo": body} if self.switch["wrapped"] else body, status)

    def revoke(self) -> None:
        """Make every token invalid; there are none with OAuth 1.0a."""
        self._tokens.revoke()

    @route("POST", r"/oauth/token", open=True)
    def token(self, request: Request) -> Result:
        """A token for client credentials, RFC 6749."""
        form = parse_qs(request.body.decode("utf-8", "replace"))
        if form.get("grant_type") != ["client_credentials"]:
            return self.json({"error": "unsupported_grant_type"}, 400)
        if not self._tokens.knows(request):
            return self.json({"error": "invalid_client"}, 401)
        prefix = SCOPE[self.switch["version"]]
        wanted = form.get("scope", [""])[0].split()
        seconds = self.faults.setting("F50", "seconds", self.switch["token_seconds"])
        token, scopes = self._tokens.give(wanted, [prefix + one for one in self.switch["granted"]], float(seconds))
        if not scopes:
            return self.json({"error": "invalid_scope"}, 400)
        lasts = str(seconds) if self.switch["expires_as_text"] else seconds
        found = {"access_token": token, "token_type": "bearer", "expires_in": lasts, "scope": " ".join(scopes)}
        return self.json(found)

    @route("GET", r"/ims/oneroster/rostering/v1p2/discovery/(?:onerosterv1p2rostersservice|imsorv1p2_rostering)_openapi3_v1p0\.json", open=True)  # fmt: skip  # noqa: E501
    def discovery(self, _request: Request) -> Result:
        """The description of the 1.2 service; only its head."""
        return self.json({"openapi": "3.0.0", "info": {"title": "OneRoster Rostering Service", "version": "1.2"}})

    @route("GET", FILE)
    def file(self, request: Request) -> Result:
        """The zip of CSV files, while the switch is on."""
        if not self.switch["csv"]:
            return self.error(404, "There is no such file.")
        settings = {name.removeprefix("csv_"): value for name, value in self.switch.items() if name.startswith("csv_")}
        export = Export(version=self.switch["version"], delta=self.switch["csv"] == "delta", **settings)
        return Answer(200, zipped(self._objects(request.district), export), "application/zip")

    @route("GET", rf"{BASE}/(?P<name>{NAMES})")
    def collection(self, request: Request) -> Result:
        """One of the collections."""
        name, keep = self._view(request.args["name"])
        rows = [row for row in self._objects(request.district)[name].values() if keep(row)]
        return self._listed(request, name, rows)

    @route("GET", rf"{BASE}/(?P<name>{NAMES})/{ONE}")
    def single(self, request: Request) -> Result:
        """One object."""
        name, keep = self._view(request.args["name"])
        found = self._objects(request.district)[name].get(unquote(request.args["id"]))
        if found is None or not keep(found):
            return self._unknown(request)
        return self.json({SINGLE[name]: self._written(found)}, rows=1)

    @route("GET", rf"{BASE}/schools/(?P<school>[^/]+)/(?P<inner>students|teachers|classes|courses|enrollments|terms)")
    @route("GET", rf"{BASE}/(?P<outer>classes|courses|students|teachers|users|terms)/{ONE}/(?P<inner>students|teachers|classes|gradingPeriods)")  # fmt: skip  # noqa: E501
    @route("GET", rf"{BASE}/schools/(?P<school>[^/]+)/classes/{ONE}/(?P<inner>enrollments|students|teachers)")
    def inside(self, request: Request) -> Result:
        """What belongs to a school, class, course, user or term; 404 where there is no such one."""
        found, args = self._objects(request.district), request.args
        name, keep = self._view(args["inner"])
        parents = [
            ("orgs", args.get("school", "")),
            (self._view(args.get("outer") or "classes")[0], args.get("id", "")),
        ]
        known = [(kind, unquote(key)) for kind, key in parents if key]
        if any(key not in found[kind] for kind, key in known):
            return self._unknown(request)
        rows = [row for row in found[name].values() if keep(row)]
        for kind, key in known:
            belongs = _belonging(name, kind, key, found)
            rows = [row for row in rows if belongs(row)]
        school = int(args["school"]) if args.get("school", "").isdigit() else None
        return self._listed(request, name, rows, school=school)

    def _view(self, name: str) -> tuple[str, Callable[[Row], bool]]:
        return VIEWS.get(name, (name, lambda row: True))

    def _unknown(self, request: Request) -> Answer:
        return self.error(404, f"There is no {request.args.get('name') or 'such object'}.")

    def _objects(self, district: District) -> dict[str, dict[str, Row]]:
        style = Style(self.switch["version"], self.switch["grades"], self.switch["state_id"])
        known = self._built.get(district)
        if known is None or known[:2] != (district.version, style):
            known = self._built[district] = (district.version, style, build(district, style))
        return known[2]

    def _listed(self, request: Request, name: str, rows: list[Row], *, school: int | None = None) -> Result:
        """A page of these objects as the parameters ask for them."""
        try:
            rows = self._chosen(request, rows)
            limit, offset = self._window(request)
        except FilterError as error:
            return self.error(400, str(error), minor=_minor_of(str(error), self.switch["version"]))
        fields = [one for one in request.query.get("fields", "").split(",") if one]
        shown = [
            json.dumps(self._written(row, fields), ensure_ascii=False, separators=(",", ":")).encode() for row in rows
        ]
        by = sum(fault.settings["by"] for fault in self.faults.take(("F43",), request.full_path))
        return Page(
            shown, offset, offset + limit, wrap=lambda page: b'{"%b":[%b]}' % (name.encode(), b",".join(page)),
            school=school, headers=self._headers(request, limit, offset, len(rows) + by),
        )  # fmt: skip

    def _chosen(self, request: Request, rows: list[Row]) -> list[Row]:
        query = request.query
        if query.get("filter") and self.switch["filters"]:
            passes = parse(query["filter"])
            rows = [row for row in rows if passes(row)]
        field = query.get("sort", "")
        if field and not self.switch["sorting"]:
            raise FilterError("sort is not supported.")
        backwards = query.get("orderBy") == "desc"
        rows = sorted(rows, key=lambda row: str(row["sourcedId"]))
        return sorted(rows, key=lambda row: str(value_at(row, field) or ""), reverse=backwards) if field else rows

    def _window(self, request: Request) -> tuple[int, int]:
        texts = request.query.get("limit", "100"), request.query.get("offset", "0")
        if not all(text.isdigit() for text in texts) or not 1 <= int(texts[0]) <= self.switch["most"]:
            raise FilterError(f"limit must be a number from 1 to {self.switch['most']}, offset one from 0.")
        limit = int(texts[0])
        return min(limit, self.switch["clamp"]) if self.switch["clamp"] else limit, int(texts[1])

    def _headers(self, request: Request, limit: int, offset: int, total: int) -> dict[str, str]:
        found = {"X-Total-Count": str(total)} if self.switch["paging"] in ("both", "count") else {}
        if self.switch["paging"] not in ("both", "link"):
            return found
        places = {"first": 0, "last": max(0, (total - 1) // limit * limit)}
        if offset + limit < total:
            places["next"] = offset + limit
        if offset:
            places["prev"] = max(0, offset - limit)
        host = self.switch["link_host"] or f"http://{request.headers.get('host', '')}"
        others = {name: value for name, value in request.query.items() if name not in ("limit", "offset")}
        links = []
        for name in ("next", "prev", "first", "last"):
            if name in places:
                pairs = {**others, "limit": str(limit), "offset": str(places[name])}
                text = "&".join(f"{quote(key)}={quote(value)}" for key, value in pairs.items())
                links.append(f'<{host}{request.full_path}?{text}>; rel="{name}"')
        return {**found, "Link": ", ".join(links)}

    def _written(self, row: Row, fields: Sequence[str] = ()) -> Row:
        """An object as this provider writes booleans and what is absent."""
        written = {name: self._value(value) for name, value in row.items() if not fields or name in fields}
        if self.switch["empties"] == "omit":
            return {name: value for name, value in written.items() if value is not None}
        if self.switch["empties"] == "blank":
            return {name: "" if value is None else value for name, value in written.items()}
        return written

    def _value(self, value: Any) -> Any:
        if isinstance(value, bool):
            if self.switch["booleans"] == "json":
                return value
            return str(value).upper() if self.switch["booleans"] == "upper" else str(value).lower()
        if isinstance(value, list):
            return [self._written(one) if isinstance(one, dict) else one for one in value]
        return value


def _has_role(row: Row, role: str) -> bool:
    return row.get("role") == role or any(one["role"] == role for one in row.get("roles", ()))


def _belonging(name: str, kind: str, key: str, found: dict[str, dict[str, Row]]) -> Callable[[Row], bool]:
    """Whether an object of a collection belongs to one of another, by its kind and sourcedId."""
    if name == "academicSessions":
        return lambda row: kind == "orgs" or value_at(row, "parent.sourcedId") == key
    if name == "courses":
        mine = [one for one in found["classes"].values() if value_at(one, "school.sourcedId") == key]
        taught = {value_at(one, "course.sourcedId") for one in mine}
        return lambda row: row["sourcedId"] in taught
    if kind == "orgs" and name == "users":
        paths = ("orgs.sourcedId", "roles.org.sourcedId")
        return lambda row: any(key in (value_at(row, path) or ()) for path in paths)
    if kind == "academicSessions":
        return lambda row: key in (value_at(row, "terms.sourcedId") or ())
    if kind == "orgs" or name == "enrollments" or kind == "courses":
        path = {"orgs": "school", "courses": "course"}.get(kind, "class")
        return lambda row: bool(value_at(row, f"{path}.sourcedId") == key)
    mine_is, other = ("class", "user") if kind == "classes" else ("user", "class")
    joined = {
        value_at(one, f"{other}.sourcedId")
        for one in found["enrollments"].values()
        if value_at(one, f"{mine_is}.sourcedId") == key
    }
    return lambda row: row["sourcedId"] in joined


def _minor_of(message: str, version: str) -> str:
    if message.startswith("sort"):
        return "invalid_sort_field" if version == "1.1" else "invalid_selection_field"
    if "filter" in message:
        return "invalid_filter_field" if version == "1.2" else "invalid_selection_field"
    return "invaliddata"
