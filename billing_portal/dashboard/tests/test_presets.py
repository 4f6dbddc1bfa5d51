"""Amounts to choose from when adding credit."""

import pytest
from django.utils import timezone

from billing_portal.dashboard.tests import scenes
from billing_portal.dashboard.tests.test_overview import overview_of

pytestmark = pytest.mark.django_db


def test_presets_begin_at_the_plan_s_minimum_and_show_both_currencies() -> None:
    account = scenes.make_company()
    scenes.start_plan(account, "growth", at=timezone.now())

    presets = overview_of(account).balance.presets

    assert [(p.label, p.charged) for p in presets] == [
        ("$25", "OMR 9.630"),
        ("$50", "OMR 19.250"),
        ("$100", "OMR 38.500"),
        ("$250", "OMR 96.250"),
    ]


@pytest.mark.parametrize(
    ("balance", "labels"),
    [
        ("-3.20", ["$10", "$25", "$50", "$100"]),  # the least that the plan sells
        ("-12.34", ["$12.35", "$25", "$50", "$100"]),
        ("-24.99", ["$25", "$50", "$100", "$250"]),
        ("-4200", ["$4,200.01", "$5,000"]),
        ("-5974.07", ["$5,000"]),  # the most that one payment may be
    ],
)
def test_of_a_debt_the_first_preset_settles_it(balance: str, labels: list[str]) -> None:
    account = scenes.make_company(balance=balance)
    scenes.start_plan(account, "payg", at=timezone.now())

    presets = overview_of(account).balance.presets

    assert [preset.label for preset in presets] == labels
    assert [preset.is_chosen for preset in presets] == [True] + [False] * (len(labels) - 1)
