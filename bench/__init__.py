"""How quick the portal is, by goal (issue "Usage at the speed of the database"): see README.md."""

import os


def set_up() -> None:
    """Set Django up for measuring, in this process and those that it starts."""
    # Imported here: the bench's arithmetic and its page need no Django.
    import django
    from django.conf import settings

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bench.settings")
    django.setup()
    settings.DEBUG = False  # Django keeps every statement in memory otherwise
