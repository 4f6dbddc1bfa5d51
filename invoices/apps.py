"""Configuration of the invoices app."""

from django.apps import AppConfig


class InvoicesConfig(AppConfig):
    """Connects Stripe's events to transactions, and documents to e-mails."""

    name = "invoices"
    verbose_name = "Invoices"

    def ready(self) -> None:
        """Connect the receivers, and the documents that go out with e-mails."""
        from invoices import (
            attached_documents,
            reversal_receivers,  # noqa: F401
            webhook_receivers,  # noqa: F401
        )

        attached_documents.connect()
