"""Who asks for something of tenant A without a right to it, and what they are told."""

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

from django.core.cache import cache
from django.db import transaction
from django.test import Client
from django.urls import resolve
from django.utils import timezone

from accounts.models import Card, User
from accounts.roles import Role
from billing_portal.dashboard.tests import scenes
from tests.security.victim import Victim, fingerprint_of


@dataclass(frozen=True)
class Answer:
    """What came back, and whether something of tenant A is other than before."""

    status: int
    location: str
    body: bytes
    changed: list[str]

    def leads_to_ones_own(self) -> bool:
        """Whether it sends the browser to a page that names nothing of anybody."""
        return bool(self.location) and not resolve(urlsplit(self.location).path).kwargs

    def leads_to_signing_in(self) -> bool:
        """Whether the stranger is asked who they are."""
        return self.location.startswith("/accounts/login/")


@dataclass(frozen=True)
class Stranger:
    """Somebody with no right to anything of tenant A."""

    name: str
    client: Client
    victim: Victim
    before: dict[str, str]

    def ask(
        self, method: str, path: str, sent: dict[str, str] | None = None, **headers: str
    ) -> Answer:
        """Ask, and undo what it did to the stranger's own: the next question finds it as it was."""
        undone = transaction.savepoint()
        if method != "post" and sent:
            path = f"{path}?{urlencode(sent)}"
        asked = (
            self.client.post(path, sent, headers=headers)
            if method == "post"
            else self.client.generic(method.upper(), path, headers=headers)
        )
        told = b"".join(asked)
        untouched = method == "get" or asked.status_code == 405
        after = self.before if untouched else fingerprint_of(self.victim)
        transaction.savepoint_rollback(undone)
        location = asked.headers.get("Location") or asked.headers.get("HX-Redirect", "")
        changed = [table for table in after if after[table] != self.before[table]]
        return Answer(asked.status_code, location, told, changed)


def make_strangers(victim: Victim, add_card: Callable[..., Card]) -> list[Stranger]:
    """Each role of tenant B, which has all that is needed to act; and who belongs to nobody."""
    other = scenes.make_company(name="Salalah Sand", balance="50")
    add_card(other, now=timezone.now())
    scenes.start_plan(other, "payg", at=timezone.now())
    people = {role: scenes.make_member(other, role) for role in Role}
    lost = User.objects.create_user("lost@nowhere.test", scenes.PASSWORD)
    before = fingerprint_of(victim)
    cache.clear()  # sign-ins of other tests do not count towards this one's limit
    found = [Stranger("nobody", Client(raise_request_exception=False), victim, before)]
    for name, person in (*people.items(), ("without an account", lost)):
        client = Client(raise_request_exception=False)
        # They said their password just now: nothing is refused only because that was long ago.
        client.force_login(person)
        again = client.post("/accounts/reauthenticate/", {"password": scenes.PASSWORD})
        assert again.status_code == 302
        found.append(Stranger(str(name), client, victim, before))
    return found
