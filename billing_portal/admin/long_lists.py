"""Lists of tables that grow with every call: a page reads little more than what it shows.

Django's own lists count the rows and sort the table for every page. Here the count ends at a bound,
and each order is one that an index has: of one account its own, else that of the rows' ids; only
the rows of a range of time are sorted, found by a BRIN index.
"""

from collections.abc import Sequence
from typing import Any, cast

from django.contrib.admin import ShowFacets
from django.core.paginator import Paginator
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.functional import cached_property
from unfold.views import ChangeList

from accounts.models import Account
from billing_portal.admin.base import ReadOnlyAdmin

#: Rows that are counted and can be paged through; beyond them one narrows the list.
MOST_ROWS = 10_000
#: Accounts that a name searched for may mean.
MOST_ACCOUNTS = 100


class BoundedPaginator(Paginator):
    """Counts and turns pages up to MOST_ROWS, however many rows there are."""

    template_name = "admin/bounded_pagination.html"

    @cached_property
    def _counted(self) -> int:
        # One more than the bound tells whether there are more.
        rows = cast("QuerySet[Any]", self.object_list)
        return rows.order_by()[: MOST_ROWS + 1].count()

    @property
    def count(self) -> int:
        """How many rows can be paged through."""
        return min(self._counted, MOST_ROWS)

    @property
    def has_more(self) -> bool:
        """Whether there are rows beyond the bound."""
        return self._counted > MOST_ROWS


class LongChangeList(ChangeList):
    """Leaves the order to its admin: an address may ask for any other."""

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> list[str]:
        """Return the admin's order."""
        return list(self.model_admin.get_ordering(request))


class LongListAdmin(ReadOnlyAdmin):
    """A list that is as quick with ten million rows as with a hundred."""

    paginator = BoundedPaginator
    show_facets = ShowFacets.NEVER
    #: By another column the table would have to be sorted.
    sortable_by = ()
    #: The order of one account's rows, as its index has it.
    order_of_an_account: tuple[str, ...]
    #: The column that a range of time narrows.
    time_field: str
    #: What the platform calls a row, unique within an account and found by an index.
    name_field: str

    def get_changelist(self, request: HttpRequest, **options: Any) -> type[LongChangeList]:
        """Return the list that keeps to our order."""
        return LongChangeList

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        """Return the order that an index has for what the list is narrowed to."""
        if any(name.startswith("account__") for name in request.GET):
            return self.order_of_an_account
        if any(value for name, value in request.GET.items() if name.startswith(self.time_field)):
            return (f"-{self.time_field}", "-id")
        return ("-id",)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Find the rows called so, else those of the accounts called so."""
        term = search_term.strip()
        if not term:
            return queryset, False
        # Each account's index is asked for the name: much less to read than the table.
        accounts = Account.objects.values("pk")
        rows = self.model._default_manager.filter(account__in=accounts)
        found = list(
            rows.filter(**{self.name_field: term}).values_list("pk", flat=True)[:MOST_ROWS]
        )
        found += self.also_found(term)
        if found:
            return queryset.filter(pk__in=found), False
        named = Account.objects.filter(Q(name__icontains=term) | Q(owner_email__icontains=term))
        return queryset.filter(account__in=list(named[:MOST_ACCOUNTS])), False

    def also_found(self, term: str) -> Sequence[int]:
        """Return the ids of rows that `term` means in another way."""
        return ()
