"""A charge for usage, written by the database, in another language."""

from django.utils import translation

from accounts.recorded_words import translated


def test_a_charge_is_told_part_by_part() -> None:
    recorded = "Call minutes: 10 beyond the allowance × $0.10 + 1,000 × $0.09"
    with translation.override("ar"):
        read = translated(recorded).replace("\u2068", "").replace("\u2069", "")
    assert read == "دقائق المكالمات: 10 فوق الحصة × $0.10 + 1,000 × $0.09"


def test_a_charge_of_a_feature_with_a_name_of_its_own_is_told() -> None:
    with translation.override("ar"):
        assert "Premium voices" in translated("Premium voices: 3 × $0.50")
