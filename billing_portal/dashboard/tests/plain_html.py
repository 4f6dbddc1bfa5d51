"""The portal as a browser without scripts has it: the links and forms of the HTML, and no more."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

from django.test import Client


@dataclass
class Form:
    """Where a form goes, what it sends as it stands, and what its fields may be given."""

    action: str
    method: str
    sent: dict[str, str] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)


class _Reader(HTMLParser):
    """Gathers links and forms."""

    def __init__(self, html: str, here: str) -> None:
        super().__init__()
        self.here = here
        self.links: dict[str, str] = {}
        self.forms: list[Form] = []
        self._form: Form | None = None
        self._href = ""
        self._select = ""
        self._written: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "a":
            self._href, self._written = given.get("href", ""), []
        elif tag == "form":
            self._form = Form(given.get("action") or self.here, given.get("method", "get").lower())
            self.forms.append(self._form)
        elif self._form is not None:
            self._field(tag, given, self._form)

    def _field(self, tag: str, given: dict[str, str], form: Form) -> None:
        name = given.get("name", "")
        if name and "disabled" not in given:
            form.names.add(name)
        if tag == "select":
            self._select = name
        elif tag == "option" and self._select:
            if "selected" in given or self._select not in form.sent:
                form.sent[self._select] = given.get("value", "")
        elif tag == "textarea":
            form.sent[name], self._written = "", []
        elif tag == "input" and name:
            is_choice = given.get("type") in ("checkbox", "radio")
            if not is_choice or "checked" in given:
                form.sent[name] = given.get("value", "on" if is_choice else "")

    def handle_data(self, data: str) -> None:
        self._written.append(data)

    def handle_endtag(self, tag: str) -> None:
        text = " ".join("".join(self._written).split())
        if tag == "a" and self._href:
            self.links.setdefault(text, self._href)
        elif tag == "form":
            self._form = None
        elif tag == "select":
            self._select = ""


class Visitor:
    """Somebody who is signed in, follows links and sends forms."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.html = ""
        self._page = _Reader("", "")

    def open(self, path: str) -> None:
        """Go to a page."""
        self._show(self._client.get(path, follow=True))

    def follow(self, text: str) -> None:
        """Follow the link of that text."""
        assert text in self._page.links, f"no link {text!r} among {sorted(self._page.links)}"
        self.open(self._page.links[text])

    def send(self, action: str, **typed: str) -> None:
        """Send the first form whose address ends so, with these fields typed or chosen."""
        form = next(
            (each for each in self._page.forms if each.action.split("?")[0].endswith(action)), None
        )
        assert form is not None, f"no form to {action} among {self._page.forms}"
        assert typed.keys() <= form.names, f"{sorted(form.names)} has not all of {sorted(typed)}"
        ask = self._client.post if form.method == "post" else self._client.get
        self._show(ask(form.action, {**form.sent, **typed}, follow=True))

    def sees(self, words: str) -> None:
        """Hold that the page has these words."""
        assert words in self.html, f"not on the page: {words}"

    def _show(self, response: Any) -> None:
        assert response.status_code == 200, response.status_code
        self.html = response.content.decode()
        self._page = _Reader(self.html, response.wsgi_request.get_full_path())
