"""EventBridge's limits for rules and targets, and the permission that a rule needs to invoke.

Names, sizes and their patterns are the API reference's (PutRule, PutTargets, Target, DeleteRule);
``rate`` is the user guide's ("Setting a schedule pattern for scheduled rules"). A rule invokes a
function only if the function's resource policy permits it (user guide, "Use resource-based policies
for Amazon EventBridge"), and that policy has at most 20,480 bytes (Lambda developer guide, "Lambda
quotas").
"""

# ruff: noqa: SLF001 (ministack's private names, each listed in private_names.py)
from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeAlias

from ministack.core import iam_evaluator
from ministack.core.responses import error_response_json, get_account_id, get_region
from ministack.services import eventbridge, lambda_svc

from local_aws.emulator.clock import Clock
from local_aws.limits import MAX_INPUT_CHARACTERS, MAX_POLICY_BYTES, is_rate, is_rule_name
from local_aws.settings import Settings

__all__ = ["Rules"]

Json = dict[str, Any]
Answer: TypeAlias = Any  # ministack's tuple of status, headers and body.
PassedOn: TypeAlias = Any  # Arguments that are only passed on.


class Rules:
    """Checks the limits before ministack acts, and what a rule may invoke."""

    def __init__(self, clock: Clock, settings: Settings) -> None:
        """Add the checks to ministack.

        Args:
            clock: The clock of the rules.
            settings: After which time a new rule is effective.
        """
        self._clock = clock
        self.settings = settings
        _limit("_put_rule", _rule_problem)
        _limit("_put_targets", _targets_problem)
        _limit("_delete_rule", _deletion_problem)
        _install_policy_limit()
        eventbridge._dispatch_to_lambda = _invoke_asynchronously
        self._invoke = eventbridge._invoke_target
        eventbridge._invoke_target = self._invoke_target

    def _invoke_target(self, target: Json, event: Json, rule: Json, *rest: PassedOn) -> None:
        # ministack notes no time for a rule that a stack makes: it is effective at once.
        created = rule.get("CreationTime", 0.0)
        if self._clock.now() < created + self.settings.rule_effective_seconds:
            return
        # EventBridge counts a denied invocation as failed and drops it.
        if ":lambda:" not in target.get("Arn", "") or _may_invoke(target["Arn"], rule["Arn"]):
            self._invoke(target, event, rule, *rest)


def _limit(name: str, problem: Callable[[Json], str | None]) -> None:
    """Refuse an invalid request; pass the others to ministack."""
    perform = getattr(eventbridge, name)

    def limited(data: Json) -> Answer:
        why = problem(data)
        return error_response_json("ValidationException", why, 400) if why else perform(data)

    setattr(eventbridge, name, limited)


def _rule_problem(data: Json) -> str | None:
    name, schedule = str(data.get("Name", "")), str(data.get("ScheduleExpression") or "")
    if name and not is_rule_name(name):
        return (
            f"1 validation error detected: Value '{name}' at 'name' failed to satisfy constraint: "
            "Member must have length less than or equal to 64 and satisfy regular expression "
            r"pattern: [\.\-_A-Za-z0-9]+"
        )
    if not schedule and not data.get("EventPattern"):
        return "Parameter(s) EventPattern or ScheduleExpression must be specified."
    if schedule.startswith("rate(") and not is_rate(schedule):
        return "Parameter ScheduleExpression is not valid."
    return None


def _targets_problem(data: Json) -> str | None:
    for number, target in enumerate(data.get("Targets") or [], start=1):
        where = f"'targets.{number}.member"
        template = (target.get("InputTransformer") or {}).get("InputTemplate")
        for member, text in (("input", target.get("Input")), ("inputTransformer", template)):
            if len(str(text or "")) <= MAX_INPUT_CHARACTERS:
                continue
            return (
                f"1 validation error detected: Value at {where}.{member}' failed to satisfy "
                f"constraint: Member must have length less than or equal to {MAX_INPUT_CHARACTERS}"
            )
        if not is_rule_name(str(target.get("Id", ""))):
            return (
                f"1 validation error detected: Value at {where}.id' failed to satisfy constraint: "
                r"Member must satisfy regular expression pattern: [\.\-_A-Za-z0-9]+"
            )
    return None


def _deletion_problem(data: Json) -> str | None:
    key = eventbridge._rule_key(data.get("Name"), data.get("EventBusName", "default"))
    if eventbridge._targets.get(key):
        return "Rule can't be deleted since it has targets."
    return None


def _invoke_asynchronously(arn: str, payload: str) -> None:
    """Invoke a function as EventBridge does: asynchronously, so Lambda retries it.

    Lambda developer guide, "How Lambda handles errors with asynchronous invocation".
    """
    record, config, _name = lambda_svc._get_func_record_for_ref(arn)
    if record is not None and config is not None:
        execution = lambda_svc._execution_record_for_config(record, config)
        lambda_svc.invoke_async_with_retry(execution, json.loads(payload))


def _may_invoke(function_arn: str, rule_arn: str) -> bool:
    """Return whether a function's resource policy permits a rule to invoke it.

    A rule brings its ARN and no account, so a statement with SourceAccount permits none. AWS does
    not document it; others report it (awsdocs/aws-cloudformation-user-guide pull request 481).
    """
    record, _config, _name = lambda_svc._get_func_record_for_ref(function_arn)
    if record is None:
        return False
    context = iam_evaluator.EvalContext(
        principal_arn="events.amazonaws.com",
        principal_type="Service",
        principal_account=get_account_id(),
        action="lambda:InvokeFunction",
        resource_arn=function_arn,
        region=get_region(),
        service_context={"aws:sourcearn": rule_arn},
    )
    for statement in record["policy"]["Statement"]:
        if statement["Principal"] in ("*", {"Service": "events.amazonaws.com"}):
            # Without its principal, it is evaluated like an identity policy.
            own = {key: value for key, value in statement.items() if key != "Principal"}
            parsed = iam_evaluator.parse_policy_document({"Statement": [own]})
            if iam_evaluator.evaluate(context, [parsed]).decision == "Allow":
                return True
    return False


def _install_policy_limit() -> None:
    add = lambda_svc._add_permission

    def add_permission(func_name: str, data: Json, *rest: PassedOn, **named: PassedOn) -> Answer:
        record = lambda_svc._functions.get(func_name)
        size = _policy_bytes(record) if record else 0
        answer = add(func_name, data, *rest, **named)
        if record and answer[0] == 201 and size <= MAX_POLICY_BYTES < _policy_bytes(record):
            record["policy"]["Statement"].pop()
            message = f"The final policy size is bigger than the limit ({MAX_POLICY_BYTES})."
            return error_response_json("PolicyLengthExceededException", message, 400)
        return answer

    lambda_svc._add_permission = add_permission


def _policy_bytes(record: Json) -> int:
    return len(json.dumps(record["policy"], separators=(",", ":")).encode())
