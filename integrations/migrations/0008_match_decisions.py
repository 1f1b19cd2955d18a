import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

KINDS = [("link", "Link"), ("new", "New"), ("not_the_same", "Not the same")]

REVIEWED = ("possible_match", "identity_conflict", "possible_duplicate", "duplicate_in_source")


class Migration(migrations.Migration):
    dependencies = [("integrations", "0007_groups_may_merge"), ("students", "0004_merges")]

    operations = [
        migrations.RenameModel("NotTheSame", "MatchDecision"),
        migrations.AlterModelOptions("matchdecision", {"ordering": ["-id"], "verbose_name_plural": "decided matches"}),
        migrations.AlterField("matchdecision", "external_id", models.CharField(max_length=64, verbose_name="SIS ID")),
        migrations.AddField(
            "matchdecision",
            "kind",
            models.CharField(choices=KINDS, default="not_the_same", max_length=12, verbose_name="decision"),
        ),
        migrations.AlterField(
            "matchdecision",
            "student",
            models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.CASCADE, related_name="+", to="students.student"
            ),
        ),
        migrations.AddField(
            "matchdecision",
            "issue",
            models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to="integrations.recordissue",
            ),
        ),
        migrations.AlterField("matchdecision", "created", models.DateTimeField(default=django.utils.timezone.now)),
        migrations.AddField("matchdecision", "given_up", models.JSONField(default=list)),
        migrations.AddField("recordissue", "facts", models.JSONField(blank=True, default=dict)),
        migrations.AddIndex(
            "recordissue",
            models.Index(
                condition=models.Q(code__in=REVIEWED, resolved=None), fields=["external_id"], name="issue_to_review"
            ),
        ),
        migrations.AddField("syncrun", "ask_first", models.BooleanField(default=False)),
    ]
