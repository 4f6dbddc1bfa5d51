"""Secrets that have to be read to be used are kept encrypted: a dump alone gives none away.

The key comes from SECRET_KEY, which is in the environment and not in the database. What was
encrypted under an older one is read with SECRET_KEY_FALLBACKS until it has been encrypted anew
(`manage.py encrypt_secrets`).
"""

import base64
from functools import lru_cache
from typing import Final

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

#: What an encrypted text begins with: which way it was encrypted.
_MARK: Final = "fernet:"
_PURPOSE: Final = b"secrets in the database of the billing portal"


class Unreadable(Exception):
    """What is kept was encrypted under a key that is not known any more."""

    def __init__(self) -> None:
        super().__init__(
            "A secret in the database can't be read. If SECRET_KEY was changed, put the one before "
            "it into SECRET_KEY_FALLBACKS, run `manage.py encrypt_secrets`, and take it out again."
        )


def encrypt(text: str) -> str:
    """Return what is to be kept of a secret."""
    return _MARK + _cipher(*_keys()).encrypt(text.encode()).decode()


def decrypt(kept: str) -> str:
    """Return the secret. Raises Unreadable."""
    if not is_encrypted(kept):
        raise Unreadable
    try:
        return _cipher(*_keys()).decrypt(kept.removeprefix(_MARK)).decode()
    except InvalidToken as error:
        raise Unreadable from error


def is_encrypted(kept: str) -> bool:
    """Tell whether a text is what `encrypt` returned."""
    return kept.startswith(_MARK)


def _keys() -> list[str]:
    return [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]


@lru_cache(maxsize=4)
def _cipher(*keys: str) -> MultiFernet:
    """Encrypts under the first of the keys, decrypts under any."""
    return MultiFernet([Fernet(base64.urlsafe_b64encode(_derived(key))) for key in keys])


def _derived(key: str) -> bytes:
    # A key of its own: what Django signs with the same SECRET_KEY tells nothing of it.
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=_PURPOSE).derive(key.encode())
