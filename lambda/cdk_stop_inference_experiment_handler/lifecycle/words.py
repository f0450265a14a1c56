"""Every sentence that the handler sends to CloudFormation or writes to its log.

It says what happened to which experiment, then what to do, then the cause in AWS's own words.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping

from ..contract.declaration import Comparison
from ..contract.limits import AVERAGE, MODEL_LATENCY
from .situation import Experiment, Situation

MAX_QUOTED = 240
"""Characters of AWS's own text that are kept, so that a sentence stays under 1,024."""

MAX_VERDICT_REASON = 480
"""Characters of the reason for a verdict, whose both ends say something."""

_GO_ON = "deploy or delete again to continue waiting"

_AGAIN = "deploy or delete again"

_WAS_LOST = "was sent, and it is not known whether SageMaker accepted it"
"""Of a stop whose answer was lost."""

_STOP_LOST = f"a stop {_WAS_LOST}"

_DAY_AFTER = "The day after a promotion"
"""The title of the page docs/guide/day-after.md."""


def armed(experiment: Experiment) -> str:
    """A creation has only checked the declaration; the experiment goes on."""
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


def not_armed_before(experiment: Experiment, *, may_stop_on_create: bool) -> str:
    """A Create with ``end_now``, of an experiment that has not ended: in the words of the props."""
    remedy = (
        "; to end the experiment at once, list CREATE in 'stop_on'" if may_stop_on_create else ""
    )
    return (
        f"'end_now' is true, but this resource is new, and {_named(experiment)} is "
        f"{experiment.status}; nothing was stopped: set 'end_now' to False and deploy{remedy}"
    )


def unknown_variants(declared: Iterable[str], experiment: Experiment) -> str:
    """An action is declared for a variant that the experiment does not have."""
    return (
        f"{_named(experiment)} has no variant {quoted(declared)}; nothing was stopped: "
        f"'ModelVariantActions' must name its variants, which are {quoted(experiment.variants)}"
    )


def not_a_shadow(variant: str, experiment: Experiment) -> str:
    """Promote is declared for the production variant."""
    return (
        f"variant '{variant}' of {_named(experiment)} cannot be promoted; nothing was stopped: "
        f"promote its shadow variant, which is {quoted(experiment.shadows)}"
    )


def not_a_pair(experiment: Experiment) -> str:
    """An outcome needs one production variant and one shadow variant."""
    return (
        f"{_named(experiment)} does not have one production variant and one shadow variant, which "
        f"'Outcome' needs; nothing was stopped: use 'ModelVariantActions' instead; found: "
        f"production {quoted([experiment.production])}, shadows {quoted(experiment.shadows)}, "
        f"variants {quoted(experiment.variants)}"
    )


def instances_unknown(s: Situation, experiment: Experiment, cause: str) -> str:
    """The promoted variant cannot get production's instance count."""
    left = _STOP_LOST if s.progress.tried else "nothing was stopped"
    return (
        f"the current instance count of variant '{experiment.production}' of {_named(experiment)} "
        f"is not known; {left}: set 'InstanceType' and 'InstanceCount' in "
        f"'Instances'; DescribeEndpoint of '{experiment.endpoint_name}': {shortened(cause)}"
    )


def fewer_instances(declared: int, experiment: Experiment, runs: int) -> str:
    """A declared count may be smaller than what autoscaling runs now."""
    return (
        f"a variant of {_named(experiment)} is to be promoted on {declared} instances, but variant "
        f"'{experiment.production}' now runs {runs}: declare as many, or use 'Outcome' with "
        f"production's instances"
    )


def unchanged(name: str) -> str:
    """An Update that does not change how the experiment is to end."""
    return f"the declared end of inference experiment '{name}' has not changed; nothing was stopped"


def not_in_stop_on(s: Situation, event: str) -> str:
    """``stop_on`` leaves the event out."""
    return f"'stop_on' does not list {event.upper()}; {_left(s)}"


def unreadable_old_declaration(s: Situation, cause: str) -> str:
    """The declaration that was deployed before is not known."""
    return (
        f"the stack's events do not show the last deployed declaration of {_which(s)}: roll the "
        f"stack back, then deploy again, or stop the experiment yourself; {shortened(cause)}"
    )


def not_readable(s: Situation, cause: str) -> str:
    """The stack cannot be read, so nobody knows whether the order still stands."""
    return (
        f"the stack of this request could not be read; {_left(s)}: let the function read the "
        f"stack, then deploy again; {shortened(cause)}"
    )


def doomed(s: Situation) -> str:
    """Another resource has failed, and CloudFormation is about to undo the operation."""
    return (
        f"another resource of this deployment failed; {_left(s)}: fix that resource, then deploy "
        f"again"
    )


def closed(s: Situation) -> str:
    """CloudFormation has the answer to this request, or has cancelled it."""
    left = _left(s) if s.progress.tried else _not_by_it(s)
    return f"CloudFormation no longer waits for this request; {left}"


def own_event_missing(s: Situation) -> str:
    """The stack's events may be older than the request."""
    return f"the stack's events do not show this request; {_left(s)}: deploy again"


def holders_unknown(s: Situation, cause: str) -> str:
    """Whether another resource manages the experiment is not known."""
    return (
        f"the resources of this stack could not be listed, and one of them may manage "
        f"{_which(s)}: if it is still running, stop it yourself; {shortened(cause)}"
    )


def undone(s: Situation, experiment: Experiment | None = None) -> str:
    """A rollback takes the order back: nothing was stopped, or an end that cannot be taken back."""
    if experiment is not None and (experiment.is_over or experiment.is_stopping):
        end = ended(experiment) if experiment.has_ended else status(experiment)
        return f"CloudFormation is undoing the operation, but {end}; this cannot be undone"
    return f"CloudFormation is undoing the operation; {_left(s)}"


def overtaken(s: Situation) -> str:
    """The request is no longer the stack's current one."""
    return f"CloudFormation has moved on since this request; {_left(s)}"


def unclear(s: Situation, stack_status: str) -> str:
    """The stack is at rest, or its status is not known."""
    return (
        f"the stack is in {stack_status}, and its events do not match this request; {_left(s)}: "
        f"deploy again"
    )


def parent_at_rest(s: Situation) -> str:
    """A nested stack that is deployed directly."""
    return f"a parent of this nested stack is not being deployed; {_left(s)}: deploy the root stack"


def held_by_another(s: Situation, holders: Iterable[str]) -> str:
    """The construct was renamed or moved: another resource now manages the experiment."""
    return f"resource {quoted(holders)} of this stack now manages {_which(s)}"


def not_held(physical_id: str) -> str:
    """A Delete for a physical id that was never the experiment's."""
    return f"'{physical_id}' is not this resource's experiment; nothing was stopped"


def stop(experiment: Experiment) -> str:
    """The experiment is to end."""
    return f"{_named(experiment)} is {experiment.status}; ending it now"


def stop_accepted(experiment: Experiment) -> str:
    """SageMaker has taken the Stop."""
    return f"SageMaker has accepted the stop of {_named(experiment)}"


def another_arn(experiment: Experiment, arn: str) -> str:
    """Stop goes by name, and may have hit an experiment that has just taken the name."""
    return f"the stop of {_named(experiment)} was accepted for another ARN, {arn}"


def status(experiment: Experiment) -> str:
    """It has not ended yet."""
    endpoint = f", its endpoint {experiment.endpoint_status}" if experiment.endpoint_status else ""
    return f"{_named(experiment)} is {experiment.status}{endpoint}"


def ended(experiment: Experiment, scheduled_end: float | None = None) -> str:
    """Nothing is left to stop. ``scheduled_end`` is what the schedule said before the end."""
    return f"{_named(experiment)} has ended as {_end(experiment, scheduled_end)}"


def serves(promoted: str | None, experiment: Experiment) -> str:
    """What serves after a promotion; empty if nothing was promoted."""
    if promoted is None:
        return ""
    by = experiment.endpoint_config_name
    return (
        f"; variant '{promoted}' serves production now"
        f"{f', by endpoint configuration {quoted([by])}' if by else ''}; to go back, see the page "
        f"'{_DAY_AFTER}'"
    )


def promotion_unknown(promoted: str | None, experiment: Experiment) -> str:
    """A promotion was ordered, and SageMaker does not say that it ended the experiment."""
    named = f"variant '{promoted}'" if promoted else "its shadow"
    return (
        f"; it is not known whether {named} serves production now: check endpoint "
        f"'{experiment.endpoint_name}'"
    )


def failure_unknown(experiment: Experiment) -> str:
    """The endpoint has a FailureReason that may be older than the stop."""
    return (
        f"; it is not known whether the last failure of endpoint '{experiment.endpoint_name}' came "
        f"with this end: check what it serves{_endpoint_cause(experiment)}"
    )


def way_back(experiment: Experiment) -> str:
    """How a promotion that has not happened yet can be taken back."""
    model = experiment.configured.get(experiment.production, {}).get("ModelName")
    return (
        f"To go back after a promotion, update endpoint '{experiment.endpoint_name}' to a new "
        f"endpoint configuration{f' for model {quoted([str(model)])}' if model else ''}; in "
        f"the documentation of cdk-stop-inference-experiment, see the page '{_DAY_AFTER}'"
    )


def unsettled(experiment: Experiment) -> str:
    """The experiment is over, its endpoint has not settled at the deadline."""
    return (
        f"{_named(experiment)} ended as {experiment.status}, but its endpoint "
        f"'{experiment.endpoint_name}' is still {experiment.endpoint_status}: check it before you "
        f"change or delete it"
    )


def ended_as_before(experiment: Experiment) -> str:
    """It ended as the declaration before this one said."""
    return (
        f"{_named(experiment)} has already ended as previously declared; the new declaration comes "
        f"too late; it ended as {_end(experiment)}"
    )


def too_late(
    variant: str | None, experiment: Experiment, scheduled_end: float | None = None
) -> str:
    """It has ended otherwise, before the promotion was ordered."""
    named = f"variant '{variant}'" if variant else "the shadow"
    return (
        f"{named} of {_named(experiment)} cannot be promoted any more: deploy the variant with an "
        f"endpoint update, or start a new experiment; this one has already ended as "
        f"{_end(experiment, scheduled_end)}"
    )


def not_begun(experiment: Experiment) -> str:
    """SageMaker does not stop a test that has not started."""
    return (
        f"{_named(experiment)} has not started and cannot be stopped yet: deploy again after it "
        f"has started{_starts(experiment)}"
    )


def not_begun_on_delete(experiment: Experiment) -> str:
    """The same, for a teardown, which must not wait for an hour."""
    return (
        f"{_named(experiment)} has not started and cannot be stopped yet; it was left as it is: "
        f"delete it with DeleteInferenceExperiment, or stop it after it has started"
        f"{_starts(experiment)}"
    )


def with_refusal(why: str, refusal: str) -> str:
    """What the state of the experiment says of a Stop that SageMaker refused, and its words."""
    return f"{why}; {shortened(refusal)}" if refusal else why


def cancelled(experiment: Experiment) -> str:
    """SageMaker ended it with an error."""
    return (
        f"{_named(experiment)} was stopped, but did not end as declared: check what endpoint "
        f"'{experiment.endpoint_name}' serves now; it ended as {_end(experiment)}"
        f"{_endpoint_cause(experiment)}"
    )


def shows_as_cancelled(experiment: Experiment) -> str:
    """Completed was declared; SageMaker may show an experiment that ends early as Cancelled."""
    return (
        f"{_named(experiment)} was declared to end as Completed, and ended as Cancelled with the "
        f"reason of this stop: SageMaker may show an experiment that is concluded early like this"
    )


def contradicted(experiment: Experiment, contradictions: Iterable[str]) -> str:
    """The variants' statuses contradict the declaration."""
    return (
        f"{ended(experiment)}, but its variants do not match the declaration: check endpoint "
        f"'{experiment.endpoint_name}'; {', '.join(contradictions)}"
    )


def endpoint_failed(experiment: Experiment) -> str:
    """The experiment ended, but its endpoint's update failed."""
    return (
        f"{_named(experiment)} ended as {experiment.status}, but its endpoint "
        f"'{experiment.endpoint_name}' needs repair: it is {experiment.endpoint_status}"
        f"{_endpoint_cause(experiment)}"
    )


def gone_while_waiting(name: str) -> str:
    """Somebody deleted the experiment before its end was seen."""
    return (
        f"inference experiment '{name}' was deleted while it was ending: check what its endpoint "
        f"serves now"
    )


def out_of_time(s: Situation, trouble: str) -> str:
    """The deadline has passed: the experiment may still be ending, or nothing was stopped.

    ``trouble`` says what the request has waited for, where that is not what SageMaker says of the
    experiment.
    """
    seen = s.experiment if isinstance(s.experiment, Experiment) else None
    if seen is not None and seen.is_over and not seen.is_settled:
        return unsettled(seen)
    name, after = s.request.name, f"{s.deadline - s.progress.started_at:.0f} s"
    last = dict.fromkeys((status(seen) if seen else "", shortened(trouble)))
    because = f"; last seen: {'; '.join(filter(None, last))}"
    if s.progress.sent or s.progress.tried or (seen is not None and seen.is_stopping):
        is_lost = s.progress.tried and not s.progress.sent
        return (
            f"inference experiment '{name}' has not ended after {after}: {_GO_ON}"
            f"{f'; {_STOP_LOST}' if is_lost else ''}{because}"
        )
    left = _not_by_it(s) if seen is None else f"inference experiment '{name}' was not stopped"
    return f"{left} within {after}: {_AGAIN}{because}"


def cannot_hand_over(name: str, seen: str, cause: str) -> str:
    """The polling rule that would continue waiting could not be created."""
    return (
        f"inference experiment '{name}' has not ended yet ({seen}): {_GO_ON}; "
        f"the polling rule could not be created: {shortened(cause)}"
    )


def aws_refused(s: Situation, cause: str) -> str:
    """An AWS call failed in a way that a retry does not fix."""
    named = f"inference experiment '{s.request.name}'"
    if s.progress.tried or s.progress.sent:
        return f"a stop of {named} was sent: {_GO_ON}; {shortened(cause)}"
    is_seen = isinstance(s.experiment, Experiment)
    left = f"{named} was left as it is" if is_seen else _not_by_it(s)
    return f"{left}: {shortened(cause)}"


NOT_EVERY_DECLARATION_PROMOTES = "a declaration that was deployed since does not promote it"
NO_PAIR = "SageMaker does not return the production variant, the shadow variant and the start time"


def gate(name: str, report: Mapping[str, object]) -> str:
    """The verdict on a promotion, understandable without the report."""
    verdict = str(report["verdict"])
    shadow = f"the shadow of inference experiment '{name}'"
    text = (
        f"{shadow} can be promoted: the evidence is successful"
        if verdict == "successful"
        else f"{shadow} was not promoted: the evidence is {verdict}"
    )
    if why := shortened(str(report["why"]), MAX_VERDICT_REASON):
        text += f": {why}"
    if "from" in report:
        text += f"; measured from {report['from']} to {report['to']}"
    if report.get("samplingPercentage") not in (None, 100):
        text += f"; the shadow got {report['samplingPercentage']:g} % of the requests"
    return text


def instances_differ(tested: str, wanted: str) -> str:
    """Nothing was measured on the instances that the shadow would get by default."""
    return (
        f"it was measured on {tested}, and would be promoted on {wanted}: set 'Instances' to "
        f"'Shadow', or to 'Production' to promote it anyway"
    )


def on_other_instances(differ: tuple[str, str] | None) -> str:
    """What to add where a promotion is declared on another instance type; empty if it is not."""
    if differ is None:
        return ""
    tested, wanted = differ
    return (
        f"; the shadow is tested on {tested}, but is to be promoted on {wanted}: what was measured "
        f"is not what will be deployed"
    )


def too_few_requests(production: float, shadow: float, minimum: int) -> str:
    """Too few requests for a verdict."""
    return (
        f"production got {production:,.0f} requests and the shadow {shadow:,.0f}; {minimum:,} are "
        f"needed"
    )


def too_few_hours(hours: int, minimum: int) -> str:
    """Too little of the test has passed for a verdict with a confidence."""
    return f"{hours} whole hours were measured; {minimum} are needed"


def too_young(earliest: float) -> str:
    """Measurements do not count while the models warm up."""
    return f"the experiment is too young: measurements count from {moment(earliest)}"


def not_measured(metric: str, variant: str) -> str:
    """A missing metric, which never counts as zero."""
    return f"CloudWatch has no {metric} of variant '{variant}'"


def no_hour(statistic: str, minimum: int) -> str:
    """Too few requests for a percentile."""
    return f"{statistic} needs a whole hour with {minimum} requests of each variant"


def out_of_bound(comparison: Comparison, values: Mapping[str, float], hour: float) -> str:
    """The shadow's value, production's value and the bound."""
    unit, scale = ("ms", 1e-3) if comparison.metric == MODEL_LATENCY else ("%", 100)
    shadow, production, bound = (
        f"{values[name] * scale:.6g} {unit}" for name in ("shadow", "production", "bound")
    )
    at = f" in the hour from {moment(hour)}" if hour else ""
    return (
        f"{comparison.metric} {comparison.statistic or AVERAGE} is {shadow} for the shadow and "
        f"{production} for production{at}; at most {bound} is allowed"
    )


def wrong_sample_ratio(production: float, shadow: float, sampling: float | None) -> str:
    """The shadow did not get the share of the requests that it should."""
    return (
        f"the shadow got {shadow:,.0f} of production's {production:,.0f} requests, which is not "
        f"{sampling or 0:g} %: requests that never arrived are not in the error rates"
    )


def judged_rate(comparison: Comparison, values: Mapping[str, object], verdict: str) -> str:
    """The rates of both variants, the bound, and how high the shadow's may really be."""
    if values["shadow"] is None or values["production"] is None:
        return f"{comparison.metric}: the shadow has no requests yet"
    shadow, production, bound = (
        _percent(values[name]) for name in ("shadow", "production", "bound")
    )
    upper = (
        f", which may be up to {_percent(values['upper'])}" if values["upper"] is not None else ""
    )
    says = {
        "successful": "is at most",
        "failed": "exceeds",
    }.get(verdict, "is not yet known to be at most")
    return (
        f"{comparison.metric} is {shadow} for the shadow{upper}, and {production} for production "
        f"in {values['hours']} hours; it {says} {bound}"
    )


def judged_hours(comparison: Comparison, values: Mapping[str, object], verdict: str) -> str:
    """How many hours break the bound."""
    if isinstance(comparison.metric, str):
        named = f"{comparison.metric} {comparison.statistic or AVERAGE}"
    else:
        named = f"{comparison.metric[1].name} {comparison.metric[1].statistic}"
    if not values["hours"]:
        return (
            f"{named} is not yet known: CloudWatch has it for no hour in which both variants have "
            f"enough requests; if there are such hours, check the metric's name and dimensions"
        )
    says = {
        "successful": "fewer than half of the hours break it",
        "failed": "more than half of the hours break it",
    }.get(verdict, "it is not yet known whether fewer than half of the hours break it")
    return (
        f"{named} of the shadow breaks its bound in {values['hoursFailed']} of "
        f"{values['hours']} hours; {says}"
    )


def with_forecast(why: str, forecast: Mapping[str, object], breaks: str = "") -> str:
    """An inconclusive verdict, and what it still needs if the shadow is as good as production.

    ``breaks`` is the metric of which production itself breaks a bound.
    """
    if forecast.get("productionBreaksBound"):
        return (
            f"{why}; production itself breaks the bound of {breaks}, so no number of requests is "
            f"enough"
        )
    at = forecast.get("at")
    if forecast.get("requests"):
        by = f", at this traffic by {at}" if at else ""
        needs = f"it needs about {_rounded(forecast['requests']):,} more requests{by}"
    elif at:
        needs = f"wait until {at}"
    else:
        return why
    return f"{why}; if it is as good as production, {needs}"


def _rounded(requests: object) -> int:
    """Two digits: more would promise what a forecast cannot keep."""
    number = int(str(requests))
    return round(number, 2 - len(str(number)))


def _percent(value: object) -> str:
    return f"{float(str(value)) * 100:.4g} %"


def alarm(name: str, state: str) -> str:
    """An alarm that is not OK; without a state, CloudWatch does not show it."""
    return f"alarm '{name}' is {state or 'missing, or the function may not describe it'}"


def moment(seconds: float | None) -> str:
    """A time in ISO 8601, UTC; empty if there is none."""
    return "" if seconds is None else time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def _named(experiment: Experiment) -> str:
    return f"inference experiment '{experiment.name}'"


def _end(experiment: Experiment, scheduled_end: float | None = None) -> str:
    """How and when it ended, and why if SageMaker says so."""
    at = f" at {moment(experiment.completion_time)}" if experiment.completion_time else ""
    if experiment.status_reason:
        why = f", because '{shortened(experiment.status_reason)}'"
    elif scheduled_end is not None and experiment.is_ended_by_schedule(scheduled_end):
        why = f", by its schedule, which ended it at {moment(scheduled_end)}"
    else:
        why = "; SageMaker gives no reason"
    return f"{experiment.status}{at}{why}"


def _left(s: Situation) -> str:
    """What the request has done, where nothing more follows: was anything stopped by it or not?"""
    named, seen = f"inference experiment '{s.request.name}'", s.experiment
    if s.progress.tried:
        return f"a stop of {named} {_WAS_LOST}"
    if not isinstance(seen, Experiment):
        return _not_by_it(s)
    return status(seen) if seen.is_over or seen.is_stopping else f"{named} was not stopped"


def _which(s: Situation) -> str:
    """The same, as a part of another sentence."""
    seen = s.experiment
    if s.progress.tried:
        left = f"for which {_STOP_LOST}"
    elif not isinstance(seen, Experiment):
        left = "which this delivery did not stop"
    elif seen.is_over or seen.is_stopping:
        left = f"which is {seen.status}"
    else:
        left = "which was not stopped"
    return f"inference experiment '{s.request.name}', {left}"


def _not_by_it(s: Situation) -> str:
    """What is true whatever another delivery of the request, or somebody else, has done."""
    return f"this delivery did not stop inference experiment '{s.request.name}'"


def _starts(experiment: Experiment) -> str:
    if experiment.scheduled_start is None:
        return ""
    return f"; it starts at {moment(experiment.scheduled_start)}"


def _endpoint_cause(experiment: Experiment) -> str:
    cause = shortened(experiment.endpoint_failure)
    return f"; endpoint: {cause}" if cause else ""


def quoted(names: Iterable[str]) -> str:
    """The names in quotes, with commas."""
    return ", ".join(f"'{name}'" for name in names if name) or "none"


def shortened(text: str, maximum: int = MAX_QUOTED) -> str:
    """AWS's own text without its middle: it starts with the call and ends with the cause."""
    if len(text) <= maximum:
        return text
    half = (maximum - 3) // 2
    return f"{text[:half]}...{text[-half:]}"
