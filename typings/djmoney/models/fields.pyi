from decimal import Decimal
from typing import Any, TypeVar

from django.db import models
from django.db.models.expressions import Combinable
from djmoney.money import Money

_ST = TypeVar("_ST", contravariant=True, default=Money | Decimal | int | str | Combinable)
_GT = TypeVar("_GT", covariant=True, default=Money)

class MoneyField(models.DecimalField[_ST, _GT]):
    _pyi_private_set_type: Money | Decimal | int | str | Combinable  # type: ignore[assignment]
    _pyi_private_get_type: Money  # type: ignore[assignment]
    _pyi_lookup_exact_type: Money | Decimal | int | str  # type: ignore[assignment]
    def __init__(self, *args: Any, default_currency: str | None = ..., **kwargs: Any) -> None: ...
