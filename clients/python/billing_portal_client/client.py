"""The client: one object for a portal and a key."""

from types import TracebackType
from typing import Final, Self

import httpx

from billing_portal_client.calls import (
    Accounts,
    Allowances,
    Authorizations,
    Catalogue,
    Entries,
    Rentals,
    Transactions,
    Usage,
)
from billing_portal_client.transport import Retries, Transport

VERSION: Final = "0.1.0"
TIMEOUT_SECONDS: Final = 10.0


class BillingPortal:
    """The API of a portal, for the holder of a key. Threads may share it.

    `url` is the portal's address, such as `https://billing.example.com`. `timeout` is in seconds,
    for each step of a request: connecting, sending, and each wait for a piece of the answer.
    """

    def __init__(
        self,
        url: str,
        *,
        api_key: str,
        timeout: float = TIMEOUT_SECONDS,
        retries: Retries | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._http = httpx.Client(
            base_url=f"{url.rstrip('/')}/api/v1/",
            headers={
                "Authorization": f"Bearer {api_key}",
                "Accept": "application/json",
                "User-Agent": f"billing-portal-client/{VERSION}",
            },
            timeout=timeout,
            transport=transport,
        )
        self.transport = Transport(http=self._http, retries=retries or Retries())
        self.accounts = Accounts(self.transport)
        self.authorization = Authorizations(self.transport)
        self.usage = Usage(self.transport)
        self.rentals = Rentals(self.transport)
        self.entries = Entries(self.transport)
        self.transactions = Transactions(self.transport)
        self.allowances = Allowances(self.transport)
        self.catalogue = Catalogue(self.transport)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
