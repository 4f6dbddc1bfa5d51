"""Lists of tables that grow with every call: a page reads little more than what it shows.

Django's own lists sort the table for every page, and search by reading all of it. Here each order
is one that an index has: of one account its own, else that of the ids; only the rows of a range
of time are sorted, found by a BRIN index. What is searched for is what names a row, or an account.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.contrib.admin import ShowFacets
from django.db.models import QuerySet
from django.http import HttpRequest

from billing_portal.admin import search
from billing_portal.admin.base import ReadOnlyAdmin
from billing_portal.admin.pagination import MOST_ROWS
from billing_portal.admin.rows import PortalChangeList

#: A name searched for may mean more accounts; rows are listed of so many, the newest of each.
MOST_ACCOUNTS = 50
NEWEST_OF_EACH = 20


class LongChangeList(PortalChangeList):
    """Leaves the order to its admin: an address may ask for any other."""

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> list[str]:
        """Return the admin's order."""
        return list(self.model_admin.get_ordering(request))


class LongListAdmin(ReadOnlyAdmin):
    """A list that is as quick with ten million rows as with a hundred."""

    show_facets = ShowFacets.NEVER
    #: By another column the table would have to be sorted.
    sortable_by = ()
    #: The order of one account's rows, as its index has it.
    order_of_an_account: tuple[str, ...] = ("-id",)
    #: Whose a row is.
    account_field = "account"
    #: The column that a range of time narrows, where an index finds it.
    time_field = ""
    #: What names a row by itself, each found by an index: `number`, `stripe_refund_id`.
    names: tuple[str, ...] = ()

    def get_changelist(self, request: HttpRequest, **options: Any) -> type[LongChangeList]:
        """Return the list that keeps to our order."""
        return LongChangeList

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        """Return the order that an index has for what the list is narrowed to."""
        if any(name.startswith(f"{self.account_field}__") for name in request.GET):
            return self.order_of_an_account
        is_of_a_time = self.time_field and any(
            value for name, value in request.GET.items() if name.startswith(self.time_field)
        )
        return (f"-{self.time_field}", "-id") if is_of_a_time else ("-id",)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Find the rows called so, else those of the accounts that may be meant."""
        term = search_term.strip()
        if not term:
            return queryset, False
        if "\0" in term:
            return queryset.none(), False
        found = [*self._named(term, self._account_of_the_list(request)), *self.also_found(term)]
        if found:
            return queryset.filter(pk__in=found), False
        return self._newest_of(queryset, search.named(term)[:MOST_ACCOUNTS]), False

    def _newest_of(self, rows: QuerySet[Any], accounts: list[UUID]) -> QuerySet[Any]:
        """Return each account's newest rows, from its index.

        Asked for the newest rows of several accounts at once, PostgreSQL may read the table
        backwards until it has found enough.
        """
        if not accounts:
            return rows.none()
        if len(accounts) == 1:
            own = rows.filter(**{self.account_field: accounts[0]})
            return own.order_by(*self.order_of_an_account)
        each = [
            self.model._default_manager.filter(**{self.account_field: account})
            .order_by(*self.order_of_an_account)
            .values_list("pk", flat=True)[:NEWEST_OF_EACH]
            for account in accounts
        ]
        # Asked for now: a query of so many parts takes longer to plan than to answer, each time.
        return rows.filter(pk__in=list(each[0].union(*each[1:], all=True)))

    def _account_of_the_list(self, request: HttpRequest) -> UUID | None:
        """Return the account that the list is narrowed to."""
        try:
            return UUID(request.GET.get(f"{self.account_field}__id__exact", ""))
        except ValueError:
            return None

    def _named(self, term: str, account: UUID | None) -> list[int]:
        rows = self.model._default_manager.order_by().values_list("pk", flat=True)
        if account:
            # What the platform calls a row it may call one of each account.
            rows = rows.filter(**{self.account_field: account})
        each = [
            rows.filter(**{name: asked})[:MOST_ROWS]
            for name in self.names
            for asked in dict.fromkeys((term, term.upper()))
        ]
        if not each:
            return []
        return list(each[0].union(*each[1:]) if len(each) > 1 else each[0])

    def also_found(self, term: str) -> Sequence[int]:
        """Return the ids of rows that `term` means in another way."""
        return ()
