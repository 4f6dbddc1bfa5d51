"""What each sweep keeps to, whatever it looks after."""

import pytest

from accounts import sweeps


def test_one_that_breaks_holds_back_no_other() -> None:
    def act(divisor: int) -> int:
        return 12 // divisor

    assert sweeps.Run().each([3, 0, 4], act, broke="example_broke") == 7


def test_once_its_time_is_over_nothing_more_is_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeps, "RUN_SECONDS", 0)
    run = sweeps.Run()
    assert run.each([1, 2], lambda number: number, broke="example_broke") == 0
