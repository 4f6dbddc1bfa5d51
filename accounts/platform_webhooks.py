"""One attempt to tell the platform of an event: signed, and posted to its address.

Signed as the Standard Webhooks specification says. When it is tried, and how often, is decided in
outbox.py.
"""

import ipaddress
import json
import socket
from datetime import UTC, datetime
from typing import Any
from urllib.parse import SplitResult, urlsplit

import requests
from django.conf import settings
from requests.adapters import HTTPAdapter
from standardwebhooks.webhooks import Webhook

from accounts.models import Message

#: How long to wait for a connection, and then for each part of an answer.
TIMEOUT_SECONDS = 10


class PlatformRefused(Exception):
    """The platform answered, and not with 2xx: it may still take another event."""

    def __init__(self, status: int) -> None:
        super().__init__(f"The platform answered {status}.")
        self.status = status


class PlatformUnreachable(Exception):
    """Nobody answered at the platform's address, or nothing may be sent there."""


def is_listening() -> bool:
    """Return whether there is a platform to tell: without an address, nobody listens."""
    return bool(settings.PLATFORM_WEBHOOK_URL)


def post(message: Message, *, now: datetime) -> int:
    """Post a recorded event to the platform; return what it answered, which is 2xx.

    Every attempt has the same `webhook-id`: the platform knows by it what it was told before.
    Raises PlatformRefused or PlatformUnreachable.
    """
    body = json.dumps(content(message))
    webhook_id = f"message-{message.pk}"
    headers = {
        "content-type": "application/json",
        "user-agent": "billing-portal",
        "webhook-id": webhook_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(settings.PLATFORM_WEBHOOK_SECRET).sign(
            webhook_id, now.astimezone(UTC), body
        ),
    }
    with requests.Session() as session:
        # Neither a proxy nor a .netrc of this machine: the address that was checked, and no other.
        session.trust_env = False
        url = settings.PLATFORM_WEBHOOK_URL
        if not settings.DEBUG:
            url = _only_public(session, headers, urlsplit(url), attempt=message.attempts)
        try:
            # Streamed, for the status is all we want: a body without end is not read.
            with session.post(
                url,
                data=body.encode(),
                headers=headers,
                timeout=TIMEOUT_SECONDS,
                allow_redirects=False,
                stream=True,
            ) as answer:
                status = answer.status_code
        except requests.RequestException as error:
            raise PlatformUnreachable(f"{type(error).__name__}: {error}") from error
    if not 200 <= status < 300:
        raise PlatformRefused(status)
    return status


def content(message: Message) -> dict[str, Any]:
    """Return what the platform is told: the event, when it happened, and to which account."""
    account = message.account
    if account is None:
        raise ValueError(f"{message} is about no account.")
    return {
        "type": message.event,
        "timestamp": message.created_at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "data": {
            "account": {"id": str(account.pk), "external_id": account.external_id},
            **message.payload,
        },
    }


class _CheckedAddress(HTTPAdapter):
    """Connects to an IP address, and asks of its certificate the name it was looked up by."""

    def __init__(self, hostname: str) -> None:
        self.hostname = hostname
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Have the name sent and verified, where urllib3 would take the address."""
        super().init_poolmanager(*args, **kwargs, server_hostname=self.hostname)


def _only_public(
    session: requests.Session, headers: dict[str, str], target: SplitResult, *, attempt: int
) -> str:
    """Return the URL at an address that was checked, for `session` to connect to.

    The name is looked up once: a second look-up could lead elsewhere (DNS rebinding). Each attempt
    takes the next of its addresses. Raises PlatformUnreachable if any of them is not public.
    """
    hostname = target.hostname or ""
    if target.scheme != "https":
        raise PlatformUnreachable("PLATFORM_WEBHOOK_URL is not https.")
    addresses = _look_up(hostname, target.port or 443)
    for address in addresses:
        if not is_public(address):
            raise PlatformUnreachable(
                f"{hostname} leads to {address}, which is not a public address."
            )
    address = addresses[attempt % len(addresses)]
    session.mount("https://", _CheckedAddress(hostname))
    headers["host"] = target.netloc
    host = f"[{address}]" if ":" in address else address
    return target._replace(netloc=f"{host}:{target.port or 443}").geturl()


def _look_up(hostname: str, port: int) -> list[str]:
    try:
        found = socket.getaddrinfo(hostname, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise PlatformUnreachable(f"{hostname} was not found: {error}") from error
    return [str(address[0]) for *_, address in found]


def is_public(text: str) -> bool:
    """Return whether an IP address is one of the internet's, also where IPv6 wraps an IPv4."""
    address: ipaddress.IPv4Address | ipaddress.IPv6Address = ipaddress.ip_address(text)
    if isinstance(address, ipaddress.IPv6Address):
        if address.is_site_local:
            return False
        address = address.ipv4_mapped or address.sixtofour or address
    return address.is_global and not address.is_multicast and not address.is_reserved
