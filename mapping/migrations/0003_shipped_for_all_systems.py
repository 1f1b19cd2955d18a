"""Ships the default data entity mappings of the systems that came later."""

from __future__ import annotations

from typing import Any

from django.db import migrations

from mapping.defaults import ship


def forwards(apps: Any, _schema_editor: Any) -> None:
    ship(apps.get_model("mapping", "DataEntityMapping"), apps.get_model("mapping", "DataEntityMappingValue"))


class Migration(migrations.Migration):
    dependencies = [("mapping", "0002_shipped")]
    # Backwards they stay, as in 0002.
    operations = [migrations.RunPython(forwards, migrations.RunPython.noop, elidable=False)]
