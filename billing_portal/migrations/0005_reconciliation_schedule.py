"""Beat's schedule for comparing Stripe's payments with ours."""

from typing import Any

from django.db import migrations

NAME, TASK = "Compare payments with Stripe", "billing_portal.reconcile"


def create(apps: Any, schema_editor: Any) -> None:
    interval, _ = apps.get_model("django_celery_beat", "IntervalSchedule").objects.get_or_create(
        every=24, period="hours"
    )
    apps.get_model("django_celery_beat", "PeriodicTask").objects.get_or_create(
        name=NAME,
        # Once a day: a worker that is busy just then does it later, not a day later.
        defaults={"task": TASK, "interval": interval, "expire_seconds": 6 * 3600},
    )


def remove(apps: Any, schema_editor: Any) -> None:
    apps.get_model("django_celery_beat", "PeriodicTask").objects.filter(name=NAME).delete()


class Migration(migrations.Migration):
    dependencies = [("billing_portal", "0004_card_schedules")]
    operations = [migrations.RunPython(create, remove)]
