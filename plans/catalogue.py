"""The seed catalogue (DESIGN.md section 8). Loading it again changes nothing."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from django.db import transaction
from django.utils.translation import gettext_noop

from accounts.money import usd
from plans.models import (
    Feature,
    FeatureKind,
    FeaturePrice,
    Plan,
    PlanType,
    PlanVersion,
    PriceTier,
    Pricing,
)


@dataclass(frozen=True)
class _Price:
    """What a feature costs in a plan: included, price of each further unit, maximum, tiers."""

    unit_price: str
    included: str = "0"
    maximum: int | None = None
    tiers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class _Plan:
    slug: str
    name: str
    description: str
    monthly_price: str
    minimum_top_up: str
    prices: dict[str, _Price] = field(default_factory=dict)
    type: PlanType = PlanType.PUBLIC
    pricing: Pricing = Pricing.FIXED_MONTHLY


FEATURES = (
    ("call_minutes", gettext_noop("Call minutes"), "minute", FeatureKind.CONSUMABLE),
    (
        "voicemail_detection",
        gettext_noop("Voicemail detection"),
        "detection",
        FeatureKind.CONSUMABLE,
    ),
    ("llm_tokens", gettext_noop("LLM tokens"), "1,000 tokens", FeatureKind.CONSUMABLE),
    ("tts_retrieval_mb", gettext_noop("TTS retrieval"), "MB", FeatureKind.CONSUMABLE),
    ("media_storage_gb", gettext_noop("Media storage"), "GB-month", FeatureKind.CONSUMABLE),
    ("media_retrieval_gb", gettext_noop("Media retrieval"), "GB", FeatureKind.CONSUMABLE),
    (
        "kb_storage_vectors_1k",
        gettext_noop("Knowledge base storage"),
        "1,000 vectors",
        FeatureKind.CONSUMABLE,
    ),
    ("phone_number", gettext_noop("Phone number"), "number", FeatureKind.RENTAL),
    ("user_seat", gettext_noop("User seat"), "seat", FeatureKind.RENTAL),
    ("call_concurrency", gettext_noop("Call concurrency"), "slot", FeatureKind.RENTAL),
    ("whitelabel_license", gettext_noop("White-label licence"), "licence", FeatureKind.RENTAL),
)

PLANS = (
    _Plan(
        slug="payg",
        name=gettext_noop("Pay as you go"),
        description=gettext_noop("No monthly fee. Pay for what you use."),
        monthly_price="0",
        minimum_top_up="10",
        pricing=Pricing.PAY_AS_YOU_GO,
        prices={
            "call_minutes": _Price("0.15"),
            "voicemail_detection": _Price("0.02"),
            "llm_tokens": _Price("0.004"),
            "tts_retrieval_mb": _Price("0.0125"),
            "media_storage_gb": _Price("0.08"),
            "media_retrieval_gb": _Price("0.12"),
            "kb_storage_vectors_1k": _Price("0.05"),
            "phone_number": _Price("3.00"),
            "user_seat": _Price("12.00"),
            "call_concurrency": _Price("5.00", maximum=10),
        },
    ),
    _Plan(
        slug="starter",
        name=gettext_noop("Starter"),
        description=gettext_noop("For a first agent in production."),
        monthly_price="29",
        minimum_top_up="10",
        prices={
            "call_minutes": _Price("0.12", "100"),
            "voicemail_detection": _Price("0.018", "50"),
            "llm_tokens": _Price("0.0038"),
            "tts_retrieval_mb": _Price("0.0125"),
            "media_storage_gb": _Price("0.08"),
            "media_retrieval_gb": _Price("0.12"),
            "kb_storage_vectors_1k": _Price("0.05"),
            "phone_number": _Price("3.00"),
            "user_seat": _Price("12.00", "1"),
            "call_concurrency": _Price("5.00", "2", maximum=20),
        },
    ),
    _Plan(
        slug="growth",
        name=gettext_noop("Growth"),
        description=gettext_noop("For teams whose agents are on the phone all day."),
        monthly_price="99",
        minimum_top_up="25",
        pricing=Pricing.VOLUME_TIERS,
        prices={
            "call_minutes": _Price("0.10", "500", tiers=(("5000", "10"), ("20000", "20"))),
            "voicemail_detection": _Price("0.015", "500"),
            "llm_tokens": _Price("0.0035", "1000"),
            "tts_retrieval_mb": _Price("0.01", "1000"),
            "media_storage_gb": _Price("0.07", "10"),
            "media_retrieval_gb": _Price("0.11", "10"),
            "kb_storage_vectors_1k": _Price("0.04", "100"),
            "phone_number": _Price("2.50", "2"),
            "user_seat": _Price("10.00", "3"),
            "call_concurrency": _Price("4.00", "10", maximum=50),
            "whitelabel_license": _Price("199.00", maximum=1),
        },
    ),
    _Plan(
        slug="enterprise",
        name=gettext_noop("Enterprise"),
        description=gettext_noop("For contact centres."),
        monthly_price="999",
        minimum_top_up="100",
        type=PlanType.ENTERPRISE,
        prices={
            "call_minutes": _Price("0.07", "10000"),
            "voicemail_detection": _Price("0.01", "10000"),
            "llm_tokens": _Price("0.003", "100000"),
            "tts_retrieval_mb": _Price("0.008"),
            "media_storage_gb": _Price("0.05", "1000"),
            "media_retrieval_gb": _Price("0.09", "1000"),
            "kb_storage_vectors_1k": _Price("0.02", "10000"),
            "phone_number": _Price("2.00", "20"),
            "user_seat": _Price("8.00", "50"),
            "call_concurrency": _Price("3.00", "100", maximum=1000),
            "whitelabel_license": _Price("0", "1", maximum=1),
        },
    ),
)


@transaction.atomic
def load(*, now: datetime) -> None:
    """Create the features and the first version of each plan that does not exist yet.

    What exists is left alone: prices that staff changed since are theirs.
    """
    features = {}
    for position, (key, name, unit, kind) in enumerate(FEATURES):
        features[key], _ = Feature.objects.get_or_create(
            key=key, defaults={"name": name, "unit": unit, "kind": kind, "position": position}
        )
    for position, seed in enumerate(PLANS):
        plan, created = Plan.objects.get_or_create(
            slug=seed.slug,
            defaults={
                "name": seed.name,
                "description": seed.description,
                "type": seed.type,
                "pricing": seed.pricing,
                "position": position,
            },
        )
        if created:
            _create_version(plan, seed, features, now=now)


def _create_version(
    plan: Plan, seed: _Plan, features: dict[str, Feature], *, now: datetime
) -> None:
    version = PlanVersion.objects.create(
        plan=plan,
        number=1,
        monthly_price=usd(seed.monthly_price),
        minimum_top_up=usd(seed.minimum_top_up),
        published_at=now,
    )
    for key, price in seed.prices.items():
        feature_price = FeaturePrice.objects.create(
            version=version,
            feature=features[key],
            included_quantity=Decimal(price.included),
            unit_price=usd(price.unit_price),
            maximum=price.maximum,
        )
        for above_quantity, discount_percent in price.tiers:
            PriceTier.objects.create(
                price=feature_price,
                above_quantity=Decimal(above_quantity),
                discount_percent=Decimal(discount_percent),
            )
