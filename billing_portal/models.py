"""The portal's own records about itself."""

from django.db import models


class Heartbeat(models.Model):
    """When a scheduled job last ran to its end. `/readyz` and the audit look here."""

    name = models.CharField(max_length=64, unique=True)
    at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.name} at {self.at:%Y-%m-%d %H:%M:%S}"
