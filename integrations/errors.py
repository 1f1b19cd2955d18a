"""What can go wrong between us and a student information system, and whether to try again.

Every message says what happened, to whom, and what to do; none holds a secret or a student's data
beyond the id. ``retryable`` is a property of the type.
"""

from __future__ import annotations

from typing import ClassVar


class IntegrationError(Exception):
    """Something a registrar or an administrator can act on.

    code: a stable snake_case key for counting. message: one sentence for a person.
    """

    code: ClassVar[str] = "integration_error"
    retryable: ClassVar[bool] = False

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class UnexpectedError(IntegrationError):
    """A fault of the console itself; trying the same again would meet it again."""

    code = "unexpected"


class ConfigurationError(IntegrationError):
    """The integration's settings cannot work; a person must change them."""

    code = "configuration"


class AddressRefused(ConfigurationError):
    """The Url is not https, or points at an address we do not connect to."""

    code = "address_refused"


class CertificateRefused(ConfigurationError):
    """The system's TLS certificate cannot be trusted; its administrator must mend it."""

    code = "certificate_refused"


class AuthenticationFailed(IntegrationError):
    """The system refused the credentials."""

    code = "auth_failed"


class PermissionMissing(IntegrationError):
    """The credentials are good, but lack a permission that only the district can grant."""

    code = "not_permitted"


class WrongSystem(IntegrationError):
    """The answer is not what this kind of system answers: a wrong Url or another product."""

    code = "wrong_system"


class TenantChanged(IntegrationError):
    """The system answers for another district or school year than the one asked for."""

    code = "tenant_changed"


class RequestRefused(IntegrationError):
    """The system understood the request and refused it, for a reason of its own that the message tells."""

    code = "refused"


class NotFound(IntegrationError):
    """The system has no such record."""

    code = "not_found"


class SystemUnavailable(IntegrationError):
    """The system did not answer, or not usably; trying again later may help.

    retry_after_s: seconds the system asked us to wait, or None. sent: False when the request certainly
    was not executed (no connection, refused for its rate), so that even a write may be sent again.
    """

    code = "sis_unavailable"
    retryable = True

    def __init__(self, message: str, *, retry_after_s: float | None = None, sent: bool = True) -> None:
        super().__init__(message)
        self.retry_after_s, self.sent = retry_after_s, sent


class RateLimited(SystemUnavailable):
    """The system asked us to slow down for longer than a request may wait."""

    code = "rate_limited"


class UnusableAnswer(SystemUnavailable):
    """The system answered something unreadable: a web page, cut or invalid JSON, another shape."""

    code = "unusable_answer"


class AnswerTooLarge(UnusableAnswer):
    """The system sent more than we take in one answer; asking for less may help."""


class RecordError(Exception):
    """One record cannot be read; the rest of the page can.

    code: a reason code such as ``missing_required`` or ``bad_date``. field: the vendor's field name.
    """

    def __init__(self, code: str, field: str, message: str) -> None:
        super().__init__(message)
        self.code, self.field, self.message = code, field, message


class RunRefused(Exception):
    """A run cannot be started, approved, discarded or undone; the message tells a person why."""

    code = "run_refused"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class RunOpen(RunRefused):
    """The integration already has an open run; ``run`` is its primary key."""

    code = "run_open"

    def __init__(self, message: str, *, run: int) -> None:
        super().__init__(message)
        self.run = run
