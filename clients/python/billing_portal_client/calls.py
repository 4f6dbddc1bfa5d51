"""The calls of the API, by subject. `account` is the portal's id of it or `external:` and yours."""

import secrets
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, Literal, TypeVar
from urllib.parse import quote

import httpx

from billing_portal_client.decoding import decode
from billing_portal_client.errors import UnexpectedAnswer
from billing_portal_client.records import UsageRecord
from billing_portal_client.results import (
    Account,
    Allowance,
    Authorization,
    Entry,
    Feature,
    HeldRental,
    Plan,
    RatedUsage,
    Rental,
    RentalQuote,
    Transaction,
    UsageReport,
)
from billing_portal_client.transport import NO_RETRIES, Retries, Transport

PAGE_SIZE: Final = 200
Result = TypeVar("Result")


def _address(*parts: str) -> str:
    return "/".join(quote(part, safe=":") for part in parts) + "/"


def _given(**values: str | None) -> dict[str, str]:
    return {name: value for name, value in values.items() if value is not None}


def _idempotency(key: str | None) -> dict[str, str]:
    """Name a request, so that its repetition gets the first answer."""
    return {"Idempotency-Key": key or secrets.token_hex(16)}


class _Calls:
    """The base of each subject."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def _get(self, kind: type[Result], path: str, params: Mapping[str, str | int]) -> Result:
        return decode(kind, self._transport.request("GET", path, repeatable=True, params=params))

    def _pages(self, kind: type[Result], path: str, params: Mapping[str, str]) -> Iterator[Result]:
        """Yield what is on all pages, asking for each page when it is come to.

        Of `next` only the cursor is used: the portal may know itself by another address.
        """
        asked: dict[str, str | int] = {**params, "page_size": PAGE_SIZE}
        while True:
            page = self._transport.request("GET", path, repeatable=True, params=asked)
            if not isinstance(page, dict) or not isinstance(page.get("results"), list):
                raise UnexpectedAnswer(f"GET {path}: no page of results")
            for result in page["results"]:
                yield decode(kind, result)
            if not page.get("next"):
                return
            asked["cursor"] = httpx.URL(page["next"]).params["cursor"]


class Accounts(_Calls):
    """Making, reading and changing accounts."""

    def provision(
        self,
        *,
        external_id: str,
        name: str,
        owner_email: str,
        plan: str | None = None,
        timezone: str | None = None,
        idempotency_key: str | None = None,
    ) -> Account:
        """Make an account, or return the one that was made with the same content.

        Without a plan it is on pay as you go. Raises Conflict when the external id was provisioned
        with other content.
        """
        content = {"external_id": external_id, "name": name, "owner_email": owner_email}
        made = self._transport.request(
            "POST",
            "accounts/",
            repeatable=True,
            json=content | _given(plan=plan, timezone=timezone),
            headers=_idempotency(idempotency_key),
        )
        return decode(Account, made)

    def get(self, account: str) -> Account:
        """Return an account. Raises NotFound."""
        return self._get(Account, _address("accounts", account), {})

    def list(self, *, external_id: str | None = None) -> Iterator[Account]:
        """Yield all accounts, newest first, or the one with an external id."""
        return self._pages(Account, "accounts/", _given(external_id=external_id))

    def change(
        self,
        account: str,
        *,
        name: str | None = None,
        owner_email: str | None = None,
        timezone: str | None = None,
    ) -> Account:
        """Change what is given, and return the account. Repeated, it sets the same again."""
        changed = self._transport.request(
            "PATCH",
            _address("accounts", account),
            repeatable=True,
            json=_given(name=name, owner_email=owner_email, timezone=timezone),
        )
        return decode(Account, changed)


class Authorizations(_Calls):
    """May a call start?"""

    def check(
        self,
        account: str,
        *,
        feature: str | None = None,
        timeout: float = 1.0,
        retries: Retries = NO_RETRIES,
    ) -> Authorization:
        """Ask; nothing is reserved.

        Somebody waits for a call to start, so it gives up after `timeout` seconds and asks once:
        raises Unreachable or another PortalError, and whether the call starts is yours to decide.
        """
        answer = self._transport.request(
            "GET",
            _address("accounts", account, "authorization"),
            repeatable=True,
            params=_given(feature=feature),
            timeout=timeout,
            retries=retries,
        )
        return decode(Authorization, answer)


class Usage(_Calls):
    """Reporting usage and reading it back."""

    def report(
        self, records: Iterable[UsageRecord], *, results: Literal["all", "none"] = "all"
    ) -> UsageReport:
        """Report 1 to 10,000 records; a record counts once for its id, however often it is sent.

        Look at `rejected`: a bad record holds back no good one. With `results="none"` the report
        lists the rejected only. To lose nothing when the portal can't be reached, or this process
        dies, use a UsageRecorder.
        """
        answer = self._transport.request(
            "POST",
            "usage/",
            repeatable=True,
            params={"results": results},
            json={"records": [record.as_json() for record in records]},
        )
        return decode(UsageReport, answer)

    def list(
        self, account: str, *, feature: str | None = None, workspace: str | None = None
    ) -> Iterator[RatedUsage]:
        """Yield rated records, newest first."""
        params = _given(feature=feature, workspace=workspace)
        return self._pages(RatedUsage, _address("accounts", account, "usage"), params)


class Rentals(_Calls):
    """Numbers, seats and slots."""

    def list(self, account: str) -> Iterator[HeldRental]:
        """Yield every rental of the account's plan, held or not."""
        return self._pages(HeldRental, _address("accounts", account, "rentals"), {})

    def quote(self, account: str, feature: str, quantity: int) -> RentalQuote:
        """Return what holding `quantity` would charge; its `quote` keeps the price ten minutes."""
        path = _address("accounts", account, "rentals", feature)
        return self._get(RentalQuote, path, {"quantity": quantity})

    def set(
        self,
        account: str,
        feature: str,
        quantity: int,
        *,
        quote: str | None = None,
        idempotency_key: str | None = None,
    ) -> Rental:
        """Hold this many. More are charged at once, and held once `transaction.status` is `paid`.

        Raises Conflict (`payment_open`, `quote_expired`).
        """
        content: dict[str, Any] = {"quantity": quantity, **_given(quote=quote)}
        answer = self._transport.request(
            "PUT",
            _address("accounts", account, "rentals", feature),
            repeatable=True,
            json=content,
            headers=_idempotency(idempotency_key),
        )
        return decode(Rental, answer)


class Entries(_Calls):
    """The ledger."""

    def list(self, account: str, *, kind: str | None = None) -> Iterator[Entry]:
        """Yield the lines of the ledger, newest first."""
        return self._pages(Entry, _address("accounts", account, "entries"), _given(kind=kind))


class Transactions(_Calls):
    """Billing History."""

    def list(self, account: str, *, status: str | None = None) -> Iterator[Transaction]:
        """Yield payments, newest first."""
        path = _address("accounts", account, "transactions")
        return self._pages(Transaction, path, _given(status=status))


class Allowances(_Calls):
    """What the current period includes."""

    def list(self, account: str) -> Iterator[Allowance]:
        """Yield the allowances of the current period."""
        return self._pages(Allowance, _address("accounts", account, "allowances"), {})


class Catalogue(_Calls):
    """What is sold."""

    def features(self) -> Iterator[Feature]:
        """Yield everything that is sold."""
        return self._pages(Feature, "features/", {})

    def plans(self) -> Iterator[Plan]:
        """Yield every plan on sale."""
        return self._pages(Plan, "plans/", {})
