"""Who may act, and who only looks."""

import pytest

from accounts.roles import Role, may_act


@pytest.mark.parametrize(
    ("role", "acts"),
    [(Role.OWNER, True), (Role.BILLING, True), (Role.VIEWER, False), ("", False), ("root", False)],
)
def test_owners_and_billing_act_and_everybody_else_looks(role: str, acts: bool) -> None:
    assert may_act(role) is acts
