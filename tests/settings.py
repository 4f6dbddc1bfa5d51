"""Settings of the tests: the laptop's, with what would slow a test made quick."""

import os
import tempfile
from pathlib import Path

os.environ["DEBUG"] = "1"

from billing_portal.settings import *  # noqa: E402, F403

_work_dir = Path(tempfile.mkdtemp(prefix="billing-portal-tests-"))
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
CELERY_BROKER_URL = "memory://"
CELERY_BROKER_TRANSPORT_OPTIONS: dict[str, object] = {}
