"""Which academic year an integration imports, and how that is told."""

from __future__ import annotations

import datetime as dt

import msgspec

from integrations.errors import ConfigurationError
from integrations.models import Integration, SyncRun
from integrations.models.run import APPLIED
from students.models import AcademicYear

AUTOMATIC = "Automatic, by date"
HOLIDAYS = dt.timedelta(days=120)


class Imported(msgspec.Struct, frozen=True, kw_only=True):
    """The academic year an integration imports. began: the later year that has begun although an older one is
    chosen, else None.
    """

    year: str
    chosen: bool
    began: str | None = None
    began_on: dt.date | None = None

    @property
    def words(self) -> str:
        """The year, and why it is this one."""
        return f"{self.year} ({'chosen' if self.chosen else 'by date'})"

    @property
    def warning(self) -> str:
        """One sentence for an integration left on a year that is over, "" when there is nothing to say."""
        if self.began is None or self.began_on is None:
            return ""
        day = f"{self.began_on.day} {self.began_on:%B %Y}"
        return f"{self.year} is chosen as the academic year imported, although {self.began} began on {day}."


def year_of(day: dt.date) -> AcademicYear:
    """The academic year a day falls in, made (1 July to 30 June) when none is known."""
    found = AcademicYear.objects.containing(day)
    if found is not None:
        return found
    autumn = day.year if day.month >= 7 else day.year - 1
    return AcademicYear.objects.get_or_create(
        name=f"{autumn}-{autumn + 1}",
        defaults={"starts": dt.date(autumn, 7, 1), "ends": dt.date(autumn + 1, 6, 30)},
    )[0]


def imported_year(integration: Integration, *, today: dt.date) -> AcademicYear:
    """The year a run that starts on a day imports: the chosen one, else the one the day falls in."""
    return integration.year or year_of(today)


def imported(integration: Integration, *, today: dt.date) -> Imported:
    """The year the integration imports on a day, as screens tell it. Nothing is stored."""
    if integration.year is None:
        known = AcademicYear.objects.containing(today)
        autumn = today.year if today.month >= 7 else today.year - 1
        return Imported(year=known.name if known else f"{autumn}-{autumn + 1}", chosen=False)
    later = AcademicYear.objects.filter(starts__lte=today, starts__gt=integration.year.starts)
    began = later.order_by("-starts").first()
    if began is None and integration.year.ends < today:
        began = AcademicYear.objects.containing(today)
    if began is None:
        return Imported(year=integration.year.name, chosen=True)
    return Imported(year=integration.year.name, chosen=True, began=began.name, began_on=began.starts)


def autumn_of(year: AcademicYear) -> int:
    """The calendar year in whose autumn an academic year lies, as connectors are told it."""
    return year.starts.year if year.starts.month <= 10 else year.starts.year + 1


def first_day(year: AcademicYear) -> dt.date:
    """The first day that counts to a year: the holidays before it do, up to four months."""
    before = (
        AcademicYear.objects.filter(ends__lt=year.starts, ends__gte=year.starts - HOLIDAYS).order_by("-ends").first()
    )
    return before.ends + dt.timedelta(days=1) if before else year.starts


def refuse_an_earlier_year(integration: Integration, year: AcademicYear) -> None:
    """Raises ConfigurationError when the integration has already imported a later year than this one."""
    done = SyncRun.objects.filter(
        integration=integration, kind=SyncRun.Kind.IMPORT, dry_run=False, status__in=APPLIED,
        year__starts__gt=year.starts,
    )  # fmt: skip
    later = done.select_related("year").order_by("-year__starts").first()
    if later is not None and later.year is not None:
        raise ConfigurationError(
            f"{integration.name} has already imported {later.year.name}, so {year.name} cannot be imported any more. "
            f"Choose {later.year.name} as its academic year, or undo the imports of {later.year.name} first."
        )
