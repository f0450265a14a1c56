"""Table 2: what does the experiment's state make of the order?

Each branch is a row of "What does the experiment's state allow?" in docs/concepts/lifecycle.md.
"""

from __future__ import annotations

from dataclasses import replace

from ..contract.declaration import Declaration, Outcome, VariantActions
from ..contract.request import RequestType
from . import words
from .decision import Decision, Row, Verb, can_retry, doubt, fail, succeed, wait
from .end import answer_end, contradictions
from .gate import apply_gate
from .order import Order, needs_of
from .situation import (
    STOPPABLE_STATUSES,
    Experiment,
    Kind,
    Needs,
    NotReadable,
    Situation,
)
from .stop_request import (
    Wanted,
    digest_in,
    is_no_pair,
    other_instance_type,
    promoted_by,
    takes_production_counts,
    wanted_by,
)

BEGIN_AND_STOP_SECONDS = 25 * 60
"""A test that has not started has to start and to stop; each takes an endpoint update."""

REFUSED_SECONDS = 90.0
"""How long a Stop of a test that has not started is retried before it counts as refused."""


def decide_by_state(order: Order, s: Situation) -> Decision:
    """What to do about the experiment."""
    experiment, is_delete = s.experiment, s.request.type is RequestType.DELETE
    if isinstance(experiment, NotReadable):
        return unreadable(experiment, s)
    if experiment is None:
        return fail(Row.ABSENT, words.absent(order.wanted.name, s.request.region))
    if experiment.is_over:
        return _ended(order, s, experiment)
    if experiment.status == "Stopping":
        return _stopping(order, s, experiment)
    if isinstance(order.wanted.end.how, Outcome) and is_no_pair(experiment):
        return fail(Row.NOT_A_PAIR, words.not_a_pair(experiment))
    wrong = mismatch(order.wanted, experiment)
    if wrong and not is_delete:
        return fail(Row.VARIANTS_MISMATCH, wrong)
    if not order.ends:
        is_known = experiment.status in STOPPABLE_STATUSES
        row = Row.STOPPABLE if is_known else Row.STATUS_UNKNOWN
        differ = other_instance_type(order.wanted.end, experiment)
        why = words.armed(experiment) + words.on_other_instances(differ)
        return succeed(row, why, warn=not is_known or differ is not None)
    if experiment.status not in STOPPABLE_STATUSES:
        return wait(Row.STATUS_UNKNOWN, words.status(experiment))
    if _is_refused(s, experiment):
        refusal = s.progress.refusal
        if wrong:
            return fail(Row.VARIANTS_MISMATCH, words.with_refusal(wrong, refusal))
        if is_delete:
            why = words.not_begun_on_delete(experiment)
            return succeed(Row.CREATED_REFUSED, words.with_refusal(why, refusal), warn=True)
        starts = experiment.scheduled_start
        if starts is None or starts > s.deadline - BEGIN_AND_STOP_SECONDS:
            why = words.not_begun(experiment)
            return fail(Row.CREATED_REFUSED, words.with_refusal(why, refusal))
    return _stop_when_ready(order, s, experiment)


def is_stopped_already(wanted: Wanted, s: Situation) -> bool:
    """Whether no Stop can follow, since one of the request is known or likely to be behind it."""
    experiment = s.experiment
    if not isinstance(experiment, Experiment):
        return False
    is_late = experiment.status == "Stopping" or experiment.is_over
    return is_late and (s.progress.tried or _own_end(wanted, s, experiment) is not None)


def mismatch(wanted: Wanted, experiment: Experiment) -> str | None:
    """Why the declaration does not match the experiment's variants, if SageMaker lists them."""
    how = wanted.end.how
    if not isinstance(how, VariantActions):
        return None
    unknown = [name for name in how.actions if name not in experiment.variants]
    if unknown and experiment.variants:
        return words.unknown_variants(unknown, experiment)
    promoted = promoted_by(wanted.end, experiment)
    if promoted is not None and experiment.shadows and promoted not in experiment.shadows:
        return words.not_a_shadow(promoted, experiment)
    return None


def unreadable(failed: NotReadable, s: Situation) -> Decision:
    """Look again while that can help; then the request fails."""
    if can_retry(failed, s):
        return wait(Row.AWS_REFUSED, failed.why)
    return fail(Row.AWS_REFUSED, words.aws_refused(s, failed.why))


def nothing_left(s: Situation) -> Decision | None:
    """The answer to a Delete if there is nothing to stop, whatever was ordered."""
    if s.experiment is None:
        return succeed(Row.ABSENT, words.absent_on_delete(s.request.name))
    if not isinstance(s.experiment, Experiment) or not s.experiment.has_ended:
        return None
    ended, new = s.experiment, s.request.new
    is_ours = isinstance(new, Declaration) and _own_end(wanted_by(new, s.request), s, ended)
    row = Row.ENDED_AS_NEW if is_ours else Row.ENDED_OTHERWISE
    return succeed(row, words.ended(ended, s.progress.scheduled_end))


def _ended(order: Order, s: Situation, experiment: Experiment) -> Decision:
    """The rows of an experiment that is over, except for what a Delete answers at once."""
    new, old, before = order.wanted, order.old, s.progress.scheduled_end
    if not experiment.is_settled:
        if not order.ends:
            return succeed(Row.ENDED_UNSETTLED, words.status(experiment), warn=True)
        if s.is_past_deadline and s.request.type is RequestType.DELETE:
            return succeed(Row.ENDED_UNSETTLED, words.unsettled(experiment), warn=True)
        return wait(Row.ENDED_UNSETTLED, words.status(experiment))
    ended = words.ended(experiment, before)
    if new.is_end_of(experiment):
        if not order.ends:
            return succeed(Row.ENDED_AS_NEW, ended, warn=True)
        return answer_end(s, experiment, new.digest, new.end)
    promoted = promoted_by(new.end, experiment)
    if old is not None and old.is_end_of(experiment):
        if not order.ends:
            return succeed(Row.ENDED_AS_OLD, ended, warn=True)
        if _promotes_more(new, old, experiment):
            return fail(Row.ENDED_AS_OLD, words.too_late(promoted, experiment, before))
        return succeed(Row.ENDED_AS_OLD, words.ended_as_before(experiment), warn=True)
    row = Row.ENDED_OTHERWISE_PROMOTE if new.end.promotes else Row.ENDED_OTHERWISE
    if not order.ends:
        return succeed(row, ended, warn=True)
    if new.end.promotes:
        return fail(row, words.too_late(promoted, experiment, before))
    if wrong := contradictions(new.end, experiment):
        return succeed(row, words.contradicted(experiment, wrong), warn=True)
    return succeed(row, ended)


def _promotes_more(new: Wanted, old: Wanted, experiment: Experiment) -> bool:
    """Whether an end promotes what another one does not.

    After the end, SageMaker may no longer say which variants the experiment had, and an outcome
    does not name them. Only the shadow can be promoted, so the names need not be known.
    """
    if not (new.end.promotes and old.end.promotes):
        return new.end.promotes
    promoted = {promoted_by(wanted.end, experiment) for wanted in (new, old)}
    return len(promoted - {None}) > 1


def _stopping(order: Order, s: Situation, experiment: Experiment) -> Decision:
    """Wait for a stop under way; with our reason it is ours, whichever delivery sent it."""
    if not order.ends:
        return succeed(Row.STOPPING, words.armed(experiment), warn=True)
    waiting = wait(Row.STOPPING, words.status(experiment))
    return replace(waiting, stop=_own_end(order.wanted, s, experiment))


def _own_end(wanted: Wanted, s: Situation, experiment: Experiment) -> Wanted | None:
    """The end that the request may have ordered and that the StatusReason carries, if any.

    Only a deletion may order another one in place of a promotion.
    """
    if s.request.type is RequestType.DELETE:
        return wanted.possible_end(digest_in(experiment.status_reason))
    return wanted if wanted.is_end_of(experiment) else None


def _is_refused(s: Situation, experiment: Experiment) -> bool:
    refused = s.progress.refused_at
    is_lasting = refused is not None and s.now >= refused + REFUSED_SECONDS
    return experiment.status == "Created" and is_lasting


def _stop_when_ready(order: Order, s: Situation, experiment: Experiment) -> Decision:
    """Stop it, as soon as what that needs is known and the look after it still allows it."""
    decision = apply_gate(order, s, experiment)
    if decision.verb is not Verb.STOP:
        return decision
    wanted = decision.stop
    assert wanted is not None  # noqa: S101 - STOP has it
    if isinstance(wanted.end.how, Outcome) and is_no_pair(experiment):
        return fail(Row.NOT_A_PAIR, words.not_a_pair(experiment))
    has_counts = takes_production_counts(wanted.end)
    if s.prepared is None or (has_counts and s.prepared.counts is None):
        needs = needs_of(s, Needs(counts=has_counts))
        return replace(decision, verb=Verb.PREPARE, needs=needs)
    counts = s.prepared.counts
    if has_counts and isinstance(counts, NotReadable):
        return _instances_unknown(
            s, words.instances_unknown(s, experiment, counts.why), counts.kind
        )
    if has_counts and isinstance(counts, dict) and not counts.get(experiment.production):
        count = counts.get(experiment.production)
        shown = "no CurrentInstanceCount" if count is None else f"CurrentInstanceCount {count}"
        return _instances_unknown(s, words.instances_unknown(s, experiment, shown))
    return decision


def _instances_unknown(s: Situation, why: str, kind: Kind | None = None) -> Decision:
    """The experiment may have ended since it was described: look again, for a minute."""
    if kind is Kind.REFUSED:
        return fail(Row.INSTANCES_UNKNOWN, why)
    decision = doubt(s, Row.INSTANCES_UNKNOWN, why, kind)
    # With SUCCESS, a teardown would go on and leave the experiment running.
    return fail(decision.row, why) if decision.verb is Verb.SUCCEED else decision
