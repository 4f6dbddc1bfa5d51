"""Configuration of the plans app."""

from django.apps import AppConfig


class PlansConfig(AppConfig):
    """Registers the app."""

    name = "plans"
    verbose_name = "Plans"
