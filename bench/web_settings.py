"""Settings of the measured web server: production's, with the baselines' views beside its own."""

from billing_portal.settings import *  # noqa: F403

ROOT_URLCONF = "bench.urls"
