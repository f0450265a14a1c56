"""How long to wait within an invocation, and when to hand over to the polling rule.

Only the ``time`` module is used, so that tests can replace the clock.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass

from ..contract.wire import seconds_to_answer
from ..lifecycle.facts import Unreadable

logger = logging.getLogger(__name__)

IAM_PROPAGATION_SECONDS = 60
"""AccessDenied is retried for this long after the first delivery: IAM may not know a new policy."""

HAND_OVER_SECONDS = 150
"""The polling rule is created when this much of the invocation is left: it fires a minute later,
while this invocation still waits, so that there is no gap."""

LEAVE_SECONDS = 20
"""An invocation stops waiting when this much of it is left."""

POLL_WINDOW_SECONDS = 70
"""A poll invocation waits this long: a little over the minute after which the rule fires again."""

RETRY_SECONDS = 130
"""Lambda retries a failed invocation within this time.
https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html"""

FIRST_PAUSE_SECONDS = 0.5
PAUSE_GROWTH = 1.5
PAUSE_SECONDS = (2.0, 2.8)
"""Between two describe calls: short at first, then a few seconds, with jitter so that forty
resources of one stack do not call at the same time."""


@dataclass(frozen=True)
class Invocation:
    """One run of the function.

    Attributes:
        is_poll: The polling rule fired it, and will fire again.
        hand_over: Creates the polling rule, or updates its input. Raises HandOverFailed.
    """

    seconds_left: Callable[[], float]
    is_poll: bool
    hand_over: Callable[[], None]


class HandOverFailed(Exception):
    """The polling rule could not be created."""


class PollingRule:
    """The rule that continues a request when its invocation ends.

    Attributes:
        is_made: It fires.
        trouble: Why it could not be created or updated the last time; empty if it could.
    """

    def __init__(self, invocation: Invocation) -> None:
        self.is_made = invocation.is_poll
        self.trouble = ""
        self._hand_over = invocation.hand_over

    def make(self) -> None:
        """Create the rule or update its input; after a failure, try again later."""
        try:
            self._hand_over()
        except HandOverFailed as error:
            self.trouble = str(error)
            logger.warning({"decision": "hand over later", "why": self.trouble})
        else:
            self.is_made, self.trouble = True, ""

    def refresh(self) -> None:
        """Update the rule's input, if there is a rule."""
        if self.is_made:
            self.make()


class ComeAgain(BaseException):
    """This delivery ends without an answer; the polling rule or Lambda's retry continues.

    Not an Exception: crhelper answers FAILED to those.
    """


class Wait:
    """The time that is left for a request: until its deadline, and in this invocation."""

    def __init__(self, invocation: Invocation, started_at: float, service_timeout: float) -> None:
        self.patience = seconds_to_answer(service_timeout)
        self._invocation = invocation
        self._started_at = started_at
        self._entered_at = time.time()
        self._granted = invocation.seconds_left()
        self._pause = FIRST_PAUSE_SECONDS

    @property
    def now(self) -> float:
        """Seconds since the epoch."""
        return time.time()

    @property
    def age(self) -> float:
        """Seconds since the request, or its first delivery."""
        return time.time() - self._started_at

    @property
    def deadline(self) -> float:
        """When CloudFormation must be answered, in seconds since the epoch."""
        return self._started_at + self.patience

    @property
    def is_over(self) -> bool:
        """Whether the deadline has passed."""
        return self._seconds_to_deadline <= 0

    def is_worth_repeating(self, error: Unreadable) -> bool:
        """Whether to retry a failed call; IAM may not know a new policy yet."""
        is_young = self.age < IAM_PROPAGATION_SECONDS
        return error.is_transient or (error.is_denied and is_young)

    @property
    def needs_hand_over(self) -> bool:
        """Whether this invocation ends soon, and before the deadline."""
        left = self._invocation.seconds_left()
        return left <= HAND_OVER_SECONDS and self._seconds_to_deadline > left - LEAVE_SECONDS

    @property
    def must_leave(self) -> bool:
        """Whether this invocation must stop waiting."""
        if self._invocation.seconds_left() <= LEAVE_SECONDS:
            return True
        return self._invocation.is_poll and time.time() - self._entered_at >= POLL_WINDOW_SECONDS

    @property
    def is_delivered_again(self) -> bool:
        """Whether Lambda retries this delivery if it fails, and before the deadline.

        Lambda delivers three times in all, with pauses of one and of two minutes.
        """
        is_last = self.age > 2 * self._granted + RETRY_SECONDS
        return not is_last and self._seconds_to_deadline > RETRY_SECONDS

    def hurry(self) -> None:
        """Start with short pauses again: a stop has just been ordered."""
        self._pause = FIRST_PAUSE_SECONDS

    def pause(self) -> None:
        """Sleep until the next describe call, but not past the deadline."""
        longest = random.uniform(*PAUSE_SECONDS)  # noqa: S311 - jitter, not a secret
        time.sleep(max(0.0, min(self._pause, longest, self._seconds_to_deadline)))
        self._pause = min(self._pause * PAUSE_GROWTH, PAUSE_SECONDS[1])

    @property
    def _seconds_to_deadline(self) -> float:
        return self.deadline - time.time()
