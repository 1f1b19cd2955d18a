"""Who may see the review queue."""

from django.db import migrations

from integrations.groups import create_groups


class Migration(migrations.Migration):
    dependencies = [("integrations", "0008_match_decisions")]

    operations = [migrations.RunPython(create_groups, migrations.RunPython.noop)]
