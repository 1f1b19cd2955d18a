"""Integrations, their runs, and what every run saw and changed."""

from .identity import ExternalIdentity, KeepEnrolled, NotTheSame, SourceRecord, UnmappedCode
from .integration import Integration, SchoolConnection
from .run import Change, RecordIssue, RunPage, SyncRun

__all__ = [
    "Change",
    "ExternalIdentity",
    "Integration",
    "KeepEnrolled",
    "NotTheSame",
    "RecordIssue",
    "RunPage",
    "SchoolConnection",
    "SourceRecord",
    "SyncRun",
    "UnmappedCode",
]
