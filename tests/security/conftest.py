"""Tenant A, and those who want something of it."""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from accounts import cards
from accounts.models import Card
from tests.security.strangers import Stranger, make_strangers
from tests.security.victim import Victim, make_victim

if TYPE_CHECKING:
    from conftest import Sandbox


@pytest.fixture
def victim(sandbox: "Sandbox") -> Victim:
    """Tenant A; its newest card is confirmed by the bank and waits for being added."""
    found = make_victim()
    setup = cards.begin(account=found.account)
    sandbox.confirm_setup(setup.id)
    return replace(found, setup_intent=setup.id)


@pytest.fixture
def strangers(victim: Victim, add_card: Callable[..., Card]) -> list[Stranger]:
    """Each role of tenant B, who belongs to nobody, and who is not signed in."""
    return make_strangers(victim, add_card)
