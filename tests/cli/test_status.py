"""How the experiments of a stack are read for ``status``."""

from __future__ import annotations

import math
import time
from collections import Counter
from dataclasses import replace
from threading import Barrier
from typing import Any, cast

import pytest

from cdk_stop_inference_experiment.cli import main
from cdk_stop_inference_experiment.cli.document import of_plan, of_status
from cdk_stop_inference_experiment.cli.operations import Place, PlannedRequest
from cdk_stop_inference_experiment.cli.plan import plan_destroy
from cdk_stop_inference_experiment.cli.printing import print_markdown, print_text
from cdk_stop_inference_experiment.cli.reading import Reader, Resource
from cdk_stop_inference_experiment.cli.situations import request_of
from cdk_stop_inference_experiment.cli.status import status_of
from cdk_stop_inference_experiment_handler.contract.declaration import Declaration
from cdk_stop_inference_experiment_handler.contract.limits import HOUR
from cdk_stop_inference_experiment_handler.contract.request import RequestType
from cdk_stop_inference_experiment_handler.contract.wire import RESOURCE_TYPE
from cdk_stop_inference_experiment_handler.lifecycle.situation import (
    Experiment,
    Measured,
    Query,
    Question,
    Seen,
)
from cdk_stop_inference_experiment_handler.lifecycle.stop_request import wanted_by
from tests.unit.situations import ARN, PROMOTE, STACK

from .account import Account
from .past import created, experiment, ours

NAMES = "first", "second", "third"


class Described(Account):
    """Three experiments that the reader itself describes.

    SageMaker answers for the second only together with the third; the first is described alone.
    """

    def __init__(self) -> None:
        super().__init__()
        self.known = {}
        self.aws = cast("Any", self)
        self.calls = Counter[str]()
        self.together = Barrier(len(NAMES) - 1, timeout=30)
        arns = {name: ARN.replace("fraud-shadow", name) for name in NAMES}
        self.templates[STACK] = {name: {"Properties": ours(Name=name)} for name in NAMES}
        self.deployed[STACK] = [
            Resource(name, arn, RESOURCE_TYPE, "CREATE_COMPLETE") for name, arn in arns.items()
        ]

    def experiment(self, name: str) -> Seen[Experiment | None]:
        return Reader.experiment(self, name)

    def describe(self, name: str) -> Experiment:
        self.calls[name] += 1
        if name != "first" and self.calls[name] == 1:
            self.together.wait()
        return experiment(name=name, sampling=50.0)


@pytest.mark.parametrize("status", ["CREATE_COMPLETE", "UPDATE_IN_PROGRESS"])
def test_each_experiment_is_described_once_and_several_at_the_same_time(status: str) -> None:
    account = Described()
    account.of_stack(status)
    standings = status_of(account, "shadow").resources
    assert [one.experiment for one in standings] == list(NAMES)
    assert account.calls == dict.fromkeys(NAMES, 1)
    variants = [(one.name, one.role, one.model, one.traffic) for one in standings[0].variants]
    assert variants == [
        ("production", "production", "fraud-v1", 100),
        ("shadow", "shadow", "fraud-v2", 50),
    ]


@pytest.mark.parametrize(
    ("what", "stop_on", "left_out"),
    [("A changed declaration", "Delete", "UPDATE"), ("A teardown", "Update", "DELETE")],
)
def test_status_says_which_event_stop_on_leaves_out(
    capsys: pytest.CaptureFixture[str], what: str, stop_on: str, left_out: str
) -> None:
    account = Account()
    account.happened[STACK] = created(StopOn=[stop_on])
    print_text(of_status([status_of(account, "shadow")]))
    text = f"{what} would stop nothing: 'stop_on' does not list {left_out}."
    assert text in " ".join(capsys.readouterr().out.split())


def ended(**facts: Any) -> Account:
    """An experiment of a resource that promotes, after its end."""
    account = Account(experiments={"fraud-shadow": experiment("Completed", **facts)})
    account.happened[STACK] = created(ModelVariantActions=PROMOTE)
    return account


def reason() -> str:
    """What SageMaker records of the declared promotion."""
    sent = PlannedRequest(Place(STACK, "Stop", ARN), RequestType.DELETE, {}, "deletion", {})
    request = request_of(sent, ours(ModelVariantActions=PROMOTE))
    assert isinstance(request.new, Declaration)
    return wanted_by(request.new, request).reason


def test_an_end_as_declared_says_so_and_what_serves_production() -> None:
    statuses = {"production": "Deleted", "shadow": "InService"}
    account = ended(
        status_reason=reason(),
        variants=statuses,
        sampling=50.0,
        endpoint_config_name="fraud-after",
    )
    (standing,) = status_of(account, "shadow").resources
    assert standing.ended == (
        "This resource ended it, as it declares; variant 'shadow' serves production now, by "
        "endpoint configuration 'fraud-after'; to go back, see the page 'The day after a promotion'"
    )
    assert standing.ended_by == "this resource"
    roles = {variant.name: (variant.role, variant.traffic) for variant in standing.variants}
    assert roles == {
        "production": ("was production", None),
        "shadow": ("production, promoted", 100),
    }


def test_an_end_by_somebody_else_says_its_reason() -> None:
    (resource,) = status_of(ended(status_reason="by hand"), "shadow").resources
    assert (
        "What this resource declares now did not end it: the reason is 'by hand'" in resource.ended
    )
    assert resource.ended_by == "another"


def test_status_says_the_declared_end_and_what_each_order_would_do() -> None:
    account = Account()
    account.happened[STACK] = created(Outcome="KeepBoth", ModelVariantActions=None)
    (standing,) = status_of(account, "shadow").resources
    assert standing.declared == "keep both variants"
    told = {answer.what: answer.verdict.effect for answer in standing.what_ifs}
    assert told == {"'end_now'": "stop", "A changed declaration": "stop", "A teardown": "stop"}


class Counting(Account):
    """CloudWatch has 5,000 requests to the shadow an hour, and more errors than production's."""

    def evidence(self, question: Question) -> Measured:
        series: dict[Query, dict[float, float]] = {}
        for query in question.queries:
            requests = {"production": 10_000.0, "shadow": 5_000.0}[query.variant]
            is_errors = query.metric != "Invocations" and query.statistic == "Sum"
            series[query] = {
                # Not the same number in each hour: counts that never vary are no counts of errors.
                float(at): 5.0 + at // HOUR % 3 - 1 if is_errors else requests
                for at in range(question.begin, question.end, HOUR)
            }
        return Measured(series)


def test_a_forecast_is_said_once_in_text_and_markdown_and_is_in_the_json(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "2000")
    began = time.time() - 30 * HOUR
    account = Counting(experiments={"fraud-shadow": experiment(created=began, sampling=50.0)})
    bound = {"Metric": "Invocation5XXErrors", "MaxIncrease": "0.0005"}
    gate = {"Confidence": "0.95", "Comparisons": [bound]}
    account.happened[STACK] = created(ModelVariantActions=PROMOTE, PromoteIf=gate)
    status = status_of(account, "shadow")
    forecast = status.resources[0].to_json()["evidence"]["forecast"]  # type: ignore[index]
    assert forecast["requests"] > 100_000
    assert forecast["hours"] == math.ceil(forecast["requests"] / 5_000)
    needs = f"000 more requests, at this traffic by {forecast['at']}."
    print_text(of_status([status]))
    told = capsys.readouterr().out
    print_markdown(of_status([status]))
    assert needs in capsys.readouterr().out
    assert needs in told
    assert told.count("Invocation5XXErrors") == 1
    assert "'end_now' would fail: the evidence is inconclusive.\n" in told
    print_text(of_plan(plan_destroy(account, "shadow")))
    assert forecast["at"] in (planned := capsys.readouterr().out)
    assert planned.count("Invocation5XXErrors") == 1
    assert "deploy again after" not in told + planned


@pytest.mark.parametrize("end_now", ["true", "false"])
def test_status_has_the_evidence_and_when_a_test_that_is_too_young_is_worth_another_try(
    capsys: pytest.CaptureFixture[str], end_now: str
) -> None:
    account = Account(experiments={"fraud-shadow": experiment(created=time.time(), sampling=50.0)})
    gate = {"Confidence": "0.95", "Alarms": ["too-slow"]}
    account.happened[STACK] = created(ModelVariantActions=PROMOTE, PromoteIf=gate, EndNow=end_now)
    status = status_of(account, "shadow")
    (standing,) = status.resources
    assert standing.evidence["verdict"] == "inconclusive"
    assert standing.on_change is not None
    print_text(of_status([status]))
    assert (
        f"A changed declaration would fail: the evidence is inconclusive; deploy again after "
        f"{standing.on_change.deploy_after}."
    ) in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(("hours", "status"), [(23, 2), (25, 0)])
def test_an_experiment_that_ends_soon_fails_a_scheduled_job(
    monkeypatch: pytest.MonkeyPatch, hours: int, status: int
) -> None:
    soon = experiment(scheduled_end=time.time() + hours * 3600)
    account = Account(experiments={"fraud-shadow": soon})
    made = "cdk_stop_inference_experiment.cli.command.Reader"
    monkeypatch.setattr(made, lambda _session: account)
    arguments = ["status", "shadow", "--region", "eu-west-1", "--fail-on", "ends-within=24h"]
    assert main(arguments) == status
    account.experiments = {"fraud-shadow": replace(soon, status="Completed")}
    assert main(arguments) == 0
