"""Settings of the tests: the laptop's, with what would slow a test made quick."""

import os
from pathlib import Path

os.environ["DEBUG"] = "1"
# Not the demo's: a demo that is stopped must not take the tests' database with it.
os.environ.setdefault("DATA_DIR", str(Path(__file__).resolve().parent.parent / ".data" / "tests"))

from billing_portal.settings import *  # noqa: F403

# A platform listens, so that events are recorded for it. It is never called: the address is one
# of those reserved for documentation, which are not public, and so refused.
PLATFORM_WEBHOOK_URL = "https://192.0.2.1/webhooks"
PLATFORM_WEBHOOK_SECRET = "whsec_" + "c2VjcmV0" * 4
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
CELERY_BROKER_URL = "memory://"
CELERY_BROKER_TRANSPORT_OPTIONS = {}
# pytest-django runs with DEBUG off, and nobody has collected the static files.
WHITENOISE_AUTOREFRESH = True
