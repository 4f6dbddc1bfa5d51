"""What a route of the API is: a method, a path, who may call it, and what it accepts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from .errors import Json
from .params import Schema


@dataclass(frozen=True)
class Route:
    """One endpoint. `public` ones also take a publishable key, as Stripe.js needs."""

    method: str
    path: str
    handler: Callable[..., Json]
    schema: Schema = field(default_factory=dict)
    required: tuple[str, ...] = ()
    public: bool = False
