"""The groups the console ships with, and what each may do."""

from __future__ import annotations

from typing import Any

LOOK = {
    "students": (
        "student",
        "contact",
        "studentcontact",
        "studentallergy",
        "family",
        "enrollment",
        "school",
        "academicyear",
        "fieldownership",
        "fieldlock",
        "studentmerge",
    ),
    "mapping": ("dataentitymapping", "dataentitymappingvalue"),
    "integrations": (
        "integration",
        "schoolconnection",
        "syncrun",
        "change",
        "recordissue",
        "unmappedcode",
        "keepenrolled",
        "externalidentity",
        "scheduledjob",
        "schedulepause",
        "matchdecision",
    ),
}
EDIT = {
    "students": (
        "student",
        "contact",
        "studentcontact",
        "studentallergy",
        "enrollment",
        "school",
        "academicyear",
        "fieldownership",
        "fieldlock",
        "studentmerge",
    ),
    "mapping": ("dataentitymapping", "dataentitymappingvalue"),
    "integrations": ("integration", "schoolconnection", "scheduledjob", "schedulepause"),
}
VIEW = tuple(f"{app}.view_{model}" for app, models in LOOK.items() for model in models)
WRITE = tuple(
    f"{app}.{verb}_{model}" for app, models in EDIT.items() for model in models for verb in ("add", "change", "delete")
)
NAMED = {"run_import": "Can run an import", "approve_held_run": "Can approve, discard and undo runs"}
"""Permissions of our own, all on the integration, by codename."""
RUN = ("integrations.run_import",)
APPROVE = (
    "integrations.approve_held_run",
    "integrations.change_keepenrolled",
    "integrations.delete_keepenrolled",
)

# The permissions on registrations join the two groups in the middle when registrations come.
GROUPS: dict[str, tuple[str, ...]] = {
    "Sync Service Full Access": (*VIEW, *WRITE, *RUN),
    "Sync Service Limited Access": (*VIEW, *RUN),
    "View Registrations": (),
    "Edit Registrations": (),
    "Approve Held Runs": (*VIEW, *APPROVE),
}


def create_groups(apps: Any, _schema_editor: Any = None) -> None:
    """Make the groups with their permissions; those that exist keep what they have and get what they lack.

    apps: a registry with auth and contenttypes. Permissions come into being after a migration, so those
    that do not exist yet are made here; those on models the registry does not know yet are left to a later
    migration.
    """
    group_model = apps.get_model("auth", "Group")
    known = {(model._meta.app_label, model._meta.model_name) for model in apps.get_models()}
    for name, codes in GROUPS.items():
        group, _ = group_model.objects.get_or_create(name=name)
        wanted = [code for code in codes if _model_of(code) in known]
        group.permissions.add(*(_permission(apps, code) for code in wanted))


def _model_of(code: str) -> tuple[str, str]:
    """App and model a permission is about."""
    app, _, codename = code.partition(".")
    return (app, "integration") if codename in NAMED else (app, codename.partition("_")[2])


def _permission(apps: Any, code: str) -> Any:
    app, _, codename = code.partition(".")
    verb, _, model = codename.partition("_")
    if codename in NAMED:
        model, label = "integration", NAMED[codename]
    else:
        label = f"Can {verb} {apps.get_model(app, model)._meta.verbose_name_raw}"
    kind, _ = apps.get_model("contenttypes", "ContentType").objects.get_or_create(app_label=app, model=model)
    permission, _ = apps.get_model("auth", "Permission").objects.get_or_create(
        content_type=kind, codename=codename, defaults={"name": label}
    )
    return permission
