from django.db import migrations

import integrations.secrets


class Migration(migrations.Migration):
    dependencies = [
        ("integrations", "0004_groups_may_schedule"),
    ]

    operations = [
        migrations.AddField(
            model_name="integration",
            name="url_secret",
            field=integrations.secrets.EncryptedTextField(blank=True, default="", editable=False),
        ),
    ]
