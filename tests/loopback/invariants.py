"""What must hold after every history: each invariant is a function whose docstring states it.

An invariant yields its violations. If its first sentence needs interpretation, the docstring says
what is checked: the strictest rule that a correct handler can follow. They are all in this file,
although it is long, so that they can be read as one list.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

from loopback.aws import OF_AN_ANCESTOR
from loopback.clock import EPOCH
from loopback.cloudformation import MAX_RESPONSE_BYTES, SIGNATURE
from loopback.cloudwatch import OPEN
from loopback.journal import INVOCATION, Entry
from loopback.sagemaker import arn_of
from loopback.wire import Members

from .history import History
from .oracle import is_as_ordered, promotes
from .scenarios import SCALED, SCALED_AGAIN

CLEAN_UP = ("RemoveTargets", "DeleteRule", "RemovePermission")
MARGIN_SECONDS = 60.0
MOST_PUTS = 120
EVENTS = "DescribeStackEvents"
LOOKS = ("DescribeStacks", EVENTS)
LOOK_SECONDS = 3.0
"""Maximum time between a describe call and the answer or Stop that is based on it."""

DELIVERIES = 3
EVIDENCE_OPERATIONS = ("GetMetricData", "DescribeAlarms")


def answered_in_time(history: History) -> Iterator[str]:
    """Every well-formed request is answered before min(ServiceTimeout - margin, URL expiry).

    Exceptions: the bucket refused the URL (403 ends the attempts), or every delivery of an event by
    Lambda was killed. A request that is delivered too late for that is answered within the margin
    after its delivery.
    """
    if history.hit("expired") or history.all_kills >= DELIVERIES:
        return
    latest = history.asked.issued_at + history.scenario.tempo.service_timeout - MARGIN_SECONDS
    latest = max(latest, EPOCH + MARGIN_SECONDS)
    if history.asked.answered_at > latest > EPOCH:
        yield f"answered at {history.asked.answered_at - EPOCH:.0f} s"


def success_is_true(history: History) -> Iterator[str]:
    """SUCCESS only if the experiment has ended and settled, is absent, or may not be stopped.

    And, if a promotion was declared, only if the end was the one that was ordered. This holds for
    every answer up to the one that CloudFormation accepts; it ignores later ones. An undo need not
    wait for a stop if it is not permitted to describe the experiment. The handler may also miss
    what only the stack's events show if it may not read them: that an update is more than its old
    and new properties say. An undone creation ends its own experiment only if the stack and its
    events can be read.
    """
    scenario, denied = history.scenario, history.lasting_denials
    needed = {EVENTS} if scenario.looks_unchanged else set()
    needed |= set(LOOKS) if scenario.is_failed_creation else set()
    if (scenario.waits and denied) or needed & denied:
        return
    for put, body, truth in history.heard():
        if body["Status"] == "SUCCESS" and "SUCCESS" not in truth:
            yield f"SUCCESS at {put.at - EPOCH:.1f} s, true is {sorted(truth) or 'neither yet'}"


def answers_agree(history: History) -> Iterator[str]:
    """All answers to one request have the same status and id.

    Only answers without a change of the world between them are compared. Changes are: somebody ends
    or deletes the experiment, a permanent AccessDenied, the deadline, and the stack moving on after
    CloudFormation accepted an answer. A delivery that reads the stack only after that finds it at
    rest or rolling back, and CloudFormation ignores its answer.
    An end by somebody else counts as a change from shortly before the first answer, which may be
    based on an earlier describe call. It does not count if it came in time for all answers. If each
    answer alone could be correct either way (an end as Cancelled that may come from an earlier
    delivery's Stop), two deliveries that know different things may differ.
    The id must be the same whatever changed, unless a Create or a rename fails once.
    """
    answers = [(put, body) for put, body in zip(history.puts, history.bodies, strict=True)]
    taken = history.asked.answer
    times = [put.at for put, _ in answers]
    changed = bool(history.lasting_denials) or any(
        min(times) - LOOK_SECONDS <= when <= max(times) for when in history.interventions if times
    )
    changed = changed or any(put.at >= history.deadline for put, _ in answers)
    changed = changed or all(len(truth) > 1 for _, truth in history.truths)
    changed = changed or (taken is not None and taken["Status"] == "FAILED")
    compared = {body["Status"] for put, body in answers if not _saw_it_move_on(history, put)}
    if len(compared) > 1 and not changed:
        yield f"statuses {[body['Status'] for _, body in answers]}"
    statuses = {body["Status"] for _, body in answers}
    for status in statuses:
        ids = {body["PhysicalResourceId"] for _, body in answers if body["Status"] == status}
        if len(ids) > 1:
            yield f"ids {sorted(ids)}"


def _saw_it_move_on(history: History, put: Entry) -> bool:
    """Whether an answer comes from an invocation that read the stack after the first answer."""
    return any(
        look.invocation == put.invocation and look.at >= history.asked.answered_at
        for look in history.world.journal.calls(*LOOKS)
    )


def id_is_right(history: History) -> Iterator[str]:
    """The id is never empty, "None" or random; it only changes on Create and with another name."""
    scenario = history.scenario
    named = arn_of(scenario.new["Name"])
    for body in history.bodies:
        got, failed = body["PhysicalResourceId"], body["Status"] == "FAILED"
        if scenario.kind != "Create" and (failed or not scenario.is_rename):
            right = got == history.asked.event["PhysicalResourceId"]
        elif failed:
            right = bool(got) and got != "None" and "inference-experiment/" not in got
        else:
            right = got == named
        if not right:
            yield f"{body['Status']} under {got!r}"


def stops_only_as_ordered(history: History) -> Iterator[str]:
    """No Stop in an undo, of another experiment, or against the table or StopOn.

    Nor after CloudFormation has got its answer. If two deliveries run at the same time, one may
    stop while the other one answers: it must have read the stack right before, and before that
    answer.
    """
    for stop in history.world.journal.calls("StopInferenceExperiment"):
        if not history.scenario.may_stop:
            yield f"Stop in '{history.scenario.name}'"
        if stop.detail["request"].get("Name") != history.scenario.declared["Name"]:
            yield f"Stop of {stop.detail['request'].get('Name')!r}"
        looks = list(history.world.journal.calls("DescribeStacks"))
        is_late = _has_fallen(history, stop, history.asked.answered_at, looks)
        if is_late and not stop.detail["code"]:
            yield "an effective Stop after the answer"


def _has_fallen(history: History, stop: Entry, when: float, looks: list[Entry]) -> bool:
    """Whether a Stop was sent after something that its invocation should have seen.

    An invocation has to read the stack right before each Stop. It cannot know what happens in
    between; a fault makes that time longer.
    """
    if when >= stop.at:
        return False
    last = max((call.at for call in looks if _is_before(call, stop)), default=when)
    hits = (hit for fault in history.faults for hit in fault.hit_at)
    is_long_ago = stop.at - last > LOOK_SECONDS and not any(last <= hit for hit in hits)
    return last >= when or is_long_ago


def _is_before(call: Entry, stop: Entry) -> bool:
    return call.invocation == stop.invocation and call.at <= stop.at


def stops_once(history: History) -> Iterator[str]:
    """However often a request is delivered, at most one Stop takes effect.

    And an invocation that knows of an accepted Stop never sends another one, whatever describe
    says.
    """
    effective, knows = 0, set[int]()
    for call in history.world.journal.calls("StopInferenceExperiment"):
        if call.invocation in knows:
            yield f"invocation {call.invocation} stopped again"
        if not call.detail["code"]:
            effective += 1
            if not call.detail["is_lost"]:
                knows.add(call.invocation)
    if effective > 1:
        yield f"{effective} effective Stops"


def nothing_is_left(history: History) -> Iterator[str]:
    """In the end, no rule, target or permission is left.

    Exception: every delivery of an event by Lambda was killed, and the rule cannot fire again since
    its target or its permission is missing.
    """
    leftovers = history.world.leftovers
    is_alive = {left.split()[0] for left in leftovers} == {"rule", "target", "permission"}
    if history.all_kills >= DELIVERIES and not is_alive:
        return
    if not history.is_quiet:
        yield "it never becomes quiet"
    yield from leftovers


def clean_up_is_silent(history: History) -> Iterator[str]:
    """Clean-up never changes the answer: it comes after the answer, and no reason mentions it."""
    answered: set[int] = set()
    for entry in history.world.journal:
        if entry.kind == "put":
            answered.add(entry.invocation)
        if entry.name in CLEAN_UP and entry.invocation not in answered:
            yield f"{entry.name} before the answer"
    for body in history.bodies:
        if any(operation in body["Reason"] for operation in CLEAN_UP):
            yield f"the reason speaks of it: {body['Reason']}"


def transient_is_retried(history: History) -> Iterator[str]:
    """No FAILED for a transient error before the deadline: FAILED only if it is correct.

    Nor for a permanent AccessDenied if nothing is ordered: then the experiment does not matter, and
    the stack only matters if the declarations alone do not decide.
    """
    matters = set() if history.scenario.asks_nobody else history.lasting_denials
    if history.scenario.order == "nothing":
        matters = matters - {"DescribeInferenceExperiment"}
    for put, body, truth in history.heard():
        if body["Status"] != "FAILED" or "FAILED" in truth:
            continue
        is_denied = bool(matters)
        if put.at < history.deadline and not is_denied:
            yield f"FAILED at {put.at - EPOCH:.1f} s: {body['Reason']}"


def limits_are_kept(history: History) -> Iterator[str]:
    """Every size limit is kept: rule name, StatementId, target input, policy, response body."""
    yield from history.world.events.limits_broken
    yield from history.world.function.limits_broken
    for put in history.world.journal.puts():
        if len(put.detail["body"]) > MAX_RESPONSE_BYTES:
            yield f"a response of {len(put.detail['body'])} bytes"


def urls_stay_secret(history: History) -> Iterator[str]:
    """No ResponseURL in any log line, nor its signature."""
    for line in history.world.journal.lines():
        if SIGNATURE in line or "X-Amz-" in line:
            yield line[:200]


def requests_do_not_mix(history: History) -> Iterator[str]:
    """Nothing of request A in the answer to B, in warm containers, and no second answer to A."""
    for put in history.puts:
        if b"prelude" in put.detail["body"]:
            yield put.detail["body"].decode()
    others = len(list(history.world.journal.puts())) - len(history.puts)
    if others != 1:
        yield f"{others} answers to the request before"


def malformed_is_ignored(history: History) -> Iterator[str]:
    """A malformed event causes no PUT."""
    for put in history.world.journal.puts():
        if put.invocation in history.malformed:
            yield put.name


def puts_end(history: History) -> Iterator[str]:
    """A PUT that is not answered with 2xx is retried a limited number of times.

    After 5xx, a reset and a timeout there is another PUT, by the same invocation or a later one,
    unless that was killed; after 403 there is none. No invocation reaches Lambda's limit.
    """
    if history.world.function.kills_at_limit:
        yield f"{history.world.function.kills_at_limit} invocations ran into Lambda's limit"
    killed = {
        entry.invocation
        for entry in history.world.journal
        if entry.kind == INVOCATION and entry.name == "killed"
    }
    puts = list(history.world.journal.puts())
    for number, amount in Counter(put.invocation for put in puts).items():
        if amount > MOST_PUTS:
            yield f"{amount} PUTs"
        mine = [put for put in puts if put.invocation == number]
        last, is_latest = mine[-1].detail["fault"], mine[-1] is puts[-1]
        if last in ("error", "reset", "lost", "taken") and is_latest and number not in killed:
            yield f"no retry after '{last}'"
        if any(put.detail["fault"] == "expired" for put in mine[:-1]):
            yield "another PUT after a 403"


def every_stop_has_its_order(history: History) -> Iterator[str]:
    """Every Stop has its order: the last order is for this declaration and was not undone before.

    The members of a Stop are those of the declaration, and its reason has the digest.
    """
    looks = list(_looks_at_what_undoes(history))
    for stop in history.world.journal.calls("StopInferenceExperiment"):
        if not is_as_ordered(_as_scaled_once(stop, history), history.scenario):
            yield f"Stop as {stop.detail['request']}"
        if _has_fallen(history, stop, history.undone_at, looks):
            yield f"a Stop {stop.at - history.undone_at:.1f} s after its order was undone"


def _looks_at_what_undoes(history: History) -> Iterator[Entry]:
    """The reads of the stack that undoes an order: the parent, if there is one."""
    parent = history.world.stack.parent
    if parent is None:
        yield from history.world.journal.calls("DescribeStacks")
        return
    for call in history.world.journal.calls("DescribeStacks" + OF_AN_ANCESTOR):
        if call.detail["request"]["StackName"] == parent.arn:
            yield call


def _as_scaled_once(stop: Entry, history: History) -> Members:
    """The request of a Stop, with the first count if it has the one that ran when it was read.

    Each attempt reads it, after the experiment.
    """
    request: Members = stop.detail["request"]
    if "Outcome" not in history.scenario.new or not promotes(request):
        return request
    is_refused = bool(stop.detail["code"])
    looks = [
        call
        for call in history.world.journal.calls("DescribeEndpoint", "DescribeInferenceExperiment")
        if call.invocation == stop.invocation and not call.detail["code"] and call.at <= stop.at
    ]
    seen = SCALED_AGAIN if looks[-1].at > history.scaled_at else SCALED
    (variant,) = request["DesiredModelVariants"]
    real_time = variant["InfrastructureConfig"]["RealTimeInferenceConfig"]
    # A Stop may be refused because the experiment has ended, which also changes the endpoint.
    is_as_seen = looks[-1].name == "DescribeEndpoint" and real_time["InstanceCount"] == seen
    if not (is_as_seen or is_refused):
        return {}
    infrastructure = {
        **variant["InfrastructureConfig"],
        "RealTimeInferenceConfig": {**real_time, "InstanceCount": SCALED},
    }
    return {
        **request,
        "DesiredModelVariants": [{**variant, "InfrastructureConfig": infrastructure}],
    }


def promotes_on_evidence(history: History) -> Iterator[str]:
    """No promoting Stop without a "successful" in force, where a promotion needs evidence.

    Some delivery of the request has read evidence that opens the gate, all of it, before the Stop;
    the latest reading by the invocation that stops, if it has one, is such. Comparisons that are
    dry runs do not count.
    """
    if not history.scenario.is_gated:
        return
    said = history.world.cloudwatch.said
    for stop in history.world.journal.calls("StopInferenceExperiment"):
        if not promotes(stop.detail["request"]):
            continue
        readings = [
            call
            for call in history.world.journal.calls("DescribeAlarms")
            if call.at <= stop.at and not call.detail["code"] and not call.detail["is_lost"]
        ]
        own = [call for call in readings if call.invocation == stop.invocation]
        if not any(_is_open(call, history) for call in own[-1:] or readings):
            yield f"a promotion at {stop.at - EPOCH:.1f} s, measured was {said(stop.at)}"


def _is_open(alarms: Entry, history: History) -> bool:
    """Whether a reading of evidence opens the gate: its metrics, and the alarms read after them.

    What CloudWatch says can change within a reading, also between two pages of metrics.
    """
    said = history.world.cloudwatch.said
    metrics = [
        call
        for call in history.world.journal.calls("GetMetricData")
        if call.invocation == alarms.invocation and call.at <= alarms.at
    ]
    return said(alarms.at) != "alarming" and any(said(page.at) == OPEN for page in metrics)


def judges_once(history: History) -> Iterator[str]:
    """No second verdict after a Stop may have been sent: its invocation asks CloudWatch no more."""
    sent: set[int] = set()
    for call in history.world.journal.calls("StopInferenceExperiment", *EVIDENCE_OPERATIONS):
        if call.name == "StopInferenceExperiment":
            refused = call.detail["code"] and not call.detail["code"].startswith("fault")
            sent |= set() if refused else {call.invocation}
        elif call.invocation in sent:
            yield f"{call.name} at {call.at - EPOCH:.1f} s, after a Stop"


INVARIANTS: dict[int, Callable[[History], Iterator[str]]] = {
    1: answered_in_time,
    2: success_is_true,
    3: answers_agree,
    4: id_is_right,
    5: stops_only_as_ordered,
    6: stops_once,
    7: nothing_is_left,
    8: clean_up_is_silent,
    9: transient_is_retried,
    10: limits_are_kept,
    11: urls_stay_secret,
    12: requests_do_not_mix,
    13: malformed_is_ignored,
    14: puts_end,
    15: every_stop_has_its_order,
    16: promotes_on_evidence,
    17: judges_once,
}


def violations(history: History) -> list[tuple[int, str]]:
    """Every invariant that the history violates, and how."""
    return [
        (number, f"{check.__name__}: {what}")
        for number, check in INVARIANTS.items()
        for what in check(history)
    ]
