"""The alert rules speak of gauges that there are, and each is explained."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.utils import timezone

from accounts import outbox
from accounts.tests.factories import make_account
from billing_portal.metrics import PortalCollector
from billing_portal.models import AuditReport, Heartbeat
from invoices.tests.factories import make_transaction

ROOT = Path(__file__).resolve().parents[2]
RULES = ROOT / "operations" / "alerts.yml"


def rules() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load(RULES.read_text())["groups"]
    return list(group["rules"])


@pytest.mark.django_db
def test_each_rule_asks_for_a_gauge_and_a_label_that_there_are() -> None:
    now = timezone.now()
    Heartbeat.objects.create(name="beat", at=now)
    AuditReport.objects.create(began_at=now, violations=0)
    salim = make_account()
    make_transaction(salim, status="processing", created_at=now)
    make_transaction(salim, asked_at=now, paid_at=now)
    outbox.record_email(
        account=salim, event="services_resumed", key="1", context={"path": "/billing/"}, now=now
    )
    samples = [s for metric in PortalCollector(now=now).collect() for s in metric.samples]
    names = {sample.name for sample in samples}
    #: Of nothing there are no quantiles.
    names.add("billing_portal_usage_lag_seconds")
    labelled = {(s.name, *pair) for s in samples for pair in s.labels.items()}

    for rule in rules():
        asked = re.findall(r"(billing_portal_\w+)(?:{(\w+)=\"(.+?)\"})?", rule["expr"])
        assert asked, rule["alert"]
        for name, label, value in asked:
            assert name in names, rule["alert"]
            if label and label != "quantile":
                assert (name, label, value) in labelled, rule["alert"]


def test_each_rule_is_explained_where_whoever_is_woken_looks() -> None:
    explained = (ROOT / "docs" / "operations.md").read_text()
    for rule in rules():
        assert f"**{rule['alert']}**" in explained
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert rule["annotations"]["summary"]
