"""Puts the examples of the calls, and those of errors, into the schema of the API."""

from collections.abc import Mapping
from typing import Any, Final

from billing_portal.api_examples import ACCOUNT_ID, EXAMPLES, RENTAL, Example, invalid

#: What any call may answer, by status.
ERRORS: Final[Mapping[str, Any]] = {
    "400": invalid({"page": ["There is no such parameter. There are: page_size, cursor."]}),
    "401": {
        "code": "authentication_failed",
        "detail": "The API key is wrong, expired or revoked.",
        "fields": {},
    },
    "403": {
        "code": "insufficient_scope",
        "detail": "The key lacks the scope accounts:write.",
        "fields": {},
    },
    "404": {"code": "not_found", "detail": "No account has this id.", "fields": {}},
    "409": {
        "code": "idempotency_key_reused",
        "detail": "Something else was asked for under this Idempotency-Key: use a new one.",
        "fields": {},
    },
    "411": {
        "code": "length_required",
        "detail": "Send the body with a Content-Length, not in chunks.",
        "fields": {},
    },
    "413": {
        "code": "body_too_large",
        "detail": "The body is larger than 8,388,608 bytes.",
        "fields": {},
    },
    "415": {
        "code": "unsupported_media_type",
        "detail": 'Unsupported media type "text/plain" in request.',
        "fields": {},
    },
    "429": {
        "code": "throttled",
        "detail": "Request was throttled. Expected available in 23 seconds.",
        "fields": {},
    },
    "503": {
        "code": "unavailable",
        "detail": "The portal can't do this just now. Send the request again in a moment.",
        "fields": {},
    },
}


def add(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Put the examples into the schema, each where it belongs."""
    for operations in result["paths"].values():
        for operation in operations.values():
            _add_to(operation, EXAMPLES[operation["operationId"]])
    return result


def _add_to(operation: dict[str, Any], example: Example) -> None:
    values = {"id": ACCOUNT_ID, "feature": RENTAL, **example.query}
    for parameter in operation.get("parameters", []):
        if parameter["name"] in values:
            parameter["example"] = values[parameter["name"]]
    if example.body is not None:
        content = operation["requestBody"]["content"]
        content["application/json"]["example"] = example.body
        if lines := content.get("application/x-ndjson"):
            lines["example"] = example.body["records"][0]
    for status, response in operation["responses"].items():
        answer = example.answers.get(status, ERRORS.get(status))
        if status == "403":
            answer = {**answer, "detail": response["description"].replace("`", "")}
        if answer is not None:
            response["content"]["application/json"]["example"] = answer
