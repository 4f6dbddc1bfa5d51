"""Pages of a list, counted up to a bound: what a count costs does not grow with the table."""

from typing import Any, cast

from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.utils.functional import cached_property

#: Rows that are counted and can be paged through; beyond them one narrows the list.
MOST_ROWS = 10_000


class BoundedPaginator(Paginator):
    """Counts and turns pages up to MOST_ROWS, however many rows there are."""

    template_name = "admin/bounded_pagination.html"

    @cached_property
    def _counted(self) -> int:
        # One more than the bound tells whether there are more.
        rows = cast("QuerySet[Any]", self.object_list)
        # Only ids: what else the list shows of a row is not worked out for all of them.
        return rows.order_by().values("pk")[: MOST_ROWS + 1].count()

    @property
    def count(self) -> int:
        """How many rows can be paged through."""
        return min(self._counted, MOST_ROWS)

    @property
    def has_more(self) -> bool:
        """Whether there are rows beyond the bound."""
        return self._counted > MOST_ROWS
