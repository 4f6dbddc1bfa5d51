"""Does an answer have the types that Stripe's SDK declares for it? The SDK's classes are the judge.

Stripe generates them from its API's description: nullability, element types and the values of
each enumeration are all there. Enumerations are open in the SDK (`Literal[...] | str`); here they
are closed, so that a stand-in invents no value.
"""

from __future__ import annotations

import sys
from decimal import Decimal
from types import UnionType
from typing import Any, ClassVar, ForwardRef, Literal, Union, get_args, get_origin

from stripe import ListObject, StripeObject
from stripe._object_classes import get_object_class
from stripe._stripe_object import UntypedStripeObject


def mistakes(answer: dict[str, Any]) -> list[str]:
    """Where a whole object differs from its class: other types, values or names; missing ones."""
    kind = answer["object"]
    return _of_object(answer, get_object_class("V1", kind), kind)


def _of_object(value: Any, declared: Any, path: str) -> list[str]:
    if not isinstance(value, dict):
        return [f"{path}: {type(value).__name__} instead of an object"]
    fields = {
        name: annotation
        for each in reversed(declared.__mro__)
        for name, annotation in vars(each).get("__annotations__", {}).items()
        if not name.startswith("_") and get_origin(annotation) is not ClassVar
    }
    names = getattr(declared, "_field_remappings", {})
    found = []
    for name, annotation in fields.items():
        key = names.get(name, name)
        if key in value:
            found += _of(value[key], annotation, declared, f"{path}.{key}")
        elif not _nullable(annotation):
            found.append(f"{path}: {key} is missing")
    known = {names.get(name, name) for name in fields}
    return found + [f"{path}: {name} is not Stripe's" for name in value if name not in known]


def _nullable(annotation: Any) -> bool:
    return type(None) in get_args(annotation)


def _of(value: Any, annotation: Any, owner: type, path: str) -> list[str]:
    """Where a value differs from an annotation found in the class `owner`."""
    if isinstance(annotation, str | ForwardRef):
        return _of(value, _class(annotation, owner), owner, path)
    origin, inside = get_origin(annotation), get_args(annotation)
    if origin in (Union, UnionType):
        return _of_one(value, inside, owner, path)
    if origin is Literal:
        return [] if value in inside else [f"{path}: {value!r} is none of its values"]
    if origin is list:
        if not isinstance(value, list):
            return [f"{path}: {type(value).__name__} instead of a list"]
        return [one for each in value for one in _of(each, inside[0], owner, f"{path}[]")]
    if origin is ListObject:
        if not isinstance(value, dict) or value.get("object") != "list":
            return [f"{path}: not a list object"]
        return [one for each in value["data"] for one in _of(each, inside[0], owner, f"{path}[]")]
    if origin in (dict, UntypedStripeObject):
        if not isinstance(value, dict):
            return [f"{path}: {type(value).__name__} instead of a mapping"]
        values = inside[-1]
        return [one for key in value for one in _of(value[key], values, owner, f"{path}.{key}")]
    if annotation is Any:
        return []
    if isinstance(annotation, type) and issubclass(annotation, StripeObject):
        return _of_object(value, annotation, path)
    # Money and rates come as decimal strings.
    wanted = str if annotation is Decimal else annotation
    same = type(value) is wanted
    return [] if same else [f"{path}: {type(value).__name__} instead of {wanted.__name__}"]


def _of_one(value: Any, choices: tuple[Any, ...], owner: type, path: str) -> list[str]:
    """The mistakes by the choice that fits best."""
    if any(get_origin(choice) is Literal for choice in choices):
        choices = tuple(choice for choice in choices if choice is not str)
    if value is None and type(None) in choices:
        return []
    found = [_of(value, choice, owner, path) for choice in choices if choice is not type(None)]
    return min(found, key=lambda each: (len(each), _is_other_type(each)))


def _is_other_type(found: list[str]) -> bool:
    return any(" instead of " in one for one in found)


def _class(name: str | ForwardRef, owner: type) -> Any:
    """The class that a name in quotes means: in its module, or by the object's own name."""
    text = name if isinstance(name, str) else name.__forward_arg__
    scope: Any = sys.modules[owner.__module__]
    for step in text.split("."):
        scope = getattr(scope, step, None)
    if scope is not None:
        return scope
    words = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in text)
    return get_object_class("V1", words.removeprefix("_"))
