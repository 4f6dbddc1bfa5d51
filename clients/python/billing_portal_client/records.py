"""A record of usage, checked where it is made: what is wrong is told to who can correct it."""

import re
import secrets
import time
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

_QUANTITY = re.compile(r"[0-9]{1,10}(?:\.[0-9]{1,6})?")
_MAXIMUM_QUANTITY: Final = Decimal(1_000_000_000)
_LENGTHS: Final = {
    "id": 200,
    "account": 209,
    "feature": 64,
    "workspace": 200,
    "source": 200,
    "description": 300,
}
_REQUIRED: Final = ("id", "account", "feature")


def new_record_id() -> str:
    """Return an id that nobody has used: random, but in order of time, as databases like it."""
    milliseconds = time.time_ns() // 1_000_000
    return f"{milliseconds:012x}-{secrets.token_hex(10)}"


@dataclass(frozen=True, slots=True)
class UsageRecord:
    """What was used once.

    `account` is the portal's id of it or `external:` and your own. `quantity` is a Decimal, an int
    or plain digits, never a float: 0 to 1,000,000,000 with at most 6 decimals. `occurred_at` has a
    timezone. `id` makes the record count once, however often it is sent: give it the id of your
    call where you have one, so that a call that ends twice is one record; without one, one is made
    with the record. Raises ValueError (TypeError for a float) when the portal would refuse it.
    """

    account: str
    feature: str
    quantity: Decimal | int | str
    occurred_at: datetime
    id: str = field(default_factory=new_record_id)
    workspace: str = ""
    source: str = ""
    description: str = ""

    def __post_init__(self) -> None:
        for name, longest in _LENGTHS.items():
            _check_text(name, getattr(self, name), longest, required=name in _REQUIRED)
        _check_quantity(self.quantity)
        if self.occurred_at.utcoffset() is None:
            raise ValueError("occurred_at has no timezone: use datetime.now(tz=UTC)")

    def as_json(self) -> dict[str, Any]:
        """Return it as the API takes it."""
        content = {
            "id": self.id,
            "account": self.account,
            "feature": self.feature,
            "quantity": _digits(self.quantity),
            "occurred_at": self.occurred_at.isoformat(),
        }
        optional = ("workspace", "source", "description")
        return content | {name: getattr(self, name) for name in optional if getattr(self, name)}


def _check_text(name: str, text: object, longest: int, *, required: bool) -> None:
    if not isinstance(text, str):
        raise TypeError(f"{name} must be a str, not {type(text).__name__}")
    if required and not text:
        raise ValueError(f"{name} is empty")
    if len(text) > longest:
        raise ValueError(f"{name} is longer than {longest} characters")
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise ValueError(f"{name} holds NUL or half a surrogate pair")


def _check_quantity(quantity: object) -> None:
    if isinstance(quantity, bool) or not isinstance(quantity, Decimal | int | str):
        raise TypeError(
            f"quantity must be a Decimal, an int or a str, not {type(quantity).__name__}"
        )
    text = _digits(quantity)
    if not _QUANTITY.fullmatch(text) or Decimal(text) > _MAXIMUM_QUANTITY:
        raise ValueError(
            f"quantity must be from 0 to {_MAXIMUM_QUANTITY:,} with at most 6 decimals, not {text}"
        )


def _digits(quantity: Decimal | int | str) -> str:
    return f"{quantity:f}" if isinstance(quantity, Decimal) else str(quantity)
