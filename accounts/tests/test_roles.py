"""Who may act, and who only looks."""

import pytest

from accounts.roles import Role, may_act, may_manage


@pytest.mark.parametrize(
    ("role", "acts"),
    [(Role.OWNER, True), (Role.BILLING, True), (Role.VIEWER, False), ("", False), ("root", False)],
)
def test_owners_and_billing_act_and_everybody_else_looks(role: str, acts: bool) -> None:
    assert may_act(role) is acts


@pytest.mark.parametrize(
    ("role", "manages"),
    [(Role.OWNER, True), (Role.BILLING, False), (Role.VIEWER, False), ("", False)],
)
def test_only_owners_decide_who_else_comes_in(role: str, manages: bool) -> None:
    assert may_manage(role) is manages
