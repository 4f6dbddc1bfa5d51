"""Configuration of the plans app."""

from django.apps import AppConfig


class PlansConfig(AppConfig):
    """Registers what plans sell and what they need a card for."""

    name = "plans"
    verbose_name = "Plans"

    def ready(self) -> None:
        """Connect plans to the apps below."""
        from accounts import cards, recorded_words
        from invoices import purposes
        from invoices.models import Purpose
        from plans import (
            past_due,
            plan_fulfilment,
            renewal_charges,
            rentals,
            subscriptions,
            usage_words,
        )

        purposes.register(Purpose.RENEWAL, renewal_charges.RenewalFulfilment())
        purposes.register(Purpose.PLAN_CHANGE, plan_fulfilment.PlanFulfilment())
        purposes.register(Purpose.RENTAL, rentals.RentalFulfilment())
        cards.register_need(subscriptions.needs_card)
        cards.on_new_default(past_due.try_again)
        cards.on_renewed_default(past_due.try_again)
        recorded_words.recognise(usage_words.charge)
