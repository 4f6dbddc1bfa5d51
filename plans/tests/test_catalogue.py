"""The seed catalogue, as DESIGN.md section 8 writes it down; versions that never change."""

from decimal import Decimal

import pytest
from django.db import IntegrityError, transaction
from django.db.models import Model

from accounts.tests.factories import NOW
from plans import catalogue
from plans.models import (
    Feature,
    FeaturePrice,
    Plan,
    PlanVersion,
    PriceTier,
)
from plans.tests.subscribers import provision, version_of

pytestmark = pytest.mark.django_db

#: Included, unit price, at most; None: not in the plan. The order: payg, starter, growth,
#: enterprise.
PRICES: dict[str, list[tuple[str, str, int | None] | None]] = {
    "call_minutes": [
        ("0", "0.15", None),
        ("100", "0.12", None),
        ("500", "0.10", None),
        ("10000", "0.07", None),
    ],
    "voicemail_detection": [
        ("0", "0.02", None),
        ("50", "0.018", None),
        ("500", "0.015", None),
        ("10000", "0.01", None),
    ],
    "llm_tokens": [
        ("0", "0.004", None),
        ("0", "0.0038", None),
        ("1000", "0.0035", None),
        ("100000", "0.003", None),
    ],
    "tts_retrieval_mb": [
        ("0", "0.0125", None),
        ("0", "0.0125", None),
        ("1000", "0.01", None),
        ("0", "0.008", None),
    ],
    "media_storage_gb": [
        ("0", "0.08", None),
        ("0", "0.08", None),
        ("10", "0.07", None),
        ("1000", "0.05", None),
    ],
    "media_retrieval_gb": [
        ("0", "0.12", None),
        ("0", "0.12", None),
        ("10", "0.11", None),
        ("1000", "0.09", None),
    ],
    "kb_storage_vectors_1k": [
        ("0", "0.05", None),
        ("0", "0.05", None),
        ("100", "0.04", None),
        ("10000", "0.02", None),
    ],
    "phone_number": [
        ("0", "3.00", None),
        ("0", "3.00", None),
        ("2", "2.50", None),
        ("20", "2.00", None),
    ],
    "user_seat": [
        ("0", "12.00", None),
        ("1", "12.00", None),
        ("3", "10.00", None),
        ("50", "8.00", None),
    ],
    "call_concurrency": [
        ("0", "5.00", 10),
        ("2", "5.00", 20),
        ("10", "4.00", 50),
        ("100", "3.00", 1000),
    ],
    "whitelabel_license": [None, None, ("0", "199.00", 1), ("1", "0", 1)],
}
PLANS = {
    "payg": ("0", "10", "public", "pay_as_you_go"),
    "starter": ("29", "10", "public", "fixed_monthly"),
    "growth": ("99", "25", "public", "volume_tiers"),
    "enterprise": ("999", "100", "enterprise", "fixed_monthly"),
}
RENTALS = {"phone_number", "user_seat", "call_concurrency", "whitelabel_license"}


def test_the_catalogue_is_the_one_that_was_agreed() -> None:
    catalogue.load(now=NOW)
    assert set(Feature.objects.values_list("key", flat=True)) == set(PRICES)
    rentals = Feature.objects.filter(kind="rental").values_list("key", flat=True)
    assert set(rentals) == RENTALS
    for position, (slug, (monthly, minimum, kind, pricing)) in enumerate(PLANS.items()):
        version = version_of(slug)
        assert (version.number, version.published_at) == (1, NOW)
        assert version.monthly_price.amount == Decimal(monthly), slug
        assert version.minimum_top_up.amount == Decimal(minimum), slug
        assert (version.plan.type, version.plan.pricing) == (kind, pricing), slug
        sold = {
            price.feature.key: (price.included_quantity, price.unit_price.amount, price.maximum)
            for price in version.prices.select_related("feature")
        }
        agreed = {
            key: (Decimal(row[0]), Decimal(row[1]), row[2])
            for key, columns in PRICES.items()
            if (row := columns[position]) is not None
        }
        assert sold == agreed, slug


def test_only_growth_has_tiers_and_only_for_minutes() -> None:
    catalogue.load(now=NOW)
    tiers = PriceTier.objects.values_list(
        "price__version__plan__slug", "price__feature__key", "above_quantity", "discount_percent"
    )
    assert sorted(tiers) == [
        ("growth", "call_minutes", Decimal(5000), Decimal(10)),
        ("growth", "call_minutes", Decimal(20000), Decimal(20)),
    ]


def rows() -> list[list[tuple[object, ...]]]:
    """Return everything that is sold, as it is in the database."""
    tables: list[type[Model]] = [Feature, Plan, PlanVersion, FeaturePrice, PriceTier]
    return [sorted(table._default_manager.values_list()) for table in tables]


def test_loading_it_again_changes_nothing() -> None:
    catalogue.load(now=NOW)
    before = rows()
    catalogue.load(now=NOW)
    assert rows() == before


def test_loading_it_again_leaves_what_staff_changed() -> None:
    catalogue.load(now=NOW)
    Plan.objects.filter(slug="growth").update(name="Growth 2026")
    FeaturePrice.objects.filter(version__plan__slug="growth", feature__key="user_seat").delete()
    before = rows()
    catalogue.load(now=NOW)
    assert rows() == before


# Versions that are subscribed to --------------------------------------------------------------
def test_a_version_that_was_subscribed_to_never_changes() -> None:
    provision(plan="payg")
    version = version_of("payg")
    with pytest.raises(IntegrityError, match="never changes"), transaction.atomic():
        PlanVersion.objects.filter(pk=version.pk).update(monthly_price=1)
    with pytest.raises(IntegrityError, match="never changes"), transaction.atomic():
        version.prices.update(unit_price=0)
    with pytest.raises(IntegrityError, match="never changes"), transaction.atomic():
        version.prices.filter(feature__key="call_minutes").delete()
    with pytest.raises(IntegrityError, match="never changes"), transaction.atomic():
        FeaturePrice.objects.create(
            version=version, feature=Feature.objects.get(key="whitelabel_license"), unit_price=1
        )
    with pytest.raises(IntegrityError, match="never changes"), transaction.atomic():
        PriceTier.objects.create(
            price=version.prices.get(feature__key="call_minutes"),
            above_quantity=5,
            discount_percent=50,
        )


def test_a_price_cannot_be_moved_into_a_version_that_was_subscribed_to() -> None:
    provision(plan="payg")
    price = version_of("growth").prices.get(feature__key="whitelabel_license")
    with pytest.raises(IntegrityError, match="never changes"), transaction.atomic():
        FeaturePrice.objects.filter(pk=price.pk).update(version=version_of("payg"))


def test_a_version_that_nobody_has_may_still_be_changed() -> None:
    provision(plan="payg")
    version_of("growth").prices.update(unit_price=Decimal("0.09"))
    assert set(version_of("growth").prices.values_list("unit_price", flat=True)) == {
        Decimal("0.09")
    }
