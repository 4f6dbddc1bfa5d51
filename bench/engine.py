"""What POST /usage/ does between the body and its answer: the one place that calls the engine."""

from django.utils import timezone

from plans import usage
from plans.api_usage import report
from plans.usage_records import parse_body


def rate(body: bytes) -> bytes:
    """Rate a body of POST /usage/, from JSON to commit; return the answer."""
    results = usage.record(records=parse_body(body), now=timezone.now())
    return report(results, lines=None, only_rejected=False)
