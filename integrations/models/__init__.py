"""Integrations, their runs, and what every run saw and changed."""

from .identity import ExternalIdentity, KeepEnrolled, SourceRecord, UnmappedCode
from .integration import Integration, SchoolConnection
from .run import Change, RecordIssue, RunPage, SyncRun

__all__ = [
    "Change",
    "ExternalIdentity",
    "Integration",
    "KeepEnrolled",
    "RecordIssue",
    "RunPage",
    "SchoolConnection",
    "SourceRecord",
    "SyncRun",
    "UnmappedCode",
]
