"""What an account's story is made of: troubles and facts at the top, panels below."""

from dataclasses import dataclass

from django.db.models import Model

from accounts.models import Account
from billing_portal.admin.account_standing import Trouble
from billing_portal.admin.cells import Cell, list_url

#: How many of the newest records a panel shows.
NEWEST = 20
Row = list[Cell]


@dataclass(kw_only=True)
class Panel:
    """One table of the story."""

    title: str
    headers: list[str]
    rows: list[Row]
    more_url: str = ""
    more_text: str = ""

    @property
    def table(self) -> dict[str, object]:
        """The shape unfold's table component takes."""
        return {"headers": self.headers, "rows": self.rows}


@dataclass(kw_only=True)
class Fact:
    """One figure at the top of the page."""

    title: str
    value: Cell
    note: Cell = ""


@dataclass(kw_only=True)
class Story:
    """What is known about an account that the reader may see; `lists` are titles and addresses."""

    troubles: list[Trouble]
    facts: list[Fact]
    panels: list[Panel]
    lists: list[tuple[str, str]]

    @property
    def shown_panels(self) -> list[Panel]:
        """The panels that have something to show."""
        return [panel for panel in self.panels if panel.rows]


def all_of(account: Account, model: type[Model]) -> str:
    """Return the address of the list of everything of a kind that an account has."""
    return list_url(model, f"?account__id__exact={account.pk}")
