"""Outside DEBUG, events for the platform go to a public address, by TLS, and nowhere else."""

import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pytest_django import Settings

from accounts import platform_webhooks
from accounts.models import Account, Message
from accounts.tests.factories import make_account
from accounts.tests.platform_side import Platform, deliver, record

pytestmark = pytest.mark.django_db


@pytest.fixture
def account() -> Account:
    return make_account(name="Muscat Freight", external_id="customer-42")


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.216.34", True),
        ("2606:4700:4700::1111", True),
        ("127.0.0.1", False),
        ("10.0.0.7", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("192.0.2.1", False),
        ("224.0.0.1", False),
        ("240.0.0.1", False),
        ("0.0.0.0", False),
        ("::", False),
        ("::1", False),
        ("fe80::1", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("ff0e::1", False),
        ("::ffff:127.0.0.1", False),
        ("::ffff:10.0.0.7", False),
        ("2002:7f00:1::", False),
        ("fec0::1", False),
        ("::127.0.0.1", False),
        ("64:ff9b::7f00:1", False),
        ("64:ff9b:1::a00:1", False),
        ("2001:0:4136:e378:8000:63bf:3fff:fdd2", False),
    ],
)
def test_what_is_a_public_address(address: str, public: bool) -> None:
    assert platform_webhooks.is_public(address) is public


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "169.254.169.254"])
def test_outside_debug_a_private_address_is_refused(
    account: Account, platform: Platform, settings: Settings, host: str
) -> None:
    settings.DEBUG = False
    settings.PLATFORM_WEBHOOK_URL = f"https://{host}:{platform.port}/hooks/billing"
    record(account)

    assert deliver() == 0
    assert platform.got == []
    assert "is not a public address" in Message.objects.get().last_error


def test_one_private_address_among_public_ones_is_enough_to_refuse(
    account: Account,
    platform: Platform,
    settings: Settings,
    names: Callable[..., list[str]],
) -> None:
    settings.DEBUG = False
    settings.PLATFORM_WEBHOOK_URL = "https://platform.test/hooks"
    names("93.184.216.34", "10.0.0.7")
    record(account)

    assert deliver() == 0
    assert "leads to 10.0.0.7" in Message.objects.get().last_error


def test_outside_debug_nothing_is_sent_in_the_clear(
    account: Account, platform: Platform, settings: Settings
) -> None:
    settings.DEBUG = False
    record(account)

    assert deliver() == 0
    assert platform.got == []
    assert "not https" in Message.objects.get().last_error


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Let `platform.test` have these addresses; returns the names that are looked up."""
    original = platform_webhooks.socket.getaddrinfo
    asked: list[str] = []

    def install(*addresses: str) -> list[str]:
        def look_up(host: str, port: Any, *args: Any, **kwargs: Any) -> Any:
            asked.append(host)
            if host != "platform.test":
                return original(host, port, *args, **kwargs)
            return [(0, 0, 0, "", (address, port)) for address in addresses]

        monkeypatch.setattr(platform_webhooks.socket, "getaddrinfo", look_up)
        return asked

    return install


def certificate(folder: Path, name: str) -> Path:
    """Write a self-signed certificate of `name`, with its key, and return the file."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    today = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today - timedelta(days=1))
        .not_valid_after(today + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    file = folder / "platform.pem"
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return file


@pytest.mark.parametrize(
    ("certified", "taken"), [("platform.test", True), ("somebody-else.test", False)]
)
def test_the_checked_address_is_connected_to_under_the_platforms_name(
    account: Account,
    platform: Platform,
    settings: Settings,
    names: Callable[..., list[str]],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    certified: str,
    taken: bool,
) -> None:
    pem = certificate(tmp_path, certified)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    platform.server.socket = context.wrap_socket(platform.server.socket, server_side=True)
    monkeypatch.setattr(requests.adapters, "DEFAULT_CA_BUNDLE_PATH", str(pem))
    # This machine's own address stands for a public one.
    monkeypatch.setattr(platform_webhooks, "is_public", lambda address: address == "127.0.0.1")
    settings.DEBUG = False
    settings.PLATFORM_WEBHOOK_URL = f"https://platform.test:{platform.port}/hooks?from=billing"
    asked = names("127.0.0.1")
    record(account)

    assert deliver() == int(taken)

    assert asked.count("platform.test") == 1, "a second look-up could lead elsewhere"
    if taken:
        assert [path for path, *_ in platform.got] == ["/hooks?from=billing"]
        assert platform.header("Host") == [f"platform.test:{platform.port}"]
    else:
        assert platform.got == []
        assert "certificate" in Message.objects.get().last_error.lower()
