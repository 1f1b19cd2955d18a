"""The groups the console ships with, and what each may do."""

from __future__ import annotations

from typing import Any

LOOK = {
    "students": (
        "student",
        "contact",
        "studentcontact",
        "family",
        "enrollment",
        "school",
        "academicyear",
        "fieldownership",
        "fieldlock",
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
    ),
}
EDIT = {
    "students": (
        "student",
        "contact",
        "studentcontact",
        "enrollment",
        "school",
        "academicyear",
        "fieldownership",
        "fieldlock",
    ),
    "mapping": ("dataentitymapping", "dataentitymappingvalue"),
    "integrations": ("integration", "schoolconnection"),
}
VIEW = tuple(f"{app}.view_{model}" for app, models in LOOK.items() for model in models)
WRITE = tuple(
    f"{app}.{verb}_{model}" for app, models in EDIT.items() for model in models for verb in ("add", "change", "delete")
)
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
    that do not exist yet are made here.
    """
    group_model = apps.get_model("auth", "Group")
    for name, codes in GROUPS.items():
        group, _ = group_model.objects.get_or_create(name=name)
        group.permissions.add(*(_permission(apps, code) for code in codes))


def _permission(apps: Any, code: str) -> Any:
    app, _, codename = code.partition(".")
    verb, _, model = codename.partition("_")
    named = {"run_import": "Can run an import", "approve_held_run": "Can approve, discard and undo runs"}
    if codename in named:
        model, label = "integration", named[codename]
    else:
        label = f"Can {verb} {apps.get_model(app, model)._meta.verbose_name_raw}"
    kind, _ = apps.get_model("contenttypes", "ContentType").objects.get_or_create(app_label=app, model=model)
    permission, _ = apps.get_model("auth", "Permission").objects.get_or_create(
        content_type=kind, codename=codename, defaults={"name": label}
    )
    return permission
