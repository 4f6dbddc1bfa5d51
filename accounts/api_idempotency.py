"""The `Idempotency-Key` of the REST API (draft-ietf-httpapi-idempotency-key-header).

As Stripe's users know it: the same key and body bring the first answer again, marked with
`Idempotency-Replayed: true`; another body, or the same while the first is under way, is a 409.
"""

import hashlib
import json
from collections.abc import Callable
from datetime import datetime
from typing import Final, cast

from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter
from rest_framework import exceptions
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import idempotency
from accounts.api import Conflict
from accounts.models import ApiKey, IdempotentRequest

_HEADER: Final = "Idempotency-Key"
_LONGEST: Final = 255

IDEMPOTENCY: Final = (
    OpenApiParameter(
        _HEADER,
        {"type": "string", "minLength": 1, "maxLength": _LONGEST, "pattern": "^[!#-~]+$"},
        OpenApiParameter.HEADER,
        description="A new one for each thing to be done, such as a UUID; the same when it is "
        "sent again: then it is done once, and the first answer comes again, for 48 hours.",
    ),
    OpenApiParameter(
        "Idempotency-Replayed",
        {"type": "string", "enum": ["true"]},
        OpenApiParameter.HEADER,
        description="This is the answer to an earlier request under the key.",
        response=[200, 201],
    ),
    OpenApiParameter(
        "Retry-After",
        {"type": "string", "pattern": "^[0-9]+$"},
        OpenApiParameter.HEADER,
        description="Seconds to wait, while the same request is under way.",
        response=[409],
    ),
)


class KeyReused(Conflict):
    """The key was used for something else."""

    default_detail = "Something else was asked for under this Idempotency-Key: use a new one."
    default_code = "idempotency_key_reused"


class InProgress(Conflict):
    """The same request is under way."""

    default_detail = "This request is under way. Send it again to learn its outcome."
    default_code = "request_in_progress"

    def __init__(self, until: datetime) -> None:
        """Say when to send it again."""
        super().__init__()
        self.wait = max(1, int((until - timezone.now()).total_seconds()) + 1)


def once(
    request: Request,
    *,
    target: str,
    carry_out: Callable[[str], Response],
    is_atomic: bool,
) -> Response | HttpResponse:
    """Answer a request that may come with an Idempotency-Key.

    `carry_out` is given a key for what it does, "" without a header. With `is_atomic` its effect
    and the answer are committed together: it must do nothing beyond the database.
    """
    sent = request.headers.get(_HEADER)
    if sent is None:
        return carry_out("")
    claimed = _claim(request, target, _checked(sent))
    if claimed.status is not None:
        return HttpResponse(
            claimed.body,
            status=claimed.status,
            content_type="application/json",
            headers={"Idempotency-Replayed": "true"},
        )
    try:
        if is_atomic:
            with transaction.atomic():
                return _keep(claimed, carry_out)
        return _keep(claimed, carry_out)
    except (exceptions.APIException, ValidationError):
        idempotency.give_up(request=claimed)
        raise
    except Exception:
        idempotency.let_go(request=claimed, now=timezone.now())
        raise


def _claim(request: Request, target: str, idempotency_key: str) -> IdempotentRequest:
    content = json.dumps(request.data, sort_keys=True, separators=(",", ":"))
    try:
        return idempotency.claim(
            api_key=cast(ApiKey, request.auth),
            target=target,
            idempotency_key=idempotency_key,
            fingerprint=hashlib.sha256(content.encode()).hexdigest(),
            now=timezone.now(),
        )
    except idempotency.KeyReused as error:
        raise KeyReused from error
    except idempotency.InProgress as error:
        raise InProgress(error.until) from error


def _keep(claimed: IdempotentRequest, carry_out: Callable[[str], Response]) -> Response:
    response = carry_out(f"idempotency-{claimed.pk}")
    body = JSONRenderer().render(response.data).decode()
    idempotency.keep(request=claimed, status=response.status_code, body=body)
    return response


def _checked(sent: str) -> str:
    """Return the key without the quotes that the draft puts around it. Raises ValidationError."""
    quoted = len(sent) > 1 and sent.startswith('"') and sent.endswith('"')
    key = sent[1:-1] if quoted else sent
    visible = all("!" <= character <= "~" and character != '"' for character in key)
    if not key or len(key) > _LONGEST or not visible:
        raise exceptions.ValidationError(
            {_HEADER: [f"Send 1 to {_LONGEST} visible ASCII characters, such as a UUID."]}
        )
    return key
