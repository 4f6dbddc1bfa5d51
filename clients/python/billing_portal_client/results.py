"""What the portal answers. Amounts and quantities are exact; fields it may add are ignored.

Amounts are US dollars unless a currency stands beside them. Times are aware, in UTC. Kinds and
statuses stay texts, for the portal may add some.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Authorization:
    """Whether a call may start. `limit`: of a rental, how many may be in use."""

    allowed: bool
    services: str
    reasons: tuple[str, ...]
    balance: Decimal
    included_remaining: Decimal
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class Subscription:
    """What an account is on; without a period until it is paid for."""

    status: str
    current_period_start: datetime | None
    current_period_end: datetime | None
    cancel_at_period_end: bool
    changes_to: str | None = None


@dataclass(frozen=True, slots=True)
class AutoRefill:
    """Auto-refill and its last attempt."""

    enabled: bool
    threshold: Decimal
    amount: Decimal
    monthly_maximum: Decimal | None = None
    suspended_at: datetime | None = None
    last_attempt_at: datetime | None = None
    last_attempt_amount: Decimal | None = None
    last_attempt_status: str | None = None
    last_attempt_message: str | None = None


@dataclass(frozen=True, slots=True)
class Account:
    """A customer's account."""

    id: str
    external_id: str
    name: str
    owner_email: str
    timezone: str
    services: str
    reasons: tuple[str, ...]
    balance: Decimal
    plan: str | None
    subscription: Subscription | None
    auto_refill: AutoRefill
    created_at: datetime


@dataclass(frozen=True, slots=True)
class RecordResult:
    """What became of one record of a batch; `index`, `code` and `detail` when it was rejected."""

    id: str | None
    status: str
    included_quantity: Decimal
    billed_quantity: Decimal
    amount: Decimal
    index: int | None = None
    code: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class UsageReport:
    """What became of a batch. `results` are in the order sent."""

    recorded: int
    duplicates: int
    rejected: int
    results: tuple[RecordResult, ...]


@dataclass(frozen=True, slots=True)
class RatedUsage:
    """A rated record, with everything that explains its amount."""

    id: str
    feature: str
    quantity: Decimal
    included_quantity: Decimal
    billed_quantity: Decimal
    unit_price: Decimal
    amount: Decimal
    included_before: Decimal
    billed_before: Decimal
    balance_before: Decimal
    balance_after: Decimal
    plan: str
    plan_version: int
    occurred_at: datetime
    recorded_at: datetime
    workspace: str = ""
    source: str = ""
    description: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the ledger."""

    sequence: int
    kind: str
    amount: Decimal
    balance_after: Decimal
    description: str
    created_at: datetime
    transaction: str | None = None
    usage_id: str | None = None


@dataclass(frozen=True, slots=True)
class PaidWith:
    """The card of a payment."""

    brand: str
    last4: str


@dataclass(frozen=True, slots=True)
class Transaction:
    """A line of Billing History."""

    number: str
    purpose: str
    status: str
    amount: Decimal
    net_amount: Decimal
    tax_rate: Decimal
    tax_amount: Decimal
    charged_amount: Decimal
    charged_currency: str
    rate: Decimal
    refunded_amount: Decimal
    card: PaidWith | None
    failure_code: str
    failure_message: str
    created_at: datetime
    paid_at: datetime | None


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a period includes of a feature, and what is left."""

    feature: str
    included: Decimal
    used: Decimal
    remaining: Decimal
    period_start: datetime
    period_end: datetime
    billed_quantity: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class HeldRental:
    """A rental of the account's plan, and how many are held."""

    feature: str
    quantity: int
    quantity_at_renewal: int | None
    since: datetime | None
    included: int
    unit_price: Decimal
    maximum: int | None


@dataclass(frozen=True, slots=True)
class RentalQuote:
    """What holding another quantity comes to. `quote` keeps the price for ten minutes."""

    feature: str
    held: int
    quantity: int
    change: str
    net_amount: Decimal
    tax_rate: Decimal
    tax_amount: Decimal
    amount: Decimal
    charged_amount: Decimal
    charged_currency: str
    waived_amount: Decimal
    monthly_amount: Decimal
    period_end: datetime
    quote: str


@dataclass(frozen=True, slots=True)
class Rental:
    """What is held after a change; `transaction` is the payment for it, when there was one."""

    feature: str
    quantity: int
    quantity_at_renewal: int | None
    transaction: Transaction | None


@dataclass(frozen=True, slots=True)
class Feature:
    """Something sold: a `consumable` or a `rental`."""

    key: str
    name: str
    unit: str
    kind: str


@dataclass(frozen=True, slots=True)
class Tier:
    """Units billed beyond `above_quantity` in a period cost `discount_percent` less."""

    above_quantity: Decimal
    discount_percent: Decimal


@dataclass(frozen=True, slots=True)
class FeaturePrice:
    """What a feature costs in a plan."""

    feature: str
    kind: str
    included: Decimal
    unit_price: Decimal
    tiers: tuple[Tier, ...]
    maximum: int | None


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan as it is sold now."""

    slug: str
    name: str
    type: str
    version: int
    monthly_price: Decimal
    minimum_top_up: Decimal
    features: tuple[FeaturePrice, ...]
