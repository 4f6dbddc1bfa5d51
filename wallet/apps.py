"""Configuration of the wallet app."""

from django.apps import AppConfig


class WalletConfig(AppConfig):
    """Registers what the wallet sells and what it needs a card for."""

    name = "wallet"
    verbose_name = "Wallet"

    def ready(self) -> None:
        """Connect the wallet to the apps below it."""
        from accounts import cards
        from invoices import purposes, refund_settlement
        from invoices.models import Purpose
        from wallet import approvals, refills, topups

        purposes.register(Purpose.TOP_UP, topups.TopUpFulfilment())
        purposes.register(Purpose.AUTO_REFILL, refills.AutoRefillFulfilment())
        cards.register_need(refills.needs_card)
        cards.on_new_default(refills.start_afresh)
        cards.on_renewed_default(refills.end_wait)
        refund_settlement.on_end(approvals.refund_ended)
