"""Integrations, their runs, and what every run saw and changed."""

from .identity import ExternalIdentity, KeepEnrolled, MatchDecision, SourceRecord, UnmappedCode
from .integration import Integration, SchoolConnection
from .job import ScheduledJob, SchedulePause
from .run import Change, RecordIssue, RunPage, SyncRun

__all__ = [
    "Change",
    "ExternalIdentity",
    "Integration",
    "KeepEnrolled",
    "MatchDecision",
    "RecordIssue",
    "RunPage",
    "ScheduledJob",
    "SchedulePause",
    "SchoolConnection",
    "SourceRecord",
    "SyncRun",
    "UnmappedCode",
]
