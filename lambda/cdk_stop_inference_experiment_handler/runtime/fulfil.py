"""From one invocation to its answer: the function that crhelper calls for every request."""

from __future__ import annotations

import json
import time
from typing import Any

from ..contract import wire
from ..lifecycle import reasons
from ..lifecycle.facts import Experiment, Progress, Request, RequestType
from .aws import Aws
from .ending import Answer, Ending
from .requests import Event, read_request
from .resource import PROGRESS, Resource
from .waiting import Invocation


class RequestFailed(Exception):
    """Makes crhelper answer FAILED with the sentence it carries."""


def fulfil(resource: Resource, aws: Aws, event: Event, context: Any) -> str | None:  # noqa: ANN401
    """Fulfil a request, or as much of it as this invocation reaches.

    Returns:
        The physical id, with which crhelper answers SUCCESS; None where the polling rule goes on.

    Raises:
        RequestFailed: crhelper answers FAILED.
    """
    request = read_request(event)
    progress = Progress.read(event.get(PROGRESS), otherwise=_first_delivery(request))
    invocation = Invocation(
        seconds_left=resource.seconds_left,
        is_poll="CrHelperPoll" in event,
        hand_over=lambda: resource.hand_over(progress.carried()),
    )
    sagemaker_arn = _sagemaker_arn(context.invoked_function_arn)
    region = sagemaker_arn.split(":")[3]
    answer = Ending(request, progress, invocation, aws, region).run()
    if answer is None:
        return None
    resource.Data = attributes(request, answer)
    if not answer.succeeded:
        raise RequestFailed(answer.why)
    return physical_id(request, answer, sagemaker_arn)


def attributes(request: Request, answer: Answer) -> dict[str, str]:
    """What ``Fn::GetAtt`` finds; every attribute always, empty where the experiment is gone."""
    experiment = answer.experiment or Experiment(request.physical_id, "", "")
    statuses = json.dumps(experiment.variants) if experiment.variants else ""
    return {
        wire.EXPERIMENT_ARN: experiment.arn,
        wire.STATUS: experiment.status,
        wire.STATUS_REASON: experiment.status_reason,
        wire.ENDPOINT_NAME: experiment.endpoint_name,
        wire.ENDPOINT_CONFIG_NAME: experiment.endpoint_config_name,
        wire.SCHEDULED_END: reasons.moment(experiment.scheduled_end),
        wire.VARIANT_STATUSES: statuses,
        wire.STOPPED_BY_THIS_RESOURCE: "true" if answer.stopped_by_this_resource else "false",
    }


def physical_id(request: Request, answer: Answer, sagemaker_arn: str) -> str:
    """The id of a successful answer, one and the same however often a request is answered.

    The experiment's ARN on Create and where the event's id is that of another experiment (a
    changed name, and its undo); the event's own id otherwise.

    ``sagemaker_arn``, ``arn:PARTITION:sagemaker:REGION:ACCOUNT``, is for an undo to the name of an
    experiment that does not exist any more.
    """
    is_new = request.type is RequestType.CREATE
    is_renamed = request.type is RequestType.UPDATE and request.holds_another_experiment
    if not is_new and not is_renamed:
        return request.physical_id
    if answer.experiment is not None:
        return answer.experiment.arn
    return f"{sagemaker_arn}:inference-experiment/{request.declared_name}"


def _first_delivery(request: Request) -> float:
    """Now, or earlier where the ResponseURL tells of a delivery that was retried.

    A date out of the hour that CloudFormation waits tells of nothing but a clock that is wrong.
    """
    now = time.time()
    issued = request.issued_at
    return issued if issued is not None and now - wire.MAX_SERVICE_TIMEOUT < issued < now else now


def _sagemaker_arn(function_arn: str) -> str:
    _, partition, _, region, account, *_ = function_arn.split(":")
    return f"arn:{partition}:sagemaker:{region}:{account}"
