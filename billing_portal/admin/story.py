"""What an account's story is made of: facts at the top, panels below."""

from dataclasses import dataclass, field

from django.db.models import Model

from accounts.models import Account
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
    wide: bool = True

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


@dataclass
class Story:
    """What is known about an account that the reader may see."""

    facts: list[Fact] = field(default_factory=list)
    panels: list[Panel] = field(default_factory=list)

    @property
    def columns(self) -> list[list[Panel]]:
        """The narrow panels that have something to show, in two columns."""
        narrow = [panel for panel in self.panels if not panel.wide and panel.rows]
        return [narrow[:1], narrow[1:]]

    @property
    def wide(self) -> list[Panel]:
        """The panels that take the whole width."""
        return [panel for panel in self.panels if panel.wide]


def all_of(account: Account, model: type[Model]) -> str:
    """Return the address of the list of everything of a kind that an account has."""
    return list_url(model, f"?account__id__exact={account.pk}")
