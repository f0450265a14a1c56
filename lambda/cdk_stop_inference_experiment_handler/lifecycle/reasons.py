"""Every sentence the handler says to CloudFormation or its log, in one place.

A sentence says what happened to which experiment, then what to do, then the cause in AWS's own
words, which are shortened in their middle.
"""

from __future__ import annotations

import time
from collections.abc import Iterable

from .facts import Experiment

MAX_QUOTED = 240
"""Characters of AWS's own text, so that a whole sentence stays under 1,024."""

_GO_ON = "deploy or delete again to go on waiting"


def armed(experiment: Experiment) -> str:
    """Create found everything in order."""
    ends = f"; it ends by itself at {moment(experiment.scheduled_end)}"
    return (
        f"{_named(experiment)} is {experiment.status}; nothing was stopped"
        f"{ends if experiment.scheduled_end is not None else ''}"
    )


def absent(name: str, region: str) -> str:
    """The experiment does not exist."""
    return (
        f"inference experiment '{name}' does not exist in {region}: check its name, the region "
        f"and the account, and that it is created before this resource"
    )


def absent_on_delete(name: str) -> str:
    """Nothing is left to stop."""
    return f"inference experiment '{name}' does not exist any more; nothing to stop"


def not_armed_before(experiment: Experiment) -> str:
    """A Create with EndNow."""
    return (
        f"'EndNow' is true, but this resource is new, and {_named(experiment)} is "
        f"{experiment.status}; nothing was stopped: set 'EndNow' to false and deploy; if the "
        f"experiment is to end at once, list Create in 'StopOn'"
    )


def unknown_variants(declared: Iterable[str], experiment: Experiment) -> str:
    """An action is declared for a variant the experiment does not have."""
    return (
        f"{_named(experiment)} has no variant {_quoted(declared)}; nothing was stopped: "
        f"'ModelVariantActions' must name its variants, which are {_quoted(experiment.variants)}"
    )


def not_a_shadow(variant: str, experiment: Experiment) -> str:
    """Promote is declared for the production variant."""
    return (
        f"variant '{variant}' of {_named(experiment)} cannot be promoted; nothing was stopped: "
        f"only its shadow variant can, which is {_quoted(experiment.shadows)}"
    )


def unchanged(name: str) -> str:
    """An Update that says nothing new about the end of the experiment."""
    return f"how inference experiment '{name}' is to end has not changed; nothing was stopped"


def unchanged_as_far_as_known(name: str, cause: Exception) -> str:
    """The same, but the stack's events cannot be read."""
    return f"{unchanged(name)}; the stack's events could not be read: {_shortened(str(cause))}"


def not_in_stop_on(name: str, event: str) -> str:
    """``StopOn`` leaves the event out."""
    return f"'StopOn' does not list {event}; inference experiment '{name}' was not stopped"


def unreadable_old_declaration(name: str) -> str:
    """It is not known what was deployed before."""
    return (
        f"what was last deployed for inference experiment '{name}' cannot be read, so that it is "
        f"not known what changed; nothing was stopped: roll the stack back, then deploy again"
    )


def undone(name: str, experiment: Experiment | None = None) -> str:
    """An undo never stops an experiment that may outlive it."""
    if experiment is not None and experiment.has_ended:
        return f"CloudFormation undoes the operation, but {ended(experiment)}, which stays"
    return f"CloudFormation undoes the operation; inference experiment '{name}' was not stopped"


def overtaken(name: str) -> str:
    """The request is not the stack's any more."""
    return (
        f"CloudFormation has gone on since this request; inference experiment '{name}' was not "
        f"stopped"
    )


def unclear(name: str, stack_status: str) -> str:
    """The stack is at rest, or in a status that is not known."""
    return (
        f"the stack is in {stack_status}, and its events do not fit this request; inference "
        f"experiment '{name}' was not stopped: deploy again"
    )


def parent_at_rest(name: str) -> str:
    """A nested stack that is operated directly."""
    return (
        f"a parent of this nested stack is at rest; inference experiment '{name}' was not "
        f"stopped: deploy from the root stack"
    )


def held(name: str, holders: Iterable[str]) -> str:
    """The construct was renamed or moved: another resource has taken the experiment over."""
    return (
        f"{_quoted(holders)} of this stack holds inference experiment '{name}' now; it was not "
        f"stopped"
    )


def not_held(physical_id: str) -> str:
    """A Delete for an id that was never the experiment's."""
    return f"'{physical_id}' is not the experiment of this resource; nothing was called"


def stop(experiment: Experiment) -> str:
    """The order is given."""
    return f"{_named(experiment)} is {experiment.status} and is to end now"


def standing(experiment: Experiment) -> str:
    """Not over yet."""
    endpoint = f", its endpoint {experiment.endpoint_status}" if experiment.endpoint_status else ""
    return f"{_named(experiment)} is {experiment.status}{endpoint}"


def ended(experiment: Experiment) -> str:
    """Nothing is left to stop."""
    return f"{_named(experiment)} has ended as {_end(experiment)}"


def ended_as_before(experiment: Experiment) -> str:
    """It ended as the declaration before this one said."""
    return (
        f"{_named(experiment)} has already ended as the previous declaration said; it is too late "
        f"for the new one; it ended as {_end(experiment)}"
    )


def too_late(variant: str, experiment: Experiment) -> str:
    """It ended before the promotion was ordered."""
    return (
        f"variant '{variant}' of {_named(experiment)} cannot be promoted any more: deploy the "
        f"variant by an endpoint update, or start a new experiment; it has already ended as "
        f"{_end(experiment)}"
    )


def not_begun(experiment: Experiment) -> str:
    """SageMaker does not stop a test that has not begun."""
    return (
        f"{_named(experiment)} has not begun and cannot be stopped yet: deploy again after it has "
        f"begun{_begins(experiment)}"
    )


def not_begun_on_delete(experiment: Experiment) -> str:
    """The same, for a teardown, which must not wait for an hour."""
    return (
        f"{_named(experiment)} has not begun and cannot be stopped yet; it was left as it is: "
        f"delete it with DeleteInferenceExperiment, or stop it after it has begun"
        f"{_begins(experiment)}"
    )


def cancelled(experiment: Experiment) -> str:
    """SageMaker ended it with an error."""
    return (
        f"{_named(experiment)} was stopped, but did not end as declared: check what endpoint "
        f"'{experiment.endpoint_name}' serves now; it ended as {_end(experiment)}"
        f"{_endpoint_cause(experiment)}"
    )


def shows_as_cancelled(experiment: Experiment) -> str:
    """Completed was asked for; an early conclusion may show as Cancelled."""
    return (
        f"{_named(experiment)} was to end as Completed and shows as Cancelled, with the reason of "
        f"this stop: SageMaker shows an early conclusion so"
    )


def contradicted(experiment: Experiment, contradictions: Iterable[str]) -> str:
    """What SageMaker says of the variants does not fit the declaration."""
    return (
        f"{ended(experiment)}, but its variants do not look as declared: check endpoint "
        f"'{experiment.endpoint_name}'; {', '.join(contradictions)}"
    )


def endpoint_failed(experiment: Experiment) -> str:
    """The experiment ended, its endpoint's update did not go well."""
    return (
        f"{_named(experiment)} ended as {experiment.status}, but its endpoint "
        f"'{experiment.endpoint_name}' needs repair: it is {experiment.endpoint_status}"
        f"{_endpoint_cause(experiment)}"
    )


def gone_while_waiting(name: str) -> str:
    """Somebody deleted the experiment while its end was awaited."""
    return (
        f"inference experiment '{name}' was deleted while its end was awaited: check what its "
        f"endpoint serves now"
    )


def out_of_time(name: str, seen: str, seconds: float, trouble: str) -> str:
    """The deadline has come; the experiment may still be on its way."""
    because = f": {_shortened(trouble)}" if trouble else ""
    return (
        f"inference experiment '{name}' has not ended after {seconds:.0f} s: {_GO_ON}; "
        f"last seen: {seen}{because}"
    )


def cannot_hand_over(name: str, seen: str, cause: str) -> str:
    """Waiting cannot outlive the invocation: the polling rule could not be made."""
    return (
        f"inference experiment '{name}' has not ended yet ({seen}): {_GO_ON}; "
        f"the polling rule could not be made: {_shortened(cause)}"
    )


def aws_refused(name: str, cause: str, *, may_be_stopped: bool) -> str:
    """An AWS call failed in a way that repeating does not fix."""
    if may_be_stopped:
        return f"inference experiment '{name}' was told to end: {_GO_ON}; {_shortened(cause)}"
    return f"inference experiment '{name}' was left as it is: {_shortened(cause)}"


def moment(seconds: float | None) -> str:
    """A time in ISO 8601, UTC; empty where there is none."""
    return "" if seconds is None else time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def _named(experiment: Experiment) -> str:
    return f"inference experiment '{experiment.name}'"


def _end(experiment: Experiment) -> str:
    at = f" at {moment(experiment.completion_time)}" if experiment.completion_time else ""
    reason = _shortened(experiment.status_reason)
    return f"{experiment.status}{at}" + (f", because '{reason}'" if reason else "")


def _begins(experiment: Experiment) -> str:
    if experiment.scheduled_start is None:
        return ""
    return f"; it begins at {moment(experiment.scheduled_start)}"


def _endpoint_cause(experiment: Experiment) -> str:
    cause = _shortened(experiment.endpoint_failure)
    return f"; endpoint: {cause}" if cause else ""


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)


def _shortened(text: str) -> str:
    """AWS's own text; the beginning names the call, the end the cause."""
    if len(text) <= MAX_QUOTED:
        return text
    half = (MAX_QUOTED - 3) // 2
    return f"{text[:half]}...{text[-half:]}"
