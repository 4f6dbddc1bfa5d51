"""Where Stripe sends its events: the endpoint made, kept up to date, and made anew.

Stripe shows the signing secret only when an endpoint is made, so one whose secret is known here is
kept; it is in the database encrypted (kept_secrets.py). The events it is to send are in
`webhooks.EVENTS`; when that list grows, Stripe must be told.
"""

import dataclasses
import uuid
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.db import transaction
from djstripe.enums import WebhookEndpointStatus
from djstripe.models import WebhookEndpoint

from accounts import encryption, gateway
from accounts.webhooks import EVENTS


@dataclass(frozen=True, slots=True)
class Registration:
    """How Stripe was told, and what changed by it.

    `deleted` are the addresses whose place it took. `strangers` are addresses under this portal's
    own that Stripe sends to and the portal does not know: their events are refused.
    """

    endpoint: WebhookEndpoint
    is_new: bool
    was_disabled: bool
    added: list[str]
    removed: list[str]
    strangers: list[str]
    deleted: list[str] = field(default_factory=list)

    @property
    def changed(self) -> bool:
        """Whether Stripe does anything else now than it did before."""
        return self.is_new or self.was_disabled or bool(self.added or self.removed or self.deleted)

    @property
    def has_other_version(self) -> bool:
        """Whether its events are of another API version than the portal is written for.

        Stripe takes the version only when an endpoint is made.
        """
        return bool(self.endpoint.api_version != settings.STRIPE_API_VERSION)


def register_endpoint(*, portal_url: str, replace: bool = False) -> Registration:
    """Have Stripe send what the portal listens to; one endpoint for an address.

    Run again, it tells Stripe of what changed. With `replace` a new endpoint takes the place of the
    one there is: a new signing secret, the pinned API version.

    Raises GatewayUnavailable; GatewayRefused when Stripe does not take the address.
    """
    at_stripe = {
        each["id"]: each
        for each in gateway.list_webhook_endpoints()
        if each["url"].startswith(_prefix(portal_url))
    }
    known = list(_known(portal_url).filter(id__in=at_stripe))
    strangers = [at_stripe[each]["url"] for each in at_stripe.keys() - {one.id for one in known}]
    if known and not replace:
        kept, *others = known
        registration = _update(kept, at_stripe[kept.id], strangers)
    else:
        others = known
        registration = _create(portal_url, strangers)
    for other in others:
        gateway.delete_webhook_endpoint(other.id)
        other.status = WebhookEndpointStatus.disabled
        other.save(update_fields=["status"])
    return dataclasses.replace(registration, deleted=[other.url for other in others])


def missing_events(*, portal_url: str) -> list[str]:
    """Return what the portal listens to and Stripe was not told to send; asks nobody."""
    registered = _known(portal_url).filter(status=WebhookEndpointStatus.enabled).first()
    sent = set(registered.enabled_events) if registered else set()
    return sorted(set(EVENTS) - sent)


def _prefix(portal_url: str) -> str:
    return f"{portal_url}/stripe/webhook/"


def _known(portal_url: str) -> Any:
    """Return the endpoints whose secret is here, newest first."""
    return (
        WebhookEndpoint.objects.filter(
            url__startswith=_prefix(portal_url), livemode=settings.STRIPE_LIVE_MODE
        )
        .exclude(secret="")
        .order_by("-created", "-djstripe_id")
    )


def _create(portal_url: str, strangers: list[str]) -> Registration:
    identity = uuid.uuid4()
    data = gateway.create_webhook_endpoint(
        url=f"{_prefix(portal_url)}{identity}/",
        events=EVENTS,
        metadata={"djstripe_uuid": str(identity)},
    )
    return Registration(
        endpoint=_keep({**data, "secret": encryption.encrypt(data["secret"])}),
        is_new=True,
        was_disabled=False,
        added=sorted(EVENTS),
        removed=[],
        strangers=strangers,
    )


def _keep(data: dict[str, Any]) -> WebhookEndpoint:
    """Keep an endpoint. dj-stripe asks whose it is, and not while its transaction is open."""

    def keep() -> WebhookEndpoint:
        with transaction.atomic():
            return WebhookEndpoint.sync_from_stripe_data(data)

    return gateway.with_answers(keep)


def _update(
    endpoint: WebhookEndpoint, at_stripe: dict[str, Any], strangers: list[str]
) -> Registration:
    sent, wanted = set(at_stripe["enabled_events"]), set(EVENTS)
    was_disabled = at_stripe["status"] != WebhookEndpointStatus.enabled
    if sent != wanted or was_disabled:
        at_stripe = gateway.update_webhook_endpoint(endpoint.id, events=EVENTS)
    # Stripe tells the secret only once.
    kept = {**at_stripe, "secret": endpoint.secret}
    return Registration(
        endpoint=_keep(kept),
        is_new=False,
        was_disabled=was_disabled,
        added=sorted(wanted - sent),
        removed=sorted(sent - wanted),
        strangers=strangers,
    )
