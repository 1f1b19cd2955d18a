"""Code sets of the invented Aeries district, and the numbers behind its grade levels.

Race, language and status codes are those seen in public payloads (CALPADS numbers); descriptions are ours.
"""

from __future__ import annotations

from typing import Any

ORDINALS = (
    "Kindergarten",
    "First",
    "Second",
    "Third",
    "Fourth",
    "Fifth",
    "Sixth",
    "Seventh",
    "Eighth",
    "Ninth",
    "Tenth",
    "Eleventh",
    "Twelfth",
)
# number -> (code, long description)
GRADES: dict[int, tuple[str, str]] = {
    -2: ("PS", "Preschool"),
    -1: ("TK", "Transitional Kindergarten"),
    0: ("K", "Kindergarten"),
    **{number: (str(number), f"{ORDINALS[number]} Grade") for number in range(1, 13)},
    13: ("13", "Reserved for Graduating Seniors"),
}
RACES = {
    "100": "American Indian or Alaska Native",
    "201": "Chinese",
    "202": "Japanese",
    "203": "Korean",
    "204": "Vietnamese",
    "205": "Asian Indian",
    "206": "Laotian",
    "207": "Cambodian",
    "208": "Hmong",
    "299": "Other Asian",
    "301": "Hawaiian",
    "302": "Guamanian",
    "303": "Samoan",
    "304": "Tahitian",
    "399": "Other Pacific Islander",
    "400": "Filipino",
    "600": "Black or African American",
    "700": "White",
    "999": "Missing or declined",
}
LANGUAGES = {
    "00": "English",
    "01": "Spanish",
    "02": "Vietnamese",
    "03": "Cantonese",
    "04": "Korean",
    "05": "Filipino",
}
STATUSES = {
    "*": "Pre-enrolled for next year",
    "B": "Both inactive",
    "E": "Early leaver",
    "F": "Foreign exchange",
    "G": "Graduated",
    "I": "Inactive",
    "K": "Kindergarten delayed",
    "L": "Left the state",
    "N": "No show",
    "O": "Other district",
    "S": "Summer only",
    "T": "Transferred",
    "U": "Unknown",
    "X": "Exited",
}
PROGRAMS = {
    "S": "Secondary enrollment",
    "T": "Special program",
    "C": "Concurrent",
    "H": "Home hospital",
    "I": "Independent study",
}
RELATIONSHIPS = {
    "10": "Mother",
    "11": "Father",
    "13": "Stepmother",
    "14": "Stepfather",
    "20": "Grandparent",
    "23": "Other adult relative",
    "25": "Other adult",
    "99": "Other",
}

# table -> (letters of the column, property without "Code") -> codes; RC1 to RC5 share one set
SETS: dict[str, dict[tuple[str, str], dict[str, str]]] = {
    "STU": {
        ("GR", "Grade"): {code: long for code, long in GRADES.values()},
        ("GN", "Gender"): {"M": "Male", "F": "Female", "N": "Non-binary", "X": "Nonspecified"},
        ("ETH", "Ethnicity"): {"Y": "Hispanic or Latino", "N": "Not Hispanic or Latino"},
        **{(f"RC{place}", f"Race{place}"): RACES for place in range(1, 6)},
        ("HL", "HomeLanguage"): LANGUAGES,
        ("CL", "CorrespondenceLanguage"): LANGUAGES,
        ("TG", "InactiveStatus"): STATUSES,
        ("SP", "AttendanceProgramPrimary"): PROGRAMS,
        ("AP1", "AttendanceProgramAdditional1"): PROGRAMS,
        ("AP2", "AttendanceProgramAdditional2"): PROGRAMS,
        ("LF", "LanguageFluency"): {
            "E": "English only",
            "I": "Initially fluent",
            "L": "English learner",
            "R": "Redesignated",
            "T": "To be determined",
        },
        ("PED", "ParentEdLevel"): {
            "10": "Graduate school",
            "11": "College graduate",
            "12": "Some college",
            "13": "High school graduate",
            "14": "Not high school graduate",
            "15": "Declined",
        },
    },
    "CON": {
        ("RL", "RelationshipToStudent"): RELATIONSHIPS,
        ("MT", "MailTag"): {"A": "All mail", "G": "Grades only"},
        ("CD", "Misc"): {"R": "Restraining note"},
        ("LW", "LivesWithStudentIndicator"): {"Y": "Yes", "N": "No"},
    },
}
TABLES = {"stu": "STU", "student": "STU", "students": "STU", "contact": "CON", "contacts": "CON"}
RETIRED = {"302"}


def code_rows(table: str, name: str) -> list[dict[str, Any]]:
    """The rows of /codes/{table}/{name}; [] for a table or field without codes.

    Tables by letters or object name, fields by letters or property name, with or without "Code", in any case.
    """
    letters = TABLES.get(table.lower(), "")
    wanted = name.lower().replace("correspondance", "correspondence").replace("code", "")
    for (short, full), codes in SETS.get(letters, {}).items():
        if wanted in (short.lower(), full.lower()):
            numbers = {code: str(number) for number, (code, _) in GRADES.items()} if short == "GR" else {}
            return [
                _code_row(letters, short, code, text, place, numbers.get(code, ""))
                for place, (code, text) in enumerate(codes.items())
            ]
    return []


def _code_row(table: str, field: str, code: str, text: str, place: int, aeries: str) -> dict[str, Any]:
    languages = {f"CorrespondenceLanguageCode{number}": "" for number in range(1, 7)}
    texts = {f"DescriptionForLanguage{number}": "" for number in range(1, 7)}
    return {
        "Table": table,
        "Field": field,
        "Code": code,
        "Description": text,
        "Category": "",
        "SortOrder": place,
        "Status": "I" if code in RETIRED else "",
        "AeriesCode": aeries,
        "NumericValue": 0.0,
        **languages,
        **texts,
    }
