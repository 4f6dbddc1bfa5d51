"""Every string is in the catalogues, translated, and what Django reads is what was translated."""

import pytest

from billing_portal import catalogues


@pytest.mark.parametrize("language", catalogues.TRANSLATIONS)
def test_the_catalogue_is_whole(language: str) -> None:
    assert catalogues.problems(language) == []
