"""A run, the pages it read, the changes it planned and the issues it found."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from students.models import AcademicYear, Student

from .integration import Integration


class Status(models.TextChoices):
    """Where a run stands."""

    QUEUED = "queued", "Queued"
    FETCHING = "fetching", "Fetching"
    PLANNED = "planned", "Planned (dry run)"
    HELD = "held", "Held for approval"
    APPLYING = "applying", "Applying"
    COMPLETE = "complete", "Complete"
    COMPLETE_WITH_ISSUES = "complete_with_issues", "Complete with issues"
    PARTIAL = "partial", "Partial"
    FAILED = "failed", "Failed"
    CANCELLED = "cancelled", "Cancelled"
    DISCARDED = "discarded", "Discarded"
    SUPERSEDED = "superseded", "Superseded"
    UNDONE = "undone", "Undone"


OPEN = (Status.QUEUED, Status.FETCHING, Status.APPLYING)
APPLIED = (Status.COMPLETE, Status.COMPLETE_WITH_ISSUES, Status.PARTIAL)
REVIEWED = ("possible_match", "identity_conflict", "possible_duplicate", "duplicate_in_source")
"""Issues in which a person has to say whose record it is."""


class SyncRunQuerySet(models.QuerySet["SyncRun"]):
    """Sets of runs."""

    def open(self) -> SyncRunQuerySet:
        """Runs that a worker is at, or should be."""
        return self.filter(status__in=OPEN)

    def expired(self) -> SyncRunQuerySet:
        """Open runs whose lease nobody has renewed in time."""
        return self.open().filter(Q(lease_expires__isnull=True) | Q(lease_expires__lt=timezone.now()))


class SyncRun(models.Model):
    """One execution of an import, pictures or undo for one integration.

    counts: the wire counts. certificate: what proves the snapshot complete, per school. guard: limits and
    reasons for holding. checkpoint: where to go on after a kill. rules_hash: everything in settings and
    mappings that can change the result. not_before: a run given back to the queue waits until then.
    ask_first: the plan waits for the person who asked for it, however small it is. year: the academic year it
    imports, None for what imports no enrollments and as long as the run has not begun.
    """

    class Kind(models.TextChoices):
        IMPORT = "import", "Import"
        PICTURES = "pictures", "Pictures"
        UNDO = "undo", "Undo"
        EXPORT = "export", "Export"
        TEST = "test", "Test record"

    class Trigger(models.TextChoices):
        PERSON = "person", "A person"
        SCHEDULE = "schedule", "Schedule"
        COMMAND = "command", "Command"

    class Lane(models.TextChoices):
        INBOUND = "inbound", "Inbound"
        OUTBOUND = "outbound", "Outbound"

    integration = models.ForeignKey(Integration, on_delete=models.PROTECT, related_name="runs")
    kind = models.CharField(max_length=10, choices=Kind, default=Kind.IMPORT)
    lane = models.CharField(max_length=10, choices=Lane, default=Lane.INBOUND)
    trigger = models.CharField(max_length=10, choices=Trigger, default=Trigger.PERSON)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    approved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    undoes = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT, related_name="undone_by")
    status = models.CharField(max_length=24, choices=Status, default=Status.QUEUED)
    year = models.ForeignKey(
        AcademicYear, verbose_name="academic year", null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    dry_run = models.BooleanField(default=False)
    ask_first = models.BooleanField(default=False)
    scope_schools = models.JSONField("only these schools", default=list, blank=True)
    scope_students = models.JSONField("only these students", default=list, blank=True)
    counts = models.JSONField(default=dict, blank=True)
    certificate = models.JSONField(default=dict, blank=True)
    guard = models.JSONField(default=dict, blank=True)
    plan_hash = models.CharField(max_length=64, blank=True)
    rules_hash = models.CharField(max_length=64, blank=True)
    checkpoint = models.JSONField(default=dict, blank=True)
    lease_owner = models.CharField(max_length=120, blank=True)
    lease_expires = models.DateTimeField(null=True, blank=True)
    fence = models.PositiveIntegerField(default=0)
    not_before = models.DateTimeField(null=True, blank=True)
    created = models.DateTimeField(default=timezone.now)
    started = models.DateTimeField(null=True, blank=True)
    planned_at = models.DateTimeField(null=True, blank=True)
    finished = models.DateTimeField(null=True, blank=True)
    error_code = models.CharField(max_length=40, blank=True)
    error_message = models.TextField(blank=True)

    objects = SyncRunQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["integration", "lane"], condition=Q(status__in=OPEN), name="one_open_run_per_lane"
            ),
        ]
        indexes = [
            models.Index(fields=["integration", "-id"], name="run_of_integration"),
            models.Index(fields=["status"], name="run_status"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.pk} of {self.integration}"

    @property
    def scoped(self) -> bool:
        """Whether the run is limited to some schools or students; such a run never drops by absence."""
        return bool(self.scope_schools or self.scope_students)


class RunPage(models.Model):
    """One page of one school that a run has read and planned.

    school: the source's school code. external_ids: the ids seen, one a line; inactive_ids: those of them
    that are not current at this school. block: the decoded records that differ from what was last
    applied, compressed; emptied when the run has ended. digest: fingerprint of the page, compared on resume.
    """

    run = models.ForeignKey(SyncRun, on_delete=models.CASCADE, related_name="pages")
    resource = models.CharField(max_length=20, default="students")
    school = models.CharField(max_length=64)
    number = models.PositiveIntegerField()
    external_ids = models.TextField(blank=True)
    inactive_ids = models.TextField(blank=True)
    rows = models.PositiveIntegerField(default=0)
    digest = models.BigIntegerField(default=0)
    block = models.BinaryField(null=True)
    received = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["run", "resource", "school", "number"], name="a_page_is_read_once"),
        ]

    def __str__(self) -> str:
        return f"{self.school}, page {self.number} of run {self.run_id}"

    @property
    def ids(self) -> list[str]:
        """The external ids seen on the page, in the order read."""
        return self.external_ids.split("\n") if self.external_ids else []


class Change(models.Model):
    """The difference one run found for one student or contact.

    fields: ``{path: [before, after]}``; empty for a create, whose values stand in the page's block until it
    is applied and then in the row itself. target: the row's primary key once known. withheld: ``{path:
    [ours, theirs, why]}`` with why ``owned``, ``locked`` or ``conflict``. schools: our school codes.
    key and state_id: what finds the same person among the run's own creates. deferred: several schools speak of the
    student, so that the change waits until the last school is read; page_ids: the pages that do.
    """

    class Kind(models.TextChoices):
        CREATE = "create", "New"
        UPDATE = "update", "Changed"
        REOPEN = "reopen", "Returned"
        LEFT = "left", "Left, says the SIS"
        DROP = "drop", "Dropped: not in file"
        ENDED = "ended", "Year ended"
        DELETE = "delete", "Removed by undo"

    class Status(models.TextChoices):
        PLANNED = "planned", "Planned"
        APPLIED = "applied", "Applied"
        WITHHELD = "withheld", "Withheld"
        CONFLICT = "conflict", "Conflict"
        DISCARDED = "discarded", "Discarded"
        UNDONE = "undone", "Undone"

    run = models.ForeignKey(SyncRun, on_delete=models.CASCADE, related_name="changes")
    page = models.ForeignKey(RunPage, null=True, on_delete=models.CASCADE, related_name="changes")
    position = models.PositiveIntegerField(default=0)
    entity = models.CharField(max_length=8, default="student")
    target = models.BigIntegerField(null=True)
    student = models.ForeignKey(
        Student, null=True, on_delete=models.SET_NULL, db_constraint=False, related_name="changes"
    )
    schools = models.JSONField(default=list)
    deferred = models.BooleanField(default=False)
    page_ids = models.JSONField(default=list)
    external_id = models.CharField(max_length=64)
    kind = models.CharField(max_length=8, choices=Kind)
    fields = models.JSONField(default=dict)
    withheld = models.JSONField(default=dict)
    digest = models.CharField(max_length=64, blank=True)
    key = models.BigIntegerField(null=True)
    state_id = models.CharField(max_length=32, blank=True)
    status = models.CharField(max_length=10, choices=Status, default=Status.PLANNED)
    keep_reason = models.CharField(max_length=200, blank=True)
    applied_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["run", "entity", "external_id"], name="one_change_per_record_and_run"),
        ]
        indexes = [
            models.Index(fields=["entity", "target"], name="change_of_target"),
            models.Index(fields=["run", "kind", "status"], name="change_kind_of_run"),
            models.Index(fields=["run", "key"], condition=Q(key__isnull=False), name="change_key_of_run"),
            models.Index(fields=["run", "state_id"], condition=~Q(state_id=""), name="change_state_id_of_run"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.entity} {self.external_id}"


class RecordIssue(models.Model):
    """One problem of one record in one run, with what to do about it.

    severity ``error``: the record was not taken; ``warning``: one field was left as it was; ``run``: the
    run as a whole. schools: our school codes. candidate: the student the record may be. facts, where a person has
    to say whose record it is: ``records``, what each says in our codes, and ``others``, external ids of records it
    looks like.
    """

    class Severity(models.TextChoices):
        ERROR = "error", "Student not imported"
        WARNING = "warning", "Field not taken"
        RUN = "run", "Whole run"

    run = models.ForeignKey(SyncRun, on_delete=models.CASCADE, related_name="issues")
    page = models.ForeignKey(RunPage, null=True, on_delete=models.CASCADE, related_name="issues")
    external_id = models.CharField("SIS ID", max_length=64, blank=True)
    schools = models.JSONField(default=list)
    severity = models.CharField(max_length=8, choices=Severity)
    code = models.CharField(max_length=32)
    entity = models.CharField(max_length=16, blank=True)
    raw_code = models.CharField(max_length=120, blank=True)
    field = models.CharField(max_length=64, blank=True)
    candidate = models.ForeignKey(
        Student, null=True, blank=True, on_delete=models.SET_NULL, db_constraint=False, related_name="+"
    )
    message = models.TextField()
    remedy = models.TextField(blank=True)
    facts = models.JSONField(default=dict, blank=True)
    resolved = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["id"]
        verbose_name = "issue"
        indexes = [
            models.Index(fields=["run", "code"], name="issue_code_of_run"),
            models.Index(fields=["run", "severity", "external_id"], name="issue_record_of_run"),
            models.Index(fields=["external_id"], condition=Q(resolved=None, code__in=REVIEWED), name="issue_to_review"),
        ]

    def __str__(self) -> str:
        return self.message
