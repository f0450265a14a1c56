"""How the function waited before: inside its invocation, and by a rule only after that.

It is the shipped handler, told to wait as release 0.2.0 did before it: an invocation stays until
Lambda would end it soon, the rule is made 150 s before that, has no event pattern, and each of its
firings stays for 70 s.
"""

# ruff: noqa: SLF001 (the handler's own parts)
from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

from cdk_stop_inference_experiment_handler.runtime import run
from cdk_stop_inference_experiment_handler.runtime.waiting import (
    FIRST_PAUSE_SECONDS,
    Invocation,
    Trigger,
    Wait,
)

__all__ = ["waiting_inside"]

HAND_OVER_SECONDS = 150.0
POLL_WINDOW_SECONDS = 70.0
_hand_over = run.Run._hand_over


class _WaitInside(Wait):
    def __init__(self, invocation: Invocation, deadline: float) -> None:
        super().__init__(invocation, deadline)
        is_first = invocation.trigger is Trigger.REQUEST
        self._stays_until = float("inf") if is_first else time.time() + POLL_WINDOW_SECONDS

    def stop_accepted(self) -> None:
        self._pause = FIRST_PAUSE_SECONDS

    def stop_refused(self, *, has_begun: bool) -> None:
        """It stays anyway."""

    def throttled(self, *, has_stopped: bool) -> None:
        """It stays anyway, and pauses for longer and longer."""

    def pause_before_stop(self, until: float) -> bool:  # noqa: ARG002 (the shipped signature)
        return False

    @property
    def may_leave(self) -> bool:
        return time.time() >= self._stays_until


def _hand_over_late(self: run.Run, *, is_due: bool) -> None:  # noqa: ARG001
    if self._rule.is_made or self._invocation.seconds_left() <= HAND_OVER_SECONDS:
        _hand_over(self, is_due=True)


@contextmanager
def waiting_inside() -> Iterator[None]:
    """Make the handler wait inside; the world must deliver no events of endpoints."""
    with (
        mock.patch.object(run, "Wait", _WaitInside),
        mock.patch.object(run.Run, "_hand_over", _hand_over_late),
    ):
        yield
