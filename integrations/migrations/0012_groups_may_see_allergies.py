"""Who may see and edit allergies."""

from django.db import migrations

from integrations.groups import create_groups


class Migration(migrations.Migration):
    dependencies = [("integrations", "0011_year_of_runs"), ("students", "0004_merges")]

    operations = [migrations.RunPython(create_groups, migrations.RunPython.noop)]
