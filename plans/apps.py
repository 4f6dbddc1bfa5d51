"""Configuration of the plans app."""

from django.apps import AppConfig


class PlansConfig(AppConfig):
    """Registers what plans sell and what they need a card for."""

    name = "plans"
    verbose_name = "Plans"

    def ready(self) -> None:
        """Connect plans to the apps below."""
        from accounts import cards
        from invoices import purposes
        from invoices.models import Purpose
        from plans import renewals, rentals, subscriptions

        purposes.register(Purpose.RENEWAL, renewals.RenewalFulfilment())
        purposes.register(Purpose.PLAN_CHANGE, subscriptions.PlanFulfilment())
        purposes.register(Purpose.RENTAL, rentals.RentalFulfilment())
        cards.register_need(subscriptions.needs_card)
        cards.on_new_default(renewals.try_again)
