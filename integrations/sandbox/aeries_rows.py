"""Renders the district as the objects of the Aeries API v5, in the documented order of their properties."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from integrations.sandbox.aeries_codes import GRADES
from integrations.sandbox.district import Address, Child, ContactLink, Enrollment, School

FILTERED = str.maketrans("", "", '"<>')


@dataclass(frozen=True, slots=True)
class Style:
    """How a server of some age words things; `back` counts school years before the current one."""

    old_spelling: bool = False
    at_risk_points: bool = False
    zero_dates: bool = False
    portal_account_id: bool = True
    permanent_id: bool = False
    back: int = 0

    @property
    def student_id(self) -> str:
        """The name of the district-wide student id; before version 5 of the API another one."""
        return "PermanentID" if self.permanent_id else "StudentID"

    @property
    def language(self) -> str:
        """The name of the correspondence language property; older servers misspell it."""
        return "CorrespondanceLanguageCode" if self.old_spelling else "CorrespondenceLanguageCode"

    def moment(self, day: date | None) -> str | None:
        """A date as Aeries prints it: midnight without a zone; none is null or, on old servers, year 1."""
        if day is None:
            return "0001-01-01T00:00:00" if self.zero_dates else None
        return f"{day:%Y-%m-%d}T00:00:00" if day.year > 999 else f"{day.isoformat()}T00:00:00"

    def earlier(self, day: date | None) -> str | None:
        """A date of the school year shown, moved back with it."""
        return self.moment(_years_before(day, self.back) if day else None)


def _years_before(day: date, years: int) -> date:
    return day.replace(year=day.year - years, day=min(day.day, 28)) if years else day


def text(value: str) -> str:
    """A text as the API lets it out: without quotation marks and angle brackets."""
    return value.translate(FILTERED)


def grade_words(grade: int) -> tuple[str, str]:
    """Short and long description of a grade number."""
    return GRADES.get(grade, (str(grade), f"Grade {grade}"))


def _address(prefix: str, address: Address) -> dict[str, Any]:
    street = f"{address.line1} {address.line2}" if address.line2 else address.line1
    return {
        prefix: text(street),
        f"{prefix}City": address.city,
        f"{prefix}State": address.state,
        f"{prefix}ZipCode": address.postal_code,
        f"{prefix}ZipExt": address.zip_ext,
    }


def _next_year(grade: int, school: School | None, number: int) -> dict[str, Any]:
    after = min(grade + 1, 13)
    stays = school is not None and after <= school.high_grade
    short, long = grade_words(after)
    return {
        "NextSchoolCode": number if stays else 999 if after == 13 else 0,
        "NextGrade": after,
        "NextGradeLevelShortDescription": short,
        "NextGradeLevelLongDescription": long,
    }


def student(child: Child, row: Enrollment, school: School | None, style: Style) -> dict[str, Any]:
    """One record of a child in a school: 78 properties."""
    grade = row.grade - style.back
    short, long = grade_words(grade)
    races = [*child.races[:5], "", "", "", "", ""]
    points: dict[str, Any] = {"AtRiskPoints": "0.0000"} if style.at_risk_points else {"EarlyWarningPoints": 0.0}
    hispanic = "" if child.hispanic is None else "Y" if child.hispanic else "N"
    parent = child.contacts[0].contact.email if child.contacts else ""
    return {
        style.student_id: child.id,
        "OldStudentID": 0,
        style.language: child.correspondence_language,
        "CounselorNumber": 0,
        "StudentPersonalEmailAddress": "",
        "SchoolCode": row.school,
        "StudentNumber": row.student_number,
        "StateStudentID": child.state_id,
        "LastName": text(child.last_name),
        "FirstName": text(child.first_name),
        "MiddleName": text(child.middle_name),
        "LastNameAlias": text(child.preferred_last_name),
        "FirstNameAlias": text(child.preferred_first_name),
        "MiddleNameAlias": "",
        "Gender": child.gender,
        "Grade": grade,
        "GradeLevelShortDescription": short,
        "GradeLevelLongDescription": long,
        "Birthdate": style.moment(child.birth_date),
        "ParentGuardianName": text(child.parent_guardian),
        "HomePhone": child.home_phone,
        "StudentMobilePhone": child.mobile_phone,
        **_address("MailingAddress", child.mailing),
        **_address("ResidenceAddress", child.residence),
        "AddressVerified": child.household % 50 == 0,
        "EthnicityCode": hispanic,
        **{f"RaceCode{place + 1}": races[place] for place in range(5)},
        **{f"UserCode{place}": "" for place in range(1, 14)},
        "SchoolEnterDate": style.earlier(row.entered),
        "SchoolLeaveDate": style.earlier(row.left),
        "DistrictEnterDate": style.moment(child.district_entered),
        "Track": "",
        "AttendanceProgramCodePrimary": row.program,
        "AttendanceProgramCodeAdditional1": "",
        "AttendanceProgramCodeAdditional2": "",
        "LockerNumber": "",
        "LowSchedulingPeriod": 0,
        "HighSchedulingPeriod": 9,
        "InactiveStatusCode": row.inactive_code,
        "FamilyKey": child.family_key,
        "LanguageFluencyCode": "E" if child.home_language == "00" else "L",
        "HomeLanguageCode": child.home_language,
        "ParentEdLevelCode": "",
        "ParentEmailAddress": parent,
        "StudentEmailAddress": child.email,
        "NetworkLoginID": "",
        **points,
        "HomeRoomTeacherNumber": "0",
        "NotificationPreferenceCode": "",
        **_next_year(grade, school, row.school),
        "RecordsReleaseCode": "",
    }


EXTENDED_BLANKS: tuple[tuple[str, Any], ...] = (
    ("BirthCity", ""),
    ("BirthStateCode", ""),
    ("BirthCountryCode", "US"),
    ("BirthdateVerificationMethodCode", ""),
    ("ReportingSchoolCode", 0),
    ("ResidenceSchool", 0),
    ("NextResidenceSchool", 0),
    ("LastSchool", 0),
    ("NextSchool", 0),
    ("NextAttendanceProgramCodePrimary", ""),
    ("NextAttendanceProgramCodeAdditional1", ""),
    ("NextAttendanceProgramCodeAdditional2", ""),
    ("InterIntraDistrictTransferCode", ""),
    ("InterIntraDistrictStateCode", ""),
    ("NextInterIntraDistrictTransferCode", ""),
    ("NextInterIntraDistrictStateCode", ""),
    ("EndOfYearStatusCode", ""),
    ("EndOfYearNextSchool", 0),
    ("SummerWithdrawalReasonCode", ""),
    ("SummerWithdrawalLeaveDate", None),
    ("SummerWithdrawalNextSchool", 0),
    ("HomeLanguageSurveyFirstLanguageCode", ""),
    ("HomeLanguageSurveyPrimaryLanguageCode", ""),
    ("HomeLanguageSurveyHomeLanguageCode", ""),
    ("HomeLanguageSurveyAdultLanguageCode", ""),
    ("HomeLanguageSurveyDate", None),
    ("USEnterDate", None),
    ("USSchoolEnterDate", None),
    ("StateSchoolEnterDate", None),
    ("GraduationCohort", ""),
    ("InitialNinthGradeEntryYear", ""),
    ("SchoolCompletionDate", None),
    ("SchoolCompletionStatusCode", ""),
    ("SchoolMobility", False),
    ("DistrictMobility", False),
    ("RecordAddedDateTime", None),
    ("RecordAddedSystem", ""),
    ("CountInCensusIndicator", ""),
)


def extended(child: Child, row: Enrollment, school: School | None, style: Style) -> dict[str, Any]:
    """The student record with the further properties of the extended end points."""
    plain = student(child, row, school, style)
    more = {name: style.moment(None) if value is None else value for name, value in EXTENDED_BLANKS}
    return {**plain, **more, "ReportingSchoolCode": row.school, "NextSchool": plain["NextSchoolCode"]}


def contact(child: Child, link: ContactLink, school: int, style: Style) -> dict[str, Any]:
    """One contact of one child: 77 properties, 76 on servers without portal accounts."""
    one, unset = link.contact, style.moment(None)
    lives = "" if link.lives_with is None else "Y" if link.lives_with else "N"
    portal = {"PortalAccountID": 0} if style.portal_account_id else {}
    return {
        style.student_id: child.id,
        "AdministrativeLockCode": "",
        "EnrolledTheStudentIndicator": "",
        "Birthdate": unset,
        "Occupation": "",
        "TuberculosisTestStatusCode": "",
        "TuberculosisTestExpirationDate": unset,
        "FingerprintStatusCode": "",
        "FingerprintDate": unset,
        **{f"UserCode{place}": "" for place in range(1, 9)},
        **portal,
        "MiscCode": "R" if link.restricted else "",
        "MailTagCode": "A" if link.receives_mail else "",
        "AddressTypeCode": "",
        **{f"AdditionalCommunicationTypeCode{place}": "" for place in range(1, 5)},
        **{f"AdditionalCommunicationDetail{place}": "" for place in range(1, 5)},
        "AddressVerificationDate": unset,
        "RecordAddedDate": unset,
        **{f"MilitaryUserFieldCode{place}": "" for place in range(1, 6)},
        "PrimaryContact1Field": "CellPhone" if one.mobile_phone else "",
        "PrimaryContact2Field": "",
        "PrimaryContact1Description": "",
        "PrimaryContact2Description": "",
        "EducationalRightsHolder": "Y" if link.lives_with else "",
        "AttendanceNotification": "",
        "PrimaryContact": "Y" if link.order == 1 else "",
        "SchoolCode": school,
        "SequenceNumber": link.sequence,
        "MailingName": text(one.mailing_name),
        "NamePrefix": one.prefix,
        "FirstName": text(one.first_name),
        "LastName": text(one.last_name),
        "MiddleName": text(one.middle_name),
        "NameSuffix": one.suffix,
        **_address("Address", one.address),
        "RelationshipToStudentCode": link.relationship,
        "LivesWithStudentIndicator": lives,
        "RedFlag": link.restricted,
        "HomePhone": one.home_phone,
        "WorkPhone": one.work_phone,
        "WorkPhoneExt": "",
        "CellPhone": one.mobile_phone,
        "Pager": "",
        "EmailAddress": one.email,
        "AccessToPortal": "",
        "ContactOrder": link.order,
        style.language: child.correspondence_language,
        "EmployerName": "",
        "EmployerLocation": "",
        "MilitaryBranchCode": "",
        "MilitaryRankCode": "",
        "MilitarySupervisorName": "",
        "MilitarySupervisorPhone": "",
        "MilitaryStatusCode": "",
        "NotificationPreferenceCode": "",
        "Comments": "Court order on file in the office." if link.restricted else "",
    }


def enrollment(
    child: Child,
    row: Enrollment,
    style: Style,
    *,
    year: int,
    grade: int,
    entered: date | None,
    left: date | None,
    exit_code: str,
) -> dict[str, Any]:
    """One row of the enrollment history, of the school year that begins in `year`."""
    return {
        style.student_id: child.id,
        "InterIntraDistrictStateCode": "",
        "NonpublicSchoolStateCode": "",
        "NextSchoolCode": 0,
        "ReportingSchoolCode": row.school,
        "SchoolCode": row.school,
        "StudentNumber": row.student_number,
        "AcademicYear": str(year),
        "Track": "",
        "AttendanceProgramCode": row.program,
        "AttendanceProgramCodeAdditional1": "",
        "AttendanceProgramCodeAdditional2": "",
        "Grade": grade,
        "ElementaryTeacherNumber": 0,
        "ElementaryTeacherName": "",
        "EnterDate": style.moment(entered),
        "LeaveDate": style.moment(left),
        "ExitReasonCode": exit_code,
        "InterIntraDistrictTransferCode": "",
    }


SCHOOL_BLANKS = (
    "RegionCode",
    "StateCharterNumber",
    "CharterStatusCode",
    "FederalTaxID",
    "FederalInformationProcessingStandardsCode",
    "QualityRatingAndImprovementSystemParticipationCode",
    "AccreditationStatusCode",
    "SchoolWebsite",
    "OrganizationCategoryCode",
    "SchoolCategoryCode",
    "LocalEducationAgencyTypeCode",
    "TitleIPartACode",
    "NSLPStatusCode",
    "NCESSchoolID",
    "CollegeBoardSchoolCode",
    "CampusEnrollmentTypeCode",
    "PreKSchoolTypeCode",
)


def school_object(school: School, year: int) -> dict[str, Any]:
    """One school: 48 properties; a school that teaches nobody has no terms."""
    real = school.kind == "school"
    address, high = school.address, school.high_grade >= 9
    return {
        **dict.fromkeys(SCHOOL_BLANKS, ""),
        "EarlyCollegeHighSchoolIndicator": False,
        "ScienceTechnologyEngineeringAndMathematicsIndicator": False,
        "PathwaysInTechnologyIndicator": False,
        "ShortName": school.name[:20].strip(),
        "UsingSectionStaffInMasterSchedule": False,
        "UsingSectionStaffInScheduling": False,
        "Terms": terms(school, year),
        "SchoolCode": school.number,
        "Name": school.name,
        "InactiveStatusCode": "" if school.active else "I",
        "Address": address.line1,
        "AddressCity": address.city,
        "AddressState": address.state,
        "AddressZipCode": address.postal_code,
        "AddressZipExt": address.zip_ext,
        "DoNotReport": not real,
        "StateCountyID": "10",
        "StateDistrictID": "99999",
        "StateSchoolID": f"{6_000_000 + school.number:07d}" if real else "",
        "LowGradeLevel": school.low_grade,
        "HighGradeLevel": school.high_grade,
        "PrincipalName": school.principal,
        "PrincipalEmailAddress": "",
        "AttendancePeriod": 2 if high else 0,
        "Tracks": 0,
        "ScheduleType": "MasterSchedule" if high else "Flexible" if school.high_grade >= 6 else "Elementary",
        "SessionType": "Summer" if school.kind == "summer" else "Regular",
        "AttendanceType": "Period" if high else "Daily",
        "AttendanceReporting": "Negative",
        "ScheduleBasis": "Semester" if high else "Trimester",
        "PhoneNumber": school.phone,
    }


def terms(school: School, year: int) -> list[dict[str, Any]]:
    """The terms of a school in the year that begins in autumn `year`: whole year, fall, spring."""
    if school.kind != "school" or not school.active:
        return []
    spans = (
        ("Y", "Year", date(year, 8, 13), date(year + 1, 6, 4)),
        ("F", "Fall", date(year, 8, 13), date(year, 12, 18)),
        ("S", "Spring", date(year + 1, 1, 5), date(year + 1, 6, 4)),
    )
    return [
        {
            "FirstHalfEndDate": None,
            "SecondHalfStartDate": None,
            "TrackTerms": [],
            "TermCode": code,
            "TermDescription": words,
            "StartDate": f"{start}T00:00:00",
            "EndDate": f"{end}T00:00:00",
        }
        for code, words, start, end in spans
    ]
