"""The layers and seams of DESIGN.md section 2, read off the source.

accounts ← invoices ← wallet ← plans ← billing_portal: an app knows those to its left, whether by
an import, a string foreign key, `apps.get_model` or `import_module`. Beside that: one place talks
to Stripe, nothing is float, and services are told the time.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LAYERS = ("accounts", "invoices", "wallet", "plans", "billing_portal")
SANDBOX = "stripe_sandbox"
CLIENT = "clients/python/billing_portal_client"

#: The only package that imports Stripe's SDK.
GATEWAY = "accounts/gateway/"
#: Where time comes in: whoever is called by a clock, a browser, a shell or Stripe. These parse,
#: call a service with `now`, and render.
CLOCK_READERS = (
    "tasks",
    "views",
    "api",
    "admin",
    "commands",
    "reversal_receivers",
    "webhook_receivers",
)
#: What is no service but a process, a page or a probe, in the app on top.
CLOCK_READING_APP = "billing_portal"

Problem = str


# Reading --------------------------------------------------------------------------------------
def sources(folder: str) -> Iterator[tuple[str, str]]:
    """Yield path and source of the product's modules in a folder: no tests, no migrations."""
    for path in sorted((ROOT / folder).rglob("*.py")):
        inside = path.relative_to(ROOT)
        if not {"tests", "migrations", "djstripe_migrations"} & set(inside.parts):
            yield inside.as_posix(), path.read_text()


def modules_used(source: str) -> Iterator[tuple[int, str]]:
    """Yield line and dotted name of every module that a source refers to, strings included."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.lineno, node.module or ""
        elif isinstance(node, ast.Call) and (name := _named_in_a_string(node)):
            yield node.lineno, name


def _named_in_a_string(call: ast.Call) -> str:
    """Return what a call names as a string: a model for a key, an app, a module; or ""."""
    called = _last_name(call.func)
    named = [argument for argument in call.args if isinstance(argument, ast.Constant)]
    named += [
        keyword.value
        for keyword in call.keywords
        if keyword.arg in {"to", "through", "app_label", "name"}
        and isinstance(keyword.value, ast.Constant)
    ]
    looks_up = {"get_model", "import_module", "import_string", "get_app_config", "__import__"}
    relates = {"ForeignKey", "OneToOneField", "ManyToManyField"}
    if called in looks_up | relates and named and isinstance(named[0].value, str):
        return named[0].value
    return ""


def _last_name(function: ast.expr) -> str:
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


# Rules ----------------------------------------------------------------------------------------
def points_right(path: str, source: str) -> list[Problem]:
    """Return what a module of a layer takes from a layer to its right, or from the sandbox."""
    app = path.split("/")[0]
    to_the_right = {*LAYERS[LAYERS.index(app) + 1 :], SANDBOX}
    return [
        f"{path}:{line} refers to {name}"
        for line, name in modules_used(source)
        if name.split(".")[0] in to_the_right
    ]


def knows_the_portal(path: str, source: str) -> list[Problem]:
    """Return what a module of the sandbox takes from the portal."""
    return [
        f"{path}:{line} refers to {name}"
        for line, name in modules_used(source)
        if name.split(".")[0] in {*LAYERS, "django", "djstripe"}
    ]


def client_knows_the_portal(path: str, source: str) -> list[Problem]:
    """Return what the client, which other teams install, takes from beyond its one dependency."""
    known = {*sys.stdlib_module_names, "httpx", CLIENT.split("/")[-1]}
    return [
        f"{path}:{line} refers to {name}"
        for line, name in modules_used(source)
        if name.split(".")[0] not in known
    ]


def talks_to_stripe(path: str, source: str) -> list[Problem]:
    """Return where Stripe's SDK is imported outside the gateway."""
    return [
        f"{path}:{line} imports {name}"
        for line, name in modules_used(source)
        if name.split(".")[0] == "stripe" and not path.startswith(GATEWAY)
    ]


def uses_float(path: str, source: str) -> list[Problem]:
    """Return where a float is made, by name or by a literal in a Decimal."""
    problems = []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        is_float = isinstance(node.func, ast.Name) and node.func.id == "float"
        is_inexact = _last_name(node.func) in {"Decimal", "usd", "Money"} and any(
            isinstance(argument, ast.Constant) and isinstance(argument.value, float)
            for argument in node.args
        )
        if is_float or is_inexact:
            problems.append(f"{path}:{node.lineno} makes a float")
    return problems


def reads_the_clock(path: str, source: str) -> list[Problem]:
    """Return where a service asks what time it is instead of being told."""
    parts = path.removesuffix(".py").split("/")
    if parts[0] == CLOCK_READING_APP or any(
        part == reader or part.startswith(f"{reader}_")
        for part in parts
        for reader in CLOCK_READERS
    ):
        return []
    return [
        f"{path}:{node.lineno} reads the clock"
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and (_last_name(node.func.value), node.func.attr)
        in {
            ("timezone", "now"),
            ("timezone", "localdate"),
            ("timezone", "localtime"),
            ("datetime", "now"),
            ("datetime", "utcnow"),
            ("datetime", "today"),
            ("date", "today"),
            ("time", "time"),
        }
    ]


# The portal -----------------------------------------------------------------------------------
@pytest.mark.parametrize("app", LAYERS)
def test_imports_point_left_only(app: str) -> None:
    assert [problem for each in sources(app) for problem in points_right(*each)] == []


def test_the_sandbox_and_the_portal_share_no_code() -> None:
    assert [problem for each in sources(SANDBOX) for problem in knows_the_portal(*each)] == []


def test_the_client_needs_httpx_and_nothing_else() -> None:
    found = list(sources(CLIENT))
    assert found
    assert [problem for each in found for problem in client_knows_the_portal(*each)] == []


@pytest.mark.parametrize("app", LAYERS)
def test_only_the_gateway_talks_to_stripe(app: str) -> None:
    assert [problem for each in sources(app) for problem in talks_to_stripe(*each)] == []


@pytest.mark.parametrize("app", LAYERS)
def test_nothing_is_float(app: str) -> None:
    assert [problem for each in sources(app) for problem in uses_float(*each)] == []


@pytest.mark.parametrize("app", LAYERS)
def test_services_are_told_the_time(app: str) -> None:
    assert [problem for each in sources(app) for problem in reads_the_clock(*each)] == []


# The rules themselves -------------------------------------------------------------------------
@pytest.mark.parametrize(
    "source",
    [
        "import plans",
        "import plans.models as sold",
        "from plans import usage",
        "from plans.models import Plan",
        "def late():\n    from billing_portal.settings import DEBUG",
        "from stripe_sandbox import api",
        "plan = models.ForeignKey('plans.Plan', on_delete=models.PROTECT)",
        "plan = models.OneToOneField(to='plans.Plan', on_delete=models.PROTECT)",
        "Plan = apps.get_model('plans', 'Plan')",
        "Plan = apps.get_model('plans.Plan')",
        "Plan = apps.get_model(app_label='plans', model_name='Plan')",
        "usage = importlib.import_module('plans.usage')",
        "usage = import_string('plans.usage.record')",
    ],
)
def test_a_reference_to_the_right_is_found(source: str) -> None:
    assert len(points_right("wallet/ledger.py", source)) == 1


@pytest.mark.parametrize(
    "source",
    [
        "from accounts import cards\nfrom invoices.models import Transaction",
        "from wallet import topups",
        "from . import topups",
        "account = models.ForeignKey('accounts.Account', on_delete=models.PROTECT)",
        "explanation = 'plans are above'",
        "import plansible",
    ],
)
def test_a_reference_to_the_left_or_within_is_fine(source: str) -> None:
    assert points_right("wallet/ledger.py", source) == []


def test_the_leftmost_layer_knows_none_and_the_rightmost_all() -> None:
    everything = "\n".join(f"import {app}" for app in LAYERS)
    assert len(points_right("accounts/cards.py", everything)) == 4
    assert points_right("billing_portal/urls.py", everything) == []


@pytest.mark.parametrize("source", ["import stripe", "from stripe import StripeClient"])
def test_stripe_outside_the_gateway_is_found(source: str) -> None:
    assert len(talks_to_stripe("invoices/charging.py", source)) == 1
    assert talks_to_stripe(f"{GATEWAY}payments.py", source) == []
    assert talks_to_stripe("invoices/charging.py", "from djstripe.models import Event") == []


@pytest.mark.parametrize("source", ["from accounts.models import Card", "import django"])
def test_a_sandbox_that_knows_the_portal_is_found(source: str) -> None:
    assert len(knows_the_portal("stripe_sandbox/api.py", source)) == 1


@pytest.mark.parametrize("source", ["from plans import usage", "import django", "import requests"])
def test_a_client_that_needs_more_is_found(source: str) -> None:
    assert len(client_knows_the_portal(f"{CLIENT}/client.py", source)) == 1


@pytest.mark.parametrize("source", ["x = float('1.1')", "x = Decimal(1.1)", "x = usd(0.1)"])
def test_a_float_is_found(source: str) -> None:
    assert len(uses_float("wallet/ledger.py", source)) == 1
    assert uses_float("wallet/ledger.py", "x: float = 1\ny = Decimal('1.1')\nf = 'float(1)'") == []


@pytest.mark.parametrize(
    "source",
    [
        "now = timezone.now()",
        "now = django.utils.timezone.now()",
        "now = datetime.now(tz=UTC)",
        "now = datetime.datetime.utcnow()",
        "today = date.today()",
    ],
)
def test_a_service_that_reads_the_clock_is_found(source: str) -> None:
    assert len(reads_the_clock("wallet/refills.py", source)) == 1
    for path in ("wallet/tasks.py", "plans/api_usage.py", "plans/management/commands/renew.py"):
        assert reads_the_clock(path, source) == []


def test_nobody_imports_localstripe() -> None:
    """It is GPL-3: tests run it as a process of its own, and that is all."""
    folders = (*LAYERS, SANDBOX, "tests", "bench")
    importers = [
        path.relative_to(ROOT).as_posix()
        for folder in folders
        for path in (ROOT / folder).rglob("*.py")
        if "localstripe" in (source := path.read_text())
        for _, name in modules_used(source)
        if name.split(".")[0] == "localstripe"
    ]
    assert importers == []
