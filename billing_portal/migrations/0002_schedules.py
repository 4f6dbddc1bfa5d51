"""Beat's schedules: one tick a minute each, as intervals (crontabs skip and double).

Dueness is decided by queries in the services, so the ticks only have to come often enough. Staff
may change or switch them off in the admin: later migrations leave existing rows alone.
"""

from typing import Any

from django.db import migrations

TASKS = {
    "Heartbeat": "billing_portal.heartbeat",
    "Renew subscriptions": "plans.renew_due",
    "Refill wallets": "wallet.refill_due",
    "Ask Stripe about open payments": "invoices.sweep",
    "Finish card verifications": "accounts.finish_verifications",
    "Send e-mails": "accounts.deliver_messages",
}


def create(apps: Any, schema_editor: Any) -> None:
    interval, _ = apps.get_model("django_celery_beat", "IntervalSchedule").objects.get_or_create(
        every=1, period="minutes"
    )
    soon, _ = apps.get_model("django_celery_beat", "IntervalSchedule").objects.get_or_create(
        every=10, period="seconds"
    )
    for name, task in TASKS.items():
        apps.get_model("django_celery_beat", "PeriodicTask").objects.get_or_create(
            name=name,
            defaults={
                "task": task,
                "interval": soon if task == "accounts.deliver_messages" else interval,
                # A tick that could not be taken in time is worth nothing: the next one does it all.
                "expire_seconds": 60,
            },
        )


def remove(apps: Any, schema_editor: Any) -> None:
    apps.get_model("django_celery_beat", "PeriodicTask").objects.filter(name__in=TASKS).delete()


class Migration(migrations.Migration):
    dependencies = [
        ("billing_portal", "0001_initial"),
        ("django_celery_beat", "0019_alter_periodictasks_options"),
    ]
    operations = [migrations.RunPython(create, remove)]
