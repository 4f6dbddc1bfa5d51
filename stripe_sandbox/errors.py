"""Errors in Stripe's shape. Whatever the sandbox refuses, it refuses the way Stripe would."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]


class StripeError(Exception):
    """An answer other than 200. What the request had changed is rolled back."""

    keeps_state = False

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        kind: str = "invalid_request_error",
        code: str | None = None,
        param: str | None = None,
        **extra: Any,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.kind = kind
        self.code = code
        self.param = param
        self.extra = extra

    def body(self) -> Json:
        """The error as Stripe writes it: absent parts are left out, not null."""
        error: Json = {"message": self.message, "type": self.kind}
        if self.code:
            error["code"] = self.code
            error["doc_url"] = "https://stripe.com/docs/error-codes/" + self.code.replace("_", "-")
        if self.param:
            error["param"] = self.param
        error.update({name: value for name, value in self.extra.items() if value is not None})
        return {"error": error}


class ParameterError(StripeError):
    """The parameters were refused before anything ran, so no idempotent answer is kept."""


class CardError(StripeError):
    """A decline: the failed charge and the intent's new state stay."""

    keeps_state = True

    def __init__(self, message: str, *, code: str, param: str | None = None, **extra: Any) -> None:
        super().__init__(message, status=402, kind="card_error", code=code, param=param, **extra)


def missing(kind: str, object_id: str, param: str = "id") -> StripeError:
    """404, as Stripe answers for an id it doesn't know."""
    noun = kind.replace("checkout.session", "checkout session").replace("_", "")
    return StripeError(
        f"No such {noun}: '{object_id}'", status=404, code="resource_missing", param=param
    )
