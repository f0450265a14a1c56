"""Every sentence the handler says to CloudFormation or its log, in one place.

One sentence each: experiment and status first, what was wanted, what to do, the cause last,
because crhelper keeps the last 240 characters of a long reason.
"""

from __future__ import annotations

from collections.abc import Iterable

from ..contract.declaration import Declaration
from .facts import Experiment

_GO_ON = "deploy or delete again to go on waiting"


def armed(experiment: Experiment) -> str:
    """Create found everything in order."""
    return f"inference experiment '{experiment.name}' is {experiment.status}; nothing was changed"


def absent(name: str, region: str) -> str:
    """The experiment does not exist."""
    return (
        f"inference experiment '{name}' does not exist in {region}: check its name, the region "
        f"and the account, and that it is created before this resource"
    )


def unknown_variants(declared: Iterable[str], experiment: Experiment) -> str:
    """An action is declared for a variant the experiment does not have."""
    return (
        f"inference experiment '{experiment.name}' has no variant {_quoted(declared)}: "
        f"'ModelVariantActions' must name its variants, which are {_quoted(experiment.variants)}"
    )


def not_a_shadow(variant: str, experiment: Experiment) -> str:
    """Promote is declared for the production variant."""
    return (
        f"variant '{variant}' of inference experiment '{experiment.name}' cannot be promoted: "
        f"only its shadow variant can, which is {_quoted(experiment.shadow_variants or ())}"
    )


def already_ended(experiment: Experiment) -> str:
    """Nothing is left to stop."""
    return f"inference experiment '{experiment.name}' has ended as {_end(experiment)}"


def not_undone(experiment: Experiment) -> str:
    """An Update, or its rollback, comes after the end."""
    return f"{already_ended(experiment)}, which cannot be undone"


def not_ordered(event: str) -> str:
    """``StopOn`` leaves the event out."""
    return f"'StopOn' does not list {event}; nothing was stopped"


def same_declaration(name: str) -> str:
    """An Update that says nothing new about the end of the experiment."""
    return f"how inference experiment '{name}' shall end did not change; nothing was stopped"


def rollback(stack_status: str, experiment: Experiment | None) -> str:
    """A rollback never stops an experiment that outlives it."""
    if experiment is not None and experiment.has_ended:
        return f"the stack is in {stack_status}, but {not_undone(experiment)}"
    return f"the stack is in {stack_status}; nothing was stopped"


def held_elsewhere(name: str, holders: Iterable[str]) -> str:
    """The construct was renamed or moved: another resource has taken the experiment over."""
    return f"{_quoted(holders)} of this stack holds inference experiment '{name}' now; not stopped"


def not_held(physical_id: str) -> str:
    """A Delete for an id that was never the experiment's."""
    return f"'{physical_id}' is not the experiment of this resource; nothing was called"


def gone(name: str) -> str:
    """Deleted before, or while, the handler looked."""
    return f"inference experiment '{name}' does not exist any more"


def gone_while_waiting(name: str) -> str:
    """Somebody deleted the experiment while an Update waited for its end."""
    return f"inference experiment '{name}' was deleted while its end was awaited"


def stop(experiment: Experiment) -> str:
    """The order is given."""
    return f"inference experiment '{experiment.name}' is {experiment.status} and is to end now"


def waiting(experiment: Experiment) -> str:
    """Not over yet."""
    endpoint = f", its endpoint {experiment.endpoint_status}" if experiment.endpoint_status else ""
    return f"inference experiment '{experiment.name}' is {experiment.status}{endpoint}"


def over(experiment: Experiment) -> str:
    """Ended as declared."""
    return f"inference experiment '{experiment.name}' ended as {_end(experiment)}"


def too_late_to_promote(variant: str, experiment: Experiment) -> str:
    """It ended before the promotion was declared."""
    return (
        f"variant '{variant}' cannot be promoted any more: start a new inference experiment; "
        f"'{experiment.name}' has already ended as {_end(experiment)}"
    )


def ended_otherwise(declaration: Declaration, experiment: Experiment) -> str:
    """Cancelled although Completed was asked for, or by something that is not this resource."""
    wanted = declaration.desired_state or "an end by this resource"
    return (
        f"inference experiment '{experiment.name}' was to end as {wanted}: check what endpoint "
        f"'{experiment.endpoint_name}' serves now; it ended as {_end(experiment)}"
        f"{_endpoint_cause(experiment)}"
    )


def endpoint_failed(experiment: Experiment) -> str:
    """The experiment ended, its endpoint did not come to rest well."""
    return (
        f"inference experiment '{experiment.name}' ended as {experiment.status}, but its endpoint "
        f"'{experiment.endpoint_name}' needs repair: it is {experiment.endpoint_status}"
        f"{_endpoint_cause(experiment)}"
    )


def unreadable_old_properties() -> str:
    """An Update whose old properties make no sense: in doubt, do not stop."""
    return (
        "the resource's old properties cannot be read, so that it is not known what changed; "
        "nothing was stopped"
    )


def out_of_time(name: str, standing: str, seconds: float, trouble: str) -> str:
    """The deadline has come; the experiment may still be on its way."""
    because = f": {trouble}" if trouble else ""
    return (
        f"inference experiment '{name}' has not ended after {seconds:.0f} s: {_GO_ON}; "
        f"last seen: {standing}{because}"
    )


def cannot_hand_over(name: str, standing: str, cause: str) -> str:
    """Waiting cannot outlive the invocation: the polling rule could not be made."""
    return (
        f"inference experiment '{name}' has not ended yet ({standing}): {_GO_ON}; "
        f"the polling rule could not be made: {cause}"
    )


def aws_refused(name: str, cause: str, *, may_be_stopped: bool) -> str:
    """An AWS call failed in a way that repeating does not mend."""
    if may_be_stopped:
        return f"inference experiment '{name}' was told to end: {_GO_ON}; {cause}"
    return f"inference experiment '{name}' was left as it is: {cause}"


def _end(experiment: Experiment) -> str:
    because = f", because '{experiment.status_reason}'" if experiment.status_reason else ""
    return f"{experiment.status}{because}"


def _endpoint_cause(experiment: Experiment) -> str:
    return f"; endpoint: {experiment.endpoint_failure}" if experiment.endpoint_failure else ""


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)
