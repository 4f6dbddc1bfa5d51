"""The Celery application: `celery -A billing_portal worker|beat`.

Tasks are nudges. They carry ids, call a service and may be lost: the next sweep finds in the
database whatever a lost nudge should have done.
"""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "billing_portal.settings")

app = Celery("billing_portal")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
