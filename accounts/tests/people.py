"""Members and those who are asked to become members, for the tests."""

import re
from typing import Any

from django.core import mail

from accounts import invitations, outbox
from accounts.models import Account, Invitation, Membership, User
from accounts.roles import Role
from accounts.tests.factories import NOW


def make_member(account: Account, email: str, role: str = Role.OWNER) -> Membership:
    user = User.objects.create_user(email, "correct horse battery")
    return Membership.objects.create(account=account, user=user, role=role, created_at=NOW)


def invite(account: Account, email: str, role: str = Role.BILLING, **fields: Any) -> Invitation:
    owner = account.memberships.filter(role=Role.OWNER).select_related("user").first()
    assert owner is not None
    fields = {"by": owner.user, "now": NOW, **fields}
    return invitations.invite(account=account, email=email, role=role, **fields)


def sent_token() -> str:
    """Send what waits in the outbox; return the token of the link in the newest e-mail."""
    outbox.deliver_due(now=NOW + invitations.LASTS)
    found = re.search(r"/invitations/([0-9a-f]{64})/", str(mail.outbox[-1].body))
    assert found
    return found[1]
