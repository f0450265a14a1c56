"""The facts that the function will see when it gets a request, as far as they are known now."""

from __future__ import annotations

import time
from collections.abc import Iterator

from cdk_stop_inference_experiment_handler.contract.wire import seconds_to_answer
from cdk_stop_inference_experiment_handler.lifecycle.facts import (
    Endpoint,
    Experiment,
    Measured,
    Question,
    Stack,
    StackEvent,
    Unreadable,
)

from .operations import CLEAN_UP, Sent
from .reading import CannotPlan, Reader


class FactsThen:
    """Reads the stack's past and the experiment, and adds the coming operation.

    See :class:`~cdk_stop_inference_experiment_handler.lifecycle.facts.Facts`.

    Args:
        ended: The experiment after an earlier request of the operation.
    """

    def __init__(self, reader: Reader, sent: Sent, ended: Experiment | None = None) -> None:
        self._reader = reader
        self._sent = sent
        self._experiment = ended or sent.experiment
        self._now = sent.request.issued_at or time.time()

    def experiment(self) -> Experiment | None:
        """The experiment that the request names; None if SageMaker does not know it."""
        return self._experiment or self._reader.experiment(self._sent.request.declared_name)

    def endpoint(self) -> Endpoint | None:
        """The experiment's endpoint; None if SageMaker does not know it."""
        experiment = self.experiment()
        name = experiment.endpoint_name if experiment else ""
        return self._reader.endpoint(name) if name else None

    def stack(self, stack_id: str) -> Stack:
        """A stack as it will be; the current one if the operation does not change it."""
        then = self._sent.stacks.get(stack_id)
        if then:
            return Stack(stack_id, then.status, then.parent_id)
        return self._reader.aws.stack(stack_id)

    def events(self, stack_id: str) -> Iterator[StackEvent]:
        """A stack's events, newest first: the coming ones, then the existing ones."""
        then = self._sent.stacks.get(stack_id)
        request = self._sent.request
        if stack_id == request.stack_id:
            yield self._own_event()
        if then:
            name = stack_id.rpartition(":stack/")[2].partition("/")[0]
            for status in reversed(then.begun):
                yield StackEvent(self._now, name, stack_id, status)
        if not (then and then.is_new):
            yield from self._read(stack_id)

    def _read(self, stack_id: str) -> Iterator[StackEvent]:
        try:
            yield from self._reader.events(stack_id)
        except CannotPlan as error:
            raise Unreadable(str(error)) from error

    def _own_event(self) -> StackEvent:
        """The event that CloudFormation writes right before it sends the request."""
        request = self._sent.request
        status = f"{request.type.value.upper()}_IN_PROGRESS"
        return StackEvent(self._now, request.logical_id, request.physical_id, status)

    def holders(self) -> tuple[str, ...]:
        """Logical ids of the resources that will have this physical id."""
        held = self._sent.holders if self._sent.moment == CLEAN_UP else {}
        return held.get(self._sent.request.physical_id.lower(), ())

    def may_lag(self) -> bool:
        """No: the request is assumed to see current data."""
        return False

    def gives_up(self, error: Unreadable) -> bool:  # noqa: ARG002 - the protocol's
        """No: the function may be able to read what this command cannot."""
        return False

    def evidence(self, question: Question) -> Measured:
        """What CloudWatch has measured so far, and the states of alarms."""
        return self._reader.aws.evidence(question)

    def now(self) -> float:
        """Seconds since the epoch."""
        return self._now

    def deadline(self) -> float:
        """When the request must be answered, in seconds since the epoch."""
        return self._now + seconds_to_answer(self._sent.request.service_timeout)
