"""Settings of the simulation: a laptop's, with everything in this one process."""

import os

os.environ["DEBUG"] = "1"

from billing_portal.settings import *  # noqa: F403
from billing_portal.settings import DATABASES

# One process: a pool would hand a connection of a process that "died" to the next.
DATABASES["default"]["OPTIONS"].pop("pool", None)
# Nothing waits: what would be sent to a broker is taken from it by the simulation.
CELERY_BROKER_URL = "memory://"
CELERY_BROKER_TRANSPORT_OPTIONS = {}
MAILBOX_DIR = None
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
# Without a platform that listens no events are kept for it.
PLATFORM_WEBHOOK_URL = PLATFORM_WEBHOOK_SECRET = ""
STRIPE_SANDBOX_URL = STRIPE_API_BASE = STRIPE_API_HOST = "http://stripe.sandbox"
