"""The virtual clock."""

from datetime import datetime, timedelta


class Clock:
    """What time it is, for the portal and for Stripe.

    The portal's may jump, as a server's does whose time is set; Stripe's and the calendar of
    events go on.
    """

    def __init__(self, start: datetime) -> None:
        self.true = start
        self.off_by = timedelta(0)
        #: The latest moment that the portal has seen: what it wrote may be dated so late.
        self.latest = start

    @property
    def now(self) -> datetime:
        """The portal's time."""
        return self.true + self.off_by

    def go_on(self, by: timedelta) -> None:
        """Let time pass."""
        self.true += by
        self.latest = max(self.latest, self.now)

    def jump(self, to: timedelta) -> None:
        """Have the portal's time differ from the true one by so much."""
        self.off_by = to
        self.latest = max(self.latest, self.now)
