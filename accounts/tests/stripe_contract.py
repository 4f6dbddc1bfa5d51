"""Stripe's SDK as judge of what the portal sends: its own request types, made strict.

Each method of the SDK declares its parameters as a TypedDict that Stripe generates from the
description of its API. Here they take no unknown name, no float for an amount, no value outside an
enumeration. It proves the shape of a request, not that Stripe does what we hope.

While `checked()` lasts, each request of the SDK's client is judged before it is sent. The `sandbox`
fixture holds it open, so every test that pays checks the portal's requests on the way.
"""

import importlib
import inspect
import re
import sys
import types
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal, NotRequired, Required, Union, get_args, get_origin

import pydantic
import typing_extensions
from stripe import _request_options
from stripe._request_options import RequestOptions
from stripe._stripe_context import StripeContext
from stripe._stripe_service import StripeService

#: What is done twice when it is asked twice, unless the request says that it is the same one.
NEEDS_KEY = {
    "checkout.sessions.create",
    "customers.create",
    "payment_intents.create",
    "refunds.create",
}
_STRICT = pydantic.ConfigDict(extra="forbid", strict=True, arbitrary_types_allowed=True)


class ContractBroken(AssertionError):
    """A request that Stripe's own types refuse."""


@dataclass
class Requests:
    """What was sent: the names of the SDK's methods, like `payment_intents.create`."""

    sent: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)


@contextmanager
def checked() -> Iterator[Requests]:
    """Judge every request of the SDK's client; raise ContractBroken in whoever makes a bad one.

    Raises at the end as well: what raised may have been caught on its way.
    """
    requests, original = Requests(), StripeService._request

    def judged(
        service: StripeService,
        method: str,
        url: str,
        params: Mapping[str, Any] | None = None,
        options: RequestOptions | None = None,
        **rest: Any,
    ) -> Any:
        called = sys._getframe(1).f_code.co_name
        name = f"{_path(type(service))}.{called}"
        try:
            judge(getattr(type(service), called), params, options, name)
        except ContractBroken as error:
            requests.broken.append(str(error))
            raise
        requests.sent.append(name)
        return original(service, method, url, params, options, **rest)

    StripeService._request = judged  # type: ignore[method-assign, assignment]
    try:
        yield requests
    finally:
        StripeService._request = original  # type: ignore[method-assign]
    if requests.broken:
        raise ContractBroken("\n".join(requests.broken))


def judge(
    method: Callable[..., Any],
    params: Mapping[str, Any] | None,
    options: Mapping[str, Any] | None,
    name: str,
) -> None:
    """Raise ContractBroken unless `params` and `options` are what the SDK's method declares."""
    declared = params_type(method)
    for given, wanted in ((params, declared), (options, closed(RequestOptions))):
        try:
            validator(wanted).validate_python(dict(given or {}))
        except pydantic.ValidationError as error:
            raise ContractBroken(f"{name}({given!r}): {error}") from error
    if name in NEEDS_KEY and not (options or {}).get("idempotency_key"):
        raise ContractBroken(f"{name} without an idempotency key: asked twice, it is done twice.")


@cache
def validator(wanted: Any) -> "pydantic.TypeAdapter[Any]":
    """Return what judges a type; made once, for making it takes longer than most tests."""
    return pydantic.TypeAdapter(wanted)


def _path(service: type) -> str:
    """`stripe.checkout._session_service.SessionService` → `checkout.sessions`."""
    package = service.__module__.split(".")[1:-1]
    words = re.findall("[A-Z][a-z0-9]*", service.__name__.removesuffix("Service"))
    return ".".join([*package, "_".join(words).lower() + "s"])


# Types ----------------------------------------------------------------------------------------
@cache
def params_type(method: Callable[..., Any]) -> Any:
    """Return the closed TypedDict of a method's parameters."""
    annotation = inspect.signature(method).parameters["params"].annotation
    [name] = re.findall(r"\w+Params", str(annotation))
    package = [part for part in method.__module__.split(".")[1:] if not part.startswith("_")]
    declared = getattr(importlib.import_module(".".join(["stripe.params", *package])), name)
    return closed(declared, without=frozenset(RequestOptions.__annotations__))


@cache
def closed(declared: Any, without: frozenset[str] = frozenset()) -> Any:
    """Return a TypedDict as strict as Stripe: no other names, no other types, no other values."""
    # Each of them has the request options among its own annotations, in their module's words.
    names = {**vars(_request_options), "StripeContext": StripeContext}
    hints = typing_extensions.get_type_hints(declared, localns=names, include_extras=True)
    fields = {name: _close(hint) for name, hint in hints.items() if name not in without}
    make: Any = typing_extensions.TypedDict
    made = make(declared.__name__, fields)
    made.__pydantic_config__ = _STRICT
    return made


def _close(hint: Any) -> Any:
    origin, inside = get_origin(hint), get_args(hint)
    if typing_extensions.is_typeddict(hint):
        return closed(hint)
    if origin in (NotRequired, typing_extensions.NotRequired):
        return NotRequired[_close(inside[0])]
    if origin in (Required, typing_extensions.Required):
        return Required[_close(inside[0])]
    if origin in (Union, types.UnionType):
        choices = [_close(choice) for choice in inside]
        if any(_names_values(choice) for choice in choices):
            choices = [choice for choice in choices if choice is not str]
        return Union[tuple(choices)]  # noqa: UP007 - made of a list
    if origin is list:
        return list[_close(inside[0])]  # type: ignore[misc]
    if origin is dict:
        return dict[inside[0], _close(inside[1])]  # type: ignore[misc, valid-type]
    return hint


def _names_values(choice: Any) -> bool:
    """An enumeration; `Literal[""]` alone only means that a string may be cleared."""
    return get_origin(choice) is Literal and any(get_args(choice))
