"""The account, events, and webhook endpoints."""

from __future__ import annotations

from copy import deepcopy
from urllib.parse import urlsplit

from ..errors import Json, StripeError
from ..lists import page
from ..params import CURSOR, PAGE, boolean, list_of, mapping, merge_metadata, text
from ..routing import Route
from ..store import TEMPLATES, Tx, random_text

_FIELDS = {
    "url": text,
    "enabled_events": list_of(text),
    "description": text,
    "metadata": mapping,
}


def account(tx: Tx, params: Json, object_id: str | None = None) -> Json:
    if object_id not in (None, TEMPLATES["account"]["id"]):
        raise StripeError(
            f"The provided key does not have access to account '{object_id}'.",
            status=403,
            code="account_invalid",
        )
    return deepcopy(TEMPLATES["account"])


def event_list(tx: Tx, params: Json) -> Json:
    kinds = params.get("types") or params.get("type")
    return page(tx, "event", "/v1/events", params, type=kinds)


def event_retrieve(tx: Tx, params: Json, object_id: str) -> Json:
    return tx.load("event", object_id)


def _check(params: Json) -> None:
    if "url" in params:
        address = urlsplit(params["url"] or "")
        if address.scheme not in ("http", "https") or not address.hostname:
            raise StripeError(
                "Invalid URL: an explicit scheme must be provided", param="url", code="url_invalid"
            )
    if "enabled_events" in params and not params["enabled_events"]:
        raise StripeError("enabled_events must not be empty", param="enabled_events")


def endpoint_create(tx: Tx, params: Json) -> Json:
    _check(params)
    endpoint = tx.new("webhook_endpoint", status="enabled")
    for name in ("url", "enabled_events", "description", "api_version"):
        endpoint[name] = params.get(name)
    endpoint["metadata"] = merge_metadata({}, params.get("metadata") or {})
    secret = "whsec_" + random_text(32)
    tx.insert(endpoint, {"secret": secret})
    return {**endpoint, "secret": secret}


def endpoint_retrieve(tx: Tx, params: Json, object_id: str) -> Json:
    return tx.load("webhook_endpoint", object_id)


def endpoint_update(tx: Tx, params: Json, object_id: str) -> Json:
    _check(params)
    endpoint = tx.load("webhook_endpoint", object_id)
    for name in ("url", "enabled_events", "description"):
        if name in params:
            endpoint[name] = params[name]
    if "disabled" in params:
        endpoint["status"] = "disabled" if params["disabled"] else "enabled"
    if "metadata" in params:
        endpoint["metadata"] = merge_metadata(endpoint["metadata"], params["metadata"])
    return tx.save(endpoint)


def endpoint_delete(tx: Tx, params: Json, object_id: str) -> Json:
    tx.load("webhook_endpoint", object_id)
    tx.delete(object_id)
    return {"id": object_id, "object": "webhook_endpoint", "deleted": True}


def endpoint_list(tx: Tx, params: Json) -> Json:
    return page(tx, "webhook_endpoint", "/v1/webhook_endpoints", params)


ROUTES = [
    Route("GET", "/v1/account", account),
    Route("GET", "/v1/accounts/<a>", account),
    Route("GET", "/v1/events", event_list, {**PAGE, "type": text, "types": list_of(text)}),
    Route("GET", "/v1/events/<a>", event_retrieve),
    Route(
        "POST",
        "/v1/webhook_endpoints",
        endpoint_create,
        {**_FIELDS, "api_version": text, "connect": boolean},
        ("url", "enabled_events"),
    ),
    Route("GET", "/v1/webhook_endpoints", endpoint_list, CURSOR),
    Route("GET", "/v1/webhook_endpoints/<a>", endpoint_retrieve),
    Route("POST", "/v1/webhook_endpoints/<a>", endpoint_update, {**_FIELDS, "disabled": boolean}),
    Route("DELETE", "/v1/webhook_endpoints/<a>", endpoint_delete),
]
