"""The load: processes that know the portal only by HTTP, and ask again until they are answered.

`python -m tests.crashes.load <orders>`: a file of JSON. Each goes on until there is a file `stop`,
then finishes what it is at. It ends with a report in `<name>.json`: what was answered how often,
and what has been confirmed, so that it can be looked for in the books.
"""

import itertools
import json
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from html import unescape
from pathlib import Path
from typing import Any

import requests

_TIMEOUT_SECONDS = 60
_PAUSE_SECONDS = 0.3
#: After this long without an answer the portal has not recovered.
_PATIENCE_SECONDS = 240
#: What says: ask again.
_AGAIN = {429, 502, 503, 504}


class NeverAnswered(Exception):
    """The portal did not recover."""


@dataclass
class Report:
    """What a loader saw."""

    name: str
    #: How often each status was answered, or each kind of failure came.
    answers: Counter[str] = field(default_factory=Counter)
    #: Ids of usage records, or numbers of forms, that were confirmed.
    confirmed: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


class Loader:
    """Asks until it is answered, and counts."""

    def __init__(self, orders: dict[str, Any]) -> None:
        self.orders = orders
        self.folder = Path(orders["folder"])
        self.session = requests.Session()
        self.report = Report(orders["name"])

    def run(self) -> None:
        """Load until told to stop; leave the report."""
        ask = {"platform": self.report_usage, "customer": self.top_up}[self.orders["kind"]]
        try:
            for number in itertools.count(1):
                if (self.folder / "stop").exists():
                    break
                ask(number)
                time.sleep(self.orders["pause"])
        except NeverAnswered as error:
            self.report.wrong.append(str(error))
        path = self.folder / f"{self.report.name}.json"
        path.with_suffix(".part").write_text(json.dumps(vars(self.report)))
        path.with_suffix(".part").rename(path)

    def insist(self, method: str, path: str, **request: Any) -> requests.Response:
        """Send a request until it is answered for good; a 500 is wrong, however it goes on."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while time.monotonic() < deadline:
            try:
                answer = self.session.request(
                    method, self.orders["url"] + path, timeout=_TIMEOUT_SECONDS, **request
                )
            except requests.RequestException as error:
                self.report.answers[type(error).__name__] += 1
            else:
                self.report.answers[str(answer.status_code)] += 1
                if answer.status_code not in _AGAIN and answer.status_code < 500:
                    return answer
                if answer.status_code not in _AGAIN:
                    self.report.wrong.append(f"{answer.status_code} {method} {path}")
                elif answer.status_code == 503 and "Retry-After" not in answer.headers:
                    self.report.wrong.append(f"503 without Retry-After: {method} {path}")
            time.sleep(_PAUSE_SECONDS)
        raise NeverAnswered(f"{method} {path}: no answer in {_PATIENCE_SECONDS} s")

    # The platform -----------------------------------------------------------------------------
    def report_usage(self, number: int) -> None:
        """Report a batch of calls, the same until it is answered."""
        moment = datetime.now(UTC).isoformat()
        records = [
            {
                "id": f"{self.report.name}-{number}-{place}",
                "account": account,
                "feature": "call_minutes",
                "quantity": str(1 + (number + place) % 9),
                "occurred_at": moment,
            }
            for place, account in enumerate(self._accounts(number))
        ]
        answer = self.insist(
            "POST",
            "/api/v1/usage/",
            json={"records": records},
            headers={"Authorization": f"Bearer {self.orders['token']}"},
        )
        if answer.status_code != 200 or answer.json()["rejected"]:
            self.report.wrong.append(f"{answer.status_code}: {answer.text[:300]}")
            return
        self.report.confirmed += [record["id"] for record in records]

    def _accounts(self, number: int) -> Iterator[str]:
        """The batch's accounts, in an order of its own."""
        accounts: list[str] = self.orders["accounts"]
        for place in range(self.orders["batch"]):
            yield accounts[(number * 7 + place * (1 + number % 3)) % len(accounts)]

    # A customer -------------------------------------------------------------------------------
    def top_up(self, number: int) -> None:
        """Open the form, choose $25 and the card, press; press again until it is answered."""
        cookies = self.orders["cookies"][number % len(self.orders["cookies"])]
        self.session.cookies.clear()
        self.session.cookies.update(cookies)
        page = self.insist("GET", "/billing/top-up/")
        form = _filled_in(page.text)
        if page.status_code != 200 or not form.get("pay_with"):
            self.report.wrong.append(f"{page.status_code}: no form at /billing/top-up/")
            return
        answer = self.insist("POST", "/billing/top-up/", data=form, allow_redirects=False)
        if answer.status_code == 302:
            self.report.confirmed.append(f"{form['key']}")
        elif answer.status_code != 422:  # another one is under way: said to the customer
            self.report.wrong.append(f"{answer.status_code}: POST /billing/top-up/")


def _filled_in(page: str) -> dict[str, Any]:
    """Leave the form as the page proposes it: an amount and a card."""
    filled: dict[str, Any] = {"shown": []}
    for tag in re.findall(r"<input[^>]*>", page):
        attributes = {name: unescape(text) for name, text in re.findall(r'([\w-]+)="([^"]*)"', tag)}
        name, value = attributes.get("name", ""), attributes.get("value", "")
        if name == "shown":
            filled["shown"].append(value)
        elif name in ("amount", "pay_with") and "checked" in tag:
            filled[name] = value
        elif name in ("key", "csrfmiddlewaretoken"):
            filled.setdefault(name, value)
    return filled


if __name__ == "__main__":
    Loader(json.loads(Path(sys.argv[1]).read_text())).run()
