"""Beat's schedule for what the delivery log has kept for long enough."""

from typing import Any

from django.db import migrations

NAME, TASK = "Forget old delivery attempts", "accounts.forget_delivery_attempts"


def create(apps: Any, schema_editor: Any) -> None:
    interval, _ = apps.get_model("django_celery_beat", "IntervalSchedule").objects.get_or_create(
        every=24, period="hours"
    )
    apps.get_model("django_celery_beat", "PeriodicTask").objects.get_or_create(
        name=NAME, defaults={"task": TASK, "interval": interval}
    )


def remove(apps: Any, schema_editor: Any) -> None:
    apps.get_model("django_celery_beat", "PeriodicTask").objects.filter(name=NAME).delete()


class Migration(migrations.Migration):
    dependencies = [("billing_portal", "0005_reconciliation_schedule")]
    operations = [migrations.RunPython(create, remove)]
