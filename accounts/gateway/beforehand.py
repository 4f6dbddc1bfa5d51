"""What dj-stripe asks Stripe while it takes in an event is asked beforehand.

It asks in the middle of its database transaction: about the event's object, and about whatever
that refers to and is not known yet. While Stripe takes its time, the rows it wrote would be locked,
and every other event about the same customer or charge would wait, with a thread and a connection.

So the work is begun without asking. At the first question it is rolled back, the question is asked
with no transaction open, and the work is begun again with the answer at hand; and so on, until it
needs to ask nothing more. Questions are few, and what is done again is quicker than they are.
"""

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import stripe
from django.conf import settings

Result = TypeVar("Result")
Answer = tuple[str, int, Mapping[str, str]]

#: An event has a handful. With more something asks anew each time, and would never be done.
MOST_QUESTIONS: Final = 50
#: Of what is asked: two questions that differ in these have different answers.
_TELLING_HEADERS: Final = ("Authorization", "Stripe-Account", "Stripe-Version")


@dataclass(frozen=True)
class _Question:
    method: str
    url: str
    headers: tuple[str | None, ...]
    body: str


@dataclass
class _Answers:
    """What has been asked for one piece of work, and came of it: an answer or an error."""

    kept: dict[_Question, Answer | Exception]


_answers: ContextVar[_Answers | None] = ContextVar("answers_of_stripe", default=None)


class _NotAskedYet(BaseException):
    """Ends the work. What it passes through rolls back, and takes it for no error of its own."""

    def __init__(self, question: _Question, ask: Callable[[], Answer]) -> None:
        super().__init__(question)
        self.question = question
        self.ask = ask


class TooManyQuestions(Exception):
    """The work asks something else each time."""


def with_answers(work: Callable[[], Result]) -> Result:
    """Do work that is a database transaction, having asked Stripe what it asks beforehand.

    It may be begun many times, and must leave nothing behind when it is ended from within. An
    error that Stripe gave is raised where the work asks. Raises TooManyQuestions.
    """
    answers = _Answers({})
    for _ in range(MOST_QUESTIONS):
        token = _answers.set(answers)
        try:
            return work()
        except _NotAskedYet as unanswered:
            question, ask = unanswered.question, unanswered.ask
        finally:
            _answers.reset(token)
        try:
            answers.kept[question] = ask()
        except stripe.StripeError as error:
            answers.kept[question] = error
    raise TooManyQuestions(f"{MOST_QUESTIONS} questions to Stripe were not enough.")


class BeforehandClient(stripe.HTTPClient):
    """The SDK's client that dj-stripe asks with: within `with_answers` it asks nothing itself."""

    name = "beforehand"

    def __init__(self, client: stripe.HTTPClient) -> None:
        super().__init__()
        self._client = client

    def request_with_retries(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        post_data: Any = None,
        max_network_retries: int | None = None,
        *,
        _usage: list[str] | None = None,
    ) -> Answer:
        """Return the answer that is kept, or end the work so that it can be asked for."""

        def ask() -> Answer:
            return self._client.request_with_retries(
                method, url, headers, post_data, max_network_retries, _usage=_usage
            )

        answers = _answers.get()
        if answers is None:
            return ask()
        question = _Question(
            method, url, tuple(headers.get(name) for name in _TELLING_HEADERS), repr(post_data)
        )
        if question not in answers.kept:
            raise _NotAskedYet(question, ask)
        kept = answers.kept[question]
        if isinstance(kept, Exception):
            raise kept
        return kept

    def close(self) -> None:
        """Close what the client holds open."""
        self._client.close()


def connect() -> None:
    """Have dj-stripe ask with it, and wait no longer than the portal does."""
    client = stripe.RequestsClient(timeout=settings.STRIPE_TIMEOUT_SECONDS)
    stripe.default_http_client = BeforehandClient(client)
