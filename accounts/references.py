"""How the platform calls an account: by its UUID, or by `external:` and the id it gave it."""

import re
from collections.abc import Sequence
from typing import Final

EXTERNAL = "external:"
_PATTERN: Final = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_UUID: Final = re.compile(_PATTERN, re.ASCII | re.IGNORECASE)
_UUIDS: Final = re.compile(f"{_PATTERN}(?:,{_PATTERN})*", re.ASCII | re.IGNORECASE)


def is_uuid(text: str) -> bool:
    """Whether `text` is a UUID in its usual form, 8-4-4-4-12."""
    return _UUID.fullmatch(text) is not None


def are_uuids(texts: Sequence[str]) -> bool:
    """Whether every text is a UUID in its usual form: all of them looked at together."""
    joined = ",".join(texts)
    return joined.count(",") == len(texts) - 1 and _UUIDS.fullmatch(joined) is not None


def split(reference: str) -> tuple[str | None, str | None]:
    """Return the account's UUID or its external id; neither for what can be no reference."""
    if reference.startswith(EXTERNAL):
        external_id = reference.removeprefix(EXTERNAL)
        return None, external_id if external_id and "\0" not in external_id else None
    return (reference.lower() if is_uuid(reference) else None), None
