"""The sandbox takes no parameter that Stripe's SDK does not declare, and no other value of one.

A stand-in that is more generous than Stripe lets mistakes pass. Each of its routes is compared with
the SDK's method of the same address: names, nested names, enumerations, and what is required.
"""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Iterator
from typing import Any, Literal, get_args, get_origin

import pytest
import typing_extensions
from stripe import _request_options
from stripe._stripe_context import StripeContext

from .. import api
from ..params import Schema
from ..routing import Route

SERVICES = (
    "_account",
    "_balance_transaction",
    "_charge",
    "_customer",
    "_customer_payment_method",
    "_dispute",
    "_event",
    "_payment_intent",
    "_payment_method",
    "_refund",
    "_setup_intent",
    "_webhook_endpoint",
    "checkout._session",
    "checkout._session_line_item",
)
#: Without a method of the SDK's services: Stripe names it as where a charge's refunds are.
ELSEWHERE = {("GET", "/v1/charges/ID/refunds")}
#: What Stripe.js sends from a browser; the SDK is for servers.
BROWSERS = {"client_secret", "payment_method_data[type]=card", "payment_method_data[card]"}
#: Stripe takes any name and any string in these.
FREE = {"metadata"}


def declared() -> dict[tuple[str, str], Any]:
    """What the SDK declares for each address: called with nobody at the other end."""
    found: dict[tuple[str, str], Any] = {}
    for module_name in SERVICES:
        module = importlib.import_module(f"stripe.{module_name}_service")
        for service in vars(module).values():
            if inspect.isclass(service) and service.__module__ == module.__name__:
                for name, method in inspect.getmembers(service, inspect.isfunction):
                    if not name.startswith("_") and not name.endswith("_async"):
                        found.update(_called(service, method))
    return found


def _called(service: Any, method: Any) -> Iterator[tuple[tuple[str, str], Any]]:
    asked: list[tuple[str, str]] = []

    class Silent(service):
        def __init__(self) -> None:
            pass

        def _request(self, verb: str, url: str, **rest: Any) -> None:
            asked.append((verb.upper(), url))

    parameters = inspect.signature(method).parameters
    ids = ["ID" for name in parameters if name not in ("self", "params", "options")]
    method(Silent(), *ids, params={})
    [name] = re.findall(r"\w+Params", str(parameters["params"].annotation))
    package = [part for part in method.__module__.split(".")[1:] if not part.startswith("_")]
    params = getattr(importlib.import_module(".".join(["stripe.params", *package])), name)
    yield asked[0], params


def fields_of(declared_type: Any) -> dict[str, Any]:
    """A TypedDict's own fields, without the options that each request takes."""
    names = {**vars(_request_options), "StripeContext": StripeContext}
    hints = typing_extensions.get_type_hints(declared_type, localns=names)
    options = set(_request_options.RequestOptions.__annotations__)
    return {name: hint for name, hint in hints.items() if name not in options}


def parts(hint: Any) -> Iterator[Any]:
    """A type and everything within its unions and lists."""
    yield hint
    if get_origin(hint) is not Literal:
        for inside in get_args(hint):
            yield from parts(inside)


def generous(schema: Schema, declared_type: Any, path: str) -> list[str]:
    """Where the sandbox takes more than the SDK declares."""
    hints, found = fields_of(declared_type), []
    for name, field in schema.items():
        here = f"{path}[{name}]" if path else name
        if here in BROWSERS:
            continue
        if name not in hints:
            found.append(f"{here} is not Stripe's")
        elif name not in FREE:
            found += _within(field, hints[name], here)
    return found


def _within(field: Any, hint: Any, path: str) -> list[str]:
    """What the sandbox's field takes (it keeps that in a closure) beside what the SDK says."""
    holds = inspect.getclosurevars(field).nonlocals
    inner = list(parts(hint))
    if "item" in holds:
        return _within(holds["item"], hint, f"{path}[]")
    if "choices" in holds:
        values = {each for part in inner if get_origin(part) is Literal for each in get_args(part)}
        taken = {f"{path}={each}" for each in holds["choices"] if each not in values}
        return [f"{each} is not Stripe's" for each in sorted(taken - BROWSERS)]
    if "schema" in holds:
        shapes = [part for part in inner if typing_extensions.is_typeddict(part)]
        if not shapes:
            return [f"{path} is no object"]
        return min((generous(holds["schema"], each, path) for each in shapes), key=len)
    return []


ROUTES = [route for module in api._MODULES for route in module.ROUTES]
DECLARED = declared()


def address(route: Route) -> tuple[str, str]:
    return route.method, re.sub("<.>", "ID", route.path)


def test_each_address_is_stripes() -> None:
    assert {address(route) for route in ROUTES} - DECLARED.keys() == ELSEWHERE


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: " ".join(address(route)))
def test_no_more_is_taken_and_no_less_is_required(route: Route) -> None:
    if address(route) in ELSEWHERE:
        return
    params = DECLARED[address(route)]
    assert generous(route.schema, params, "") == []
    assert set(params.__required_keys__) <= set(route.required)


def test_the_judge_sees_what_is_too_much() -> None:
    params = DECLARED["POST", "/v1/payment_intents"]
    [create] = [one for one in ROUTES if address(one) == ("POST", "/v1/payment_intents")]
    hidden = inspect.getclosurevars(create.schema["shipping"]).nonlocals["schema"]
    assert generous({"flavour": hidden["name"]}, params, "") == ["flavour is not Stripe's"]
    assert _within(create.schema["capture_method"], Literal["manual"], "x") == [
        "x=automatic is not Stripe's",
        "x=automatic_async is not Stripe's",
    ]
