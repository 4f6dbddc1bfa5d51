"""Beat's schedules: a tick a minute for most, as intervals (crontabs skip and double).

Dueness is decided by queries in the services, so the ticks only have to come often enough. Staff
may change or switch them off in the admin: later migrations leave existing rows alone.
"""

from typing import Any

from django.db import migrations

#: Name → task, every, period.
TASKS = {
    "Heartbeat": ("billing_portal.heartbeat", 1, "minutes"),
    "Renew subscriptions": ("plans.renew_due", 1, "minutes"),
    "Refill wallets": ("wallet.refill_due", 1, "minutes"),
    "Ask Stripe about open payments": ("invoices.sweep", 1, "minutes"),
    "Finish card verifications": ("accounts.finish_verifications", 1, "minutes"),
    "Send e-mails": ("accounts.deliver_messages", 10, "seconds"),
    "Check the invariants": ("billing_portal.audit", 24, "hours"),
}


def create(apps: Any, schema_editor: Any) -> None:
    intervals = apps.get_model("django_celery_beat", "IntervalSchedule").objects
    tasks = apps.get_model("django_celery_beat", "PeriodicTask").objects
    for name, (task, every, period) in TASKS.items():
        interval, _ = intervals.get_or_create(every=every, period=period)
        tasks.get_or_create(
            name=name,
            # A tick that could not be taken in time is worth nothing: the next one does it all.
            defaults={"task": task, "interval": interval, "expire_seconds": 60},
        )


def remove(apps: Any, schema_editor: Any) -> None:
    apps.get_model("django_celery_beat", "PeriodicTask").objects.filter(name__in=TASKS).delete()


class Migration(migrations.Migration):
    dependencies = [
        ("billing_portal", "0001_initial"),
        ("django_celery_beat", "0019_alter_periodictasks_options"),
    ]
    operations = [migrations.RunPython(create, remove)]
