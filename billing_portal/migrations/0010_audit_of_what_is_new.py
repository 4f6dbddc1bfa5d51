"""Beat's schedule for the hourly audit of what is new, and the index that leads it to charges."""

from typing import Any

from django.db import migrations

NAME, TASK = "Check the invariants of what is new", "billing_portal.audit_since_checkpoint"


def create(apps: Any, schema_editor: Any) -> None:
    interval, _ = apps.get_model("django_celery_beat", "IntervalSchedule").objects.get_or_create(
        every=1, period="hours"
    )
    apps.get_model("django_celery_beat", "PeriodicTask").objects.get_or_create(
        name=NAME, defaults={"task": TASK, "interval": interval, "expire_seconds": 600}
    )


def remove(apps: Any, schema_editor: Any) -> None:
    apps.get_model("django_celery_beat", "PeriodicTask").objects.filter(name=NAME).delete()


class Migration(migrations.Migration):
    dependencies = [
        ("billing_portal", "0009_daily_spend_schedule"),
        ("djstripe", "0001_initial"),
    ]
    operations = [
        migrations.RunPython(create, remove),
        migrations.RunSQL(
            "CREATE INDEX charges_by_change ON djstripe_charge (djstripe_updated)",
            "DROP INDEX charges_by_change",
        ),
    ]
