"""The REST API as the platform calls it, for the tests."""

import json
from collections.abc import Collection
from typing import Any

from django.test import Client
from django.utils import timezone

from accounts import api_keys
from accounts.models import Scope


class Platform:
    """The platform: a client with a key of its own."""

    def __init__(self, scopes: Collection[str] = tuple(Scope)) -> None:
        self.key, self.token = api_keys.create(name="platform", scopes=scopes, now=timezone.now())
        self.client = Client(headers={"Authorization": f"Bearer {self.token}"})

    def send(self, method: str, path: str, body: Any = None, **fields: Any) -> Any:
        """Send JSON (or bytes as they are) and return the response."""
        data = body if isinstance(body, bytes) else json.dumps(body)
        return self.client.generic(
            method,
            f"/api/v1/{path}",
            data if body is not None else b"",
            **{"content_type": "application/json", **fields},
        )

    def get(self, path: str) -> Any:
        """Read, which must succeed; return the JSON."""
        response = self.send("GET", path)
        assert response.status_code == 200, response.content
        return response.json()

    def report(self, *records: dict[str, Any], query: str = "") -> Any:
        """Report usage, which must succeed; return the JSON."""
        response = self.send("POST", f"usage/{query}", {"records": list(records)})
        assert response.status_code == 200, response.content
        return response.json()
