"""How long an invocation waits, how it pauses, and when it leaves the rest to the polling rule.

Time is spent here and nowhere else in the function, so that tests can replace the clock.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

INSIDE_SECONDS = 20.0
"""The function waits inside for 20 seconds after it has sent the Stop. Few stops end sooner, and a
new account has only ten concurrent executions."""

LATE_SECONDS = 10.0
"""A request that is delivered later than this has waited for a free execution, as others do."""

EVENT_SECONDS = 45.0
"""A firing by an endpoint's event waits this long: a describe may lag behind the event."""

SPREAD_SECONDS = 60.0
"""A request that is throttled before its Stop leaves within this time, at random: many begin at
once, and rules that are made together may fire together, minute by minute."""

CROWDED_SECONDS = 25.0
"""A firing of the schedule that is throttled before the Stop tries again for this long."""

NEAR_DEADLINE_SECONDS = 70.0
"""An invocation this close to the deadline stays: the schedule fires each minute."""

LAG_SECONDS = 10.0
"""A describe may still say so long after a Stop what it said before it: one that was refused, or
whose response was lost, may have been sent when another had been carried out already."""

RESERVED_SECONDS = 20.0
"""An invocation ends by itself if Lambda would end it within this time."""

RETRY_SECONDS = 130.0
"""Lambda retries a failed invocation within this time.
https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html"""

FIRST_PAUSE_SECONDS = 0.5
PAUSE_GROWTH = 1.5
PAUSE_SECONDS = (2.0, 2.8)
EVENT_PAUSE_SECONDS = (1.0, 2.0)
THROTTLED_PAUSE_SECONDS = 16.0
"""Between two looks: short at first, then a few seconds, with jitter so that forty resources of one
stack do not call at the same time."""

CROWDED_PAUSE_SECONDS = (8.0, 16.0)
"""After a look that was throttled before the Stop."""

STOP_PAUSE_SECONDS = (1.0, 3.0)
"""After a Stop that was throttled, while the look that allows it is fresh."""


class Trigger(Enum):
    """What started an invocation."""

    REQUEST = "CloudFormation's request, or Lambda's retry of it"
    SCHEDULE = "the polling rule's schedule"
    EVENT = "an event of the experiment's endpoint"


@dataclass(frozen=True)
class Invocation:
    """One run of the function.

    Attributes:
        seconds_left: Until Lambda ends it.
        is_late: CloudFormation made the request long before it was delivered.
    """

    trigger: Trigger
    seconds_left: Callable[[], float]
    is_late: bool = False


class Wait:
    """The time that an invocation spends on a request."""

    def __init__(self, invocation: Invocation, deadline: float) -> None:
        self._invocation = invocation
        self._deadline = deadline
        self._granted = invocation.seconds_left()
        self._began = time.time()
        self._pause = FIRST_PAUSE_SECONDS
        self._was_throttled = self._is_crowded = False
        self._stays_until = (
            self._began
            + {
                Trigger.REQUEST: INSIDE_SECONDS,
                Trigger.SCHEDULE: 0.0,
                Trigger.EVENT: EVENT_SECONDS,
            }[invocation.trigger]
        )

    def stop_accepted(self) -> None:
        """Wait for its end: for a while, unless executions or calls are short."""
        self._pause = FIRST_PAUSE_SECONDS
        is_short = self._invocation.is_late or self._was_throttled
        is_first = self._invocation.trigger is Trigger.REQUEST
        self._stays_until = time.time() + (INSIDE_SECONDS if is_first and not is_short else 0.0)

    def stop_refused(self, *, has_begun: bool) -> None:
        """Try again soon, for a while: the endpoint may settle at any moment.

        A firing does not stay for that: the next one comes within a minute, or when the endpoint
        settles, and two invocations that send the same Stop refuse each other. It stays for a test
        that has not begun, which sends no event and is answered within two minutes.
        """
        if self._invocation.trigger is Trigger.REQUEST or not has_begun:
            self._stays_until = max(self._stays_until, self._began + INSIDE_SECONDS)

    def look_soon(self) -> None:
        """Make the next pause a short one."""
        self._pause = FIRST_PAUSE_SECONDS

    def throttled(self, *, has_stopped: bool) -> None:
        """Slow down: AWS throttles this call and those of others.

        Args:
            has_stopped: The Stop has been accepted.
        """
        was_crowded, trigger = self._is_crowded, self._invocation.trigger
        self._was_throttled = True
        self._is_crowded = not has_stopped and trigger is not Trigger.EVENT
        if has_stopped and trigger is Trigger.REQUEST:
            self._stays_until = time.time()
        elif self._is_crowded and not was_crowded:
            spread = random.uniform(0.0, SPREAD_SECONDS)  # noqa: S311 - jitter, not a secret
            is_first = trigger is Trigger.REQUEST
            self._stays_until = self._began + (spread if is_first else CROWDED_SECONDS)

    @property
    def may_leave(self) -> bool:
        """Whether the polling rule may do the rest."""
        now = time.time()
        is_near = now >= self._deadline - NEAR_DEADLINE_SECONDS
        return not is_near and now >= self._stays_until

    @property
    def must_leave(self) -> bool:
        """Whether Lambda ends this invocation soon."""
        return self._invocation.seconds_left() <= RESERVED_SECONDS

    def is_delivered_again(self, issued_at: float) -> bool:
        """Whether Lambda retries this delivery if it fails, and before the deadline.

        Lambda delivers three times in all, with pauses of one and of two minutes.
        """
        is_last = time.time() - issued_at > 2 * self._granted + RETRY_SECONDS
        return not is_last and self._deadline - time.time() > RETRY_SECONDS

    def pause(self, *, is_throttled: bool) -> None:
        """Sleep until the next look, but not past the deadline."""
        shortest, longest = PAUSE_SECONDS
        if is_throttled and self._is_crowded:
            self._pause = THROTTLED_PAUSE_SECONDS
            shortest, longest = CROWDED_PAUSE_SECONDS
        elif is_throttled:
            shortest, longest = 0.0, THROTTLED_PAUSE_SECONDS
        elif self._invocation.trigger is Trigger.EVENT:
            shortest, longest = EVENT_PAUSE_SECONDS
        jittered = random.uniform(shortest, longest)  # noqa: S311 - jitter, not a secret
        left = self._deadline - time.time()
        time.sleep(max(0.0, min(self._pause, jittered, left if left > 0 else jittered)))
        growth = 2.0 if is_throttled else PAUSE_GROWTH
        self._pause = min(self._pause * growth, longest)

    def pause_before_stop(self, until: float) -> bool:
        """Sleep after a Stop that was throttled; whether it may be sent again before a time."""
        self._was_throttled = True
        seconds = random.uniform(*STOP_PAUSE_SECONDS)  # noqa: S311 - jitter, not a secret
        if time.time() + seconds > until:
            return False
        time.sleep(seconds)
        return True
