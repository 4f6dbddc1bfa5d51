"""What tests of accounts share: a platform that listens."""

from collections.abc import Iterator

import pytest
from pytest_django import Settings

from accounts.tests.platform_side import SECRET, Platform


@pytest.fixture
def platform(settings: Settings) -> Iterator[Platform]:
    """A platform on this machine: only a laptop's settings let it be reached."""
    platform = Platform()
    settings.DEBUG = True
    settings.PLATFORM_WEBHOOK_URL = f"http://127.0.0.1:{platform.port}/hooks/billing"
    settings.PLATFORM_WEBHOOK_SECRET = SECRET
    yield platform
    platform.close()
