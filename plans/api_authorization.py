"""May a call start? The platform asks before each call."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import exceptions, serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api_parameters import Parameters, Text
from accounts.api_schema import ACCOUNT_ID, errors
from accounts.api_views import ApiView
from accounts.models import PauseReason
from plans import authorization

#: Why a call may not start: what pauses services, and what the account never had.
REASONS = [*PauseReason.values, "no_subscription", "not_in_plan"]


class AuthorizationSerializer(serializers.Serializer[Any]):
    """Whether a call may start, and why not."""

    allowed = serializers.BooleanField()
    services = serializers.ChoiceField(choices=[("active", "active"), ("paused", "paused")])
    reasons = serializers.ListField(child=serializers.ChoiceField(choices=REASONS))
    balance = serializers.DecimalField(max_digits=18, decimal_places=6, help_text="USD.")
    included_remaining = serializers.DecimalField(
        max_digits=18, decimal_places=6, help_text="Of `feature`; 0 without one."
    )
    limit = serializers.IntegerField(
        required=False, help_text="For a rental: how many may be in use."
    )


class AuthorizationParameters(Parameters):
    """What the call is about to use."""

    feature = Text(
        required=False, allow_blank=True, help_text="Ask whether the plan has this feature."
    )


class AuthorizationView(ApiView):
    """`GET /accounts/{id}/authorization/`."""

    parameters = {"GET": AuthorizationParameters}
    throttle_scope = "authorization"

    @extend_schema(
        operation_id="authorize",
        tags=["Usage"],
        summary="May a call start?",
        parameters=[ACCOUNT_ID],
        responses={200: AuthorizationSerializer, **errors(400, 404)},
    )
    def get(self, request: Request, id: str) -> Response:  # noqa: A002
        """Answer from what is stored at this moment: nothing is reserved."""
        feature = self.asked.get("feature") or None
        try:
            answer = authorization.check(account=id, feature=feature, now=timezone.now())
        except authorization.UnknownAccount as error:
            raise exceptions.NotFound("No account has this id.", code="unknown_account") from error
        except authorization.UnknownFeature as error:
            raise exceptions.NotFound(
                "No feature has this key; see GET /features/.", code="unknown_feature"
            ) from error
        body = {
            "allowed": answer.allowed,
            "services": answer.services,
            "reasons": answer.reasons,
            "balance": f"{answer.balance:.6f}",
            "included_remaining": f"{answer.included_remaining:.6f}",
        }
        if answer.limit is not None:
            body["limit"] = answer.limit
        return Response(body)
