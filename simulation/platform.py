"""The voice platform: calls by hour and weekday, reported in batches, some twice, late or wrong."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from accounts.models import Account
from plans import authorization, usage
from plans.models import UsageRecord
from plans.usage import Result, ResultStatus
from plans.usage_records import Code, ParsedRecord
from simulation.checks import Broken
from simulation.customers import Customer
from simulation.world import World

#: How busy each weekday is, Monday first: Oman's weekend is Friday and Saturday.
_WEEKDAYS = (1.0, 1.1, 1.0, 0.95, 0.3, 0.4, 1.05)
#: How busy each hour is (UTC): the local working day, thin at the edges.
_HOURS = (0.1, 0.1, 0.1, 0.2, 0.6, 1.2, 1.8, 2, 2, 2, 1.6, 1.4, 1.2, 1, 0.7, 0.4, 0.2) + (0.1,) * 7
_FEATURES = (
    *("call_minutes",) * 5,
    "llm_tokens",
    "tts_retrieval_mb",
    "voicemail_detection",
    "media_storage_gb",
)


class Platform:
    """Reports the calls of all customers. What it is not answered for, it sends again."""

    def __init__(self, world: World, customers: list[Customer]) -> None:
        self._world = world
        self._chance = world.chance
        self._customers = customers
        self._reported_until = world.clock.true
        self._calls = 0
        #: Sent and not answered: it goes along with the next batch.
        self._unanswered: list[ParsedRecord] = []
        #: What was recorded, as it was sent: some of it is sent again much later.
        self._recorded: list[ParsedRecord] = []
        #: The ids of which the portal said that they are recorded.
        self._acknowledged: set[str] = set()

    def report(self) -> None:
        """Report what was called since the last time."""
        now = self._world.clock.true
        batch = list(self._unanswered)
        for customer in self._customers:
            if self._may_call(customer):
                batch += self._calls_of(customer, self._reported_until, now)
        self._reported_until = now
        repeated = []
        if self._recorded and self._chance.happens(0.2):
            repeated = [self._chance.one_of(self._recorded) for _ in range(3)]
        batch += repeated
        if not batch:
            return
        self._unanswered = [each for each in batch if each not in repeated]
        self._world.do("platform", "report usage", lambda: self._send(batch, repeated))

    def report_the_rest(self) -> None:
        """Send again what was not answered."""
        batch = list(self._unanswered)
        if batch:
            self._world.do("platform", "report usage", lambda: self._send(batch, []))

    def check(self) -> None:
        """Every record that was acknowledged was charged, and no other. Raises Broken."""
        charged = list(UsageRecord.objects.values_list("record_id", flat=True))
        if len(charged) != len(set(charged)) or set(charged) != self._acknowledged:
            differ = sorted(self._acknowledged.symmetric_difference(charged))
            raise Broken(f"{len(charged)} records charged; not as acknowledged: {differ}")

    def _send(self, batch: list[ParsedRecord], repeated: list[ParsedRecord]) -> str:
        results = usage.record(records=batch, now=self._world.clock.now)
        self._judge(batch, results, repeated)
        self._unanswered = []
        kept = [
            record
            for record, result in zip(batch, results, strict=True)
            if result.status != ResultStatus.REJECTED
        ]
        self._recorded = (self._recorded + kept)[-200:]
        self._acknowledged.update(record.id for record in kept)
        return "answered"

    def _judge(
        self, batch: list[ParsedRecord], results: list[Result], repeated: list[ParsedRecord]
    ) -> None:
        """What is told of each record must be what may be told."""
        for record, result in zip(batch, results, strict=True):
            if result.status != ResultStatus.REJECTED:
                continue
            # A server whose clock is set back takes what was just called for the future.
            assert result.code in _MAY_BE_TOLD, f"{record.id}: {result.code} {result.detail}"
        for place, record in enumerate(batch):
            if record in repeated and results[place].status == ResultStatus.RECORDED:
                raise AssertionError(f"{record.id} was recorded twice.")

    def _may_call(self, customer: Customer) -> bool:
        found = Account.objects.filter(external_id=customer.name).first()
        if found is None:
            return False
        answer = authorization.check(
            account=f"external:{customer.name}", feature=None, now=self._world.clock.now
        )
        # Calls that have begun end, whatever the balance: some are made although it is used up.
        return answer.allowed or self._chance.happens(0.1)

    def _calls_of(self, customer: Customer, start: datetime, end: datetime) -> list[ParsedRecord]:
        busy = _WEEKDAYS[start.weekday()] * _HOURS[start.hour]
        seconds = max(1, int((end - start).total_seconds()))
        for_so_long = min(4.0, max(1.0, seconds / 7200))
        number = round(self._chance.about((0.6 + busy * (1 + customer.number % 3)) * for_so_long))
        records: list[ParsedRecord] = []
        for _ in range(min(number, 12)):
            at = start + timedelta(seconds=self._chance.between(0, seconds - 1))
            if self._chance.happens(0.04):
                at -= timedelta(days=self._chance.between(1, 20))  # a report that comes late
            records.append(self._call(customer, at))
        return records

    def _call(self, customer: Customer, at: datetime) -> ParsedRecord:
        self._calls += 1
        quantity = Decimal(self._chance.between(1, 1800)) / 60
        content: dict[str, Any] = {
            "feature": self._chance.one_of(_FEATURES),
            "quantity": quantity.quantize(Decimal("0.000001")),
            "occurred_at": at,
            "workspace": self._chance.one_of(("", "Sales", "Support")),
        }
        return ParsedRecord(
            id=f"call-{self._calls}", account=f"external:{customer.name}", **content
        )


_MAY_BE_TOLD = {Code.NOT_IN_PLAN, Code.IN_FUTURE, Code.TOO_OLD}
