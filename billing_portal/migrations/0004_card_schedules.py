"""Beat's schedule for telling whose default card is about to expire."""

from typing import Any

from django.db import migrations

NAME, TASK = "Tell of expiring cards", "accounts.tell_expiring_cards"


def create(apps: Any, schema_editor: Any) -> None:
    interval, _ = apps.get_model("django_celery_beat", "IntervalSchedule").objects.get_or_create(
        every=24, period="hours"
    )
    apps.get_model("django_celery_beat", "PeriodicTask").objects.get_or_create(
        name=NAME, defaults={"task": TASK, "interval": interval, "expire_seconds": 3600}
    )


def remove(apps: Any, schema_editor: Any) -> None:
    apps.get_model("django_celery_beat", "PeriodicTask").objects.filter(name=NAME).delete()


class Migration(migrations.Migration):
    dependencies = [("billing_portal", "0003_reversal_schedules")]
    operations = [migrations.RunPython(create, remove)]
