"""Settings of the bench: the laptop's, on a PostgreSQL of its own, with the baselines' apps."""

import os
from importlib.util import find_spec
from pathlib import Path

os.environ["DEBUG"] = "1"
os.environ.setdefault("DATA_DIR", str(Path(__file__).resolve().parent.parent / ".data" / "bench"))

from billing_portal.settings import *  # noqa: F403

INSTALLED_APPS = [
    *INSTALLED_APPS,  # noqa: F405
    *(["mptt", "hordak"] if find_spec("hordak") else []),
]
# django-hordak's own settings: dollars, to a millionth, as in our ledger.
HORDAK_INTERNAL_CURRENCY = "USD"
HORDAK_DECIMAL_PLACES = 6
HORDAK_MAX_DIGITS = 18
CELERY_BROKER_URL = "memory://"
CELERY_BROKER_TRANSPORT_OPTIONS = {}
