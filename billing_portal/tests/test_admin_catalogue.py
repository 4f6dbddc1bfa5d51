"""Plans in the admin: what is sold never changes, a new version does."""

from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError
from django.test import Client
from django.urls import reverse

from accounts.models import User
from accounts.money import usd
from accounts.tests.factories import NOW, make_account
from plans import versions
from plans.models import FeaturePrice, PlanVersion, PriceTier
from plans.tests.factories import GROWTH_TIERS, make_subscription, make_version

pytestmark = pytest.mark.django_db


@pytest.fixture
def client() -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("admin@staff.test"))
    return client


@pytest.fixture
def sold() -> PlanVersion:
    """A version with an included quantity and tiers that somebody is on."""
    version = make_version(monthly_price="99", minimum_top_up="25", tiers=GROWTH_TIERS)
    make_subscription(make_account(), version)
    return version


def publish(draft: PlanVersion) -> PlanVersion:
    return versions.publish(version=draft, by=None, reason="New prices of 2027", now=NOW)


def url(name: str, version: PlanVersion) -> str:
    return reverse(f"admin:plans_planversion_{name}", args=[version.pk])


def prices_of(version: PlanVersion) -> list[tuple[object, ...]]:
    return [
        (
            price.feature_id,
            price.included_quantity,
            price.unit_price,
            price.maximum,
            [(tier.above_quantity, tier.discount_percent) for tier in price.tiers.all()],
        )
        for price in version.prices.order_by("feature_id")
    ]


def edited(version: PlanVersion, monthly_price: str, unit_price: str) -> dict[str, str]:
    """Return the version's form with other prices, as its page would post it."""
    price = version.prices.get()
    return {
        "reason": "New prices of 2027",
        "monthly_price_0": monthly_price,
        "monthly_price_1": "OMR",
        "minimum_top_up_0": "25",
        "minimum_top_up_1": "OMR",
        "prices-TOTAL_FORMS": "1",
        "prices-INITIAL_FORMS": "1",
        "prices-0-id": str(price.pk),
        "prices-0-version": str(version.pk),
        "prices-0-feature": str(price.feature_id),
        "prices-0-included_quantity": "600",
        "prices-0-unit_price_0": unit_price,
        "prices-0-unit_price_1": "OMR",
        "prices-0-maximum": "",
    }


def test_a_version_that_was_sold_is_shown_and_not_changed(
    client: Client, sold: PlanVersion
) -> None:
    page = client.get(url("change", sold)).content.decode()
    assert "This version has been subscribed to, so it never changes" in page
    assert 'name="monthly_price_0"' not in page
    assert client.post(url("change", sold), edited(sold, "1", "0.01")).status_code == 403
    assert client.post(url("delete", sold), {"post": "yes"}).status_code == 403
    price = sold.prices.get()
    tiers = reverse("admin:plans_featureprice_change", args=[price.pk])
    assert client.get(tiers).status_code == 200
    assert client.post(tiers, {"unit_price_0": "0.01"}).status_code == 403
    sold.refresh_from_db()
    assert sold.monthly_price == usd(99)


def test_a_new_version_is_a_copy_that_can_be_changed_and_published(
    client: Client, sold: PlanVersion
) -> None:
    answer = client.post(url("draft", sold), {"reason": "New prices of 2027"})
    copy = PlanVersion.objects.get(number=2)
    assert answer["Location"] == url("change", copy)
    assert copy.published_at is None
    assert (copy.monthly_price, copy.minimum_top_up) == (usd(99), usd(25))
    assert prices_of(copy) == prices_of(sold)
    assert PriceTier.objects.count() == 4

    quantity = copy.prices.get().included_quantity
    assert f'name="prices-0-included_quantity" value="{quantity:.0f}"' in (
        client.get(url("change", copy)).content.decode()
    )
    saved = client.post(url("change", copy), edited(copy, "109.00", "0.095"))
    assert saved.status_code == 302, saved.context["errors"]
    copy.refresh_from_db()
    # Dollars, whatever currency was posted.
    assert copy.monthly_price == usd("109.00")
    assert copy.prices.get().unit_price == usd("0.095")
    assert sold.prices.get().unit_price == usd("0.10")

    client.post(url("publish", copy), {"reason": "New prices of 2027"})
    copy.refresh_from_db()
    assert copy.published_at is not None
    assert sold.subscriptions.count() == 1


def test_the_actions_show_their_effect_first(client: Client, sold: PlanVersion) -> None:
    page = client.get(url("draft", sold)).content.decode()
    assert "A draft with the same prices is made" in page
    assert PlanVersion.objects.count() == 1
    draft = versions.draft_from(version=sold)
    assert "New subscribers get" in client.get(url("publish", draft)).content.decode()
    draft.refresh_from_db()
    assert draft.published_at is None


def test_a_plan_has_one_draft_at_a_time(client: Client, sold: PlanVersion) -> None:
    versions.draft_from(version=sold)
    with pytest.raises(ValidationError, match="is already a draft"):
        versions.draft_from(version=sold)
    answer = client.post(url("draft", sold), {"reason": "Again"}, follow=True)
    assert "is already a draft" in answer.content.decode()
    assert PlanVersion.objects.count() == 2


def test_a_version_is_published_once(sold: PlanVersion) -> None:
    draft = versions.draft_from(version=sold)
    publish(draft)
    with pytest.raises(ValidationError, match="is published already"):
        publish(draft)


def test_a_version_for_less_than_a_card_can_be_charged_is_not_sold(
    client: Client, sold: PlanVersion
) -> None:
    draft = versions.draft_from(version=sold)
    refused = client.post(url("change", draft), edited(draft, "0.59", "0.095"))
    assert "make it nothing, or at least $0.60" in refused.content.decode()
    PlanVersion.objects.filter(pk=draft.pk).update(monthly_price="0.59")
    with pytest.raises(ValidationError, match=r"nothing, or at least \$0.60"):
        publish(draft)


def test_a_version_without_prices_is_not_published(sold: PlanVersion) -> None:
    draft = versions.draft_from(version=sold)
    draft.prices.all().delete()
    with pytest.raises(ValidationError, match="has no prices yet"):
        publish(draft)


def test_an_overtaken_draft_is_not_published(sold: PlanVersion) -> None:
    draft = versions.draft_from(version=sold)
    later = PlanVersion.objects.create(
        plan=sold.plan,
        number=3,
        monthly_price=usd(1),
        minimum_top_up=usd(1),
        published_at=NOW,
    )
    with pytest.raises(ValidationError, match="is newer and published"):
        publish(draft)
    draft.delete()
    assert versions.draft_from(version=later).number == 4


def test_a_draft_made_from_an_old_version_gets_the_next_free_number(sold: PlanVersion) -> None:
    second = publish(versions.draft_from(version=sold))
    assert second.number == 2
    assert versions.draft_from(version=sold).number == 3


def test_tiers_of_a_draft_are_edited_on_the_price(client: Client, sold: PlanVersion) -> None:
    draft = versions.draft_from(version=sold)
    price = draft.prices.get()
    tier = price.tiers.first()
    assert tier is not None
    answer = client.post(
        reverse("admin:plans_featureprice_change", args=[price.pk]),
        {
            "reason": "A discount for those who call much",
            "included_quantity": "500",
            "unit_price_0": "0.1",
            "unit_price_1": "USD",
            "maximum": "",
            "tiers-TOTAL_FORMS": "1",
            "tiers-INITIAL_FORMS": "1",
            "tiers-0-id": str(tier.pk),
            "tiers-0-price": str(price.pk),
            "tiers-0-above_quantity": "5000",
            "tiers-0-discount_percent": "12.5",
        },
    )
    assert answer.status_code == 302, answer.context["errors"]
    tier.refresh_from_db()
    assert tier.discount_percent == Decimal("12.5")
    assert FeaturePrice.objects.get(version=sold).tiers.first().discount_percent == Decimal(10)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("monthly_price", "unit_price"),
    [("-1", "0.1"), ("1", "-0.1"), ("NaN", "0.1"), ("1", "0.123456789"), ("", "0.1"), ("1", "")],
)
def test_a_price_that_is_none_is_explained(
    client: Client, sold: PlanVersion, monthly_price: str, unit_price: str
) -> None:
    draft = versions.draft_from(version=sold)
    page = client.post(url("change", draft), edited(draft, monthly_price, unit_price))
    assert page.status_code == 200
    assert page.context["errors"]
    draft.refresh_from_db()
    assert draft.monthly_price == usd(99)


def test_a_feature_has_one_price_in_a_version(client: Client, sold: PlanVersion) -> None:
    draft = versions.draft_from(version=sold)
    twice = {
        **edited(draft, "99", "0.1"),
        "prices-TOTAL_FORMS": "2",
        "prices-1-version": str(draft.pk),
        "prices-1-feature": str(draft.prices.get().feature_id),
        "prices-1-included_quantity": "0",
        "prices-1-unit_price_0": "0.2",
        "prices-1-unit_price_1": "USD",
    }
    page = client.post(url("change", draft), twice)
    assert page.status_code == 200
    assert page.context["errors"]
    assert draft.prices.count() == 1
