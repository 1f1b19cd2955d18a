"""Ships the default data entity mappings into a database that lacks them."""

from __future__ import annotations

from typing import Any

from django.db import migrations

from mapping.defaults import ship


def forwards(apps: Any, _schema_editor: Any) -> None:
    ship(apps.get_model("mapping", "DataEntityMapping"), apps.get_model("mapping", "DataEntityMappingValue"))


class Migration(migrations.Migration):
    dependencies = [("mapping", "0001_initial")]
    # Backwards they stay: integrations may use them, and forwards again finds them.
    operations = [migrations.RunPython(forwards, migrations.RunPython.noop, elidable=False)]
