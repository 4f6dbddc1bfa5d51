"""The whole: settings, urls, Celery, and what composes several apps."""

from billing_portal.celery import app as celery_app

__all__ = ["celery_app"]
