"""The histories: the same text runs on AWS and on the local AWS.

A history asks AWS alone, never this repository's local AWS, whether it went as declared.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from cdk_stop_inference_experiment import Outcome
from local_aws.cdk_cli import CdkFailed

from .app import VARIANTS, ShadowTest, synthesise_test
from .run import CheckFailed, Run

__all__ = ["HISTORIES", "History"]

Json = dict[str, Any]
KEEP = Outcome.keep_production()
PROMOTE = Outcome.promote_shadow()
_OURS = re.compile(r"\([0-9a-f]{8}\)$")
_BY_HAND = "ended by somebody else"


class History:
    """A shadow test on the run's endpoint, from its deployment to its teardown."""

    def __init__(self, run: Run, name: str) -> None:
        """The variant that the endpoint serves is production, the other one the shadow."""
        (production,) = run.serving()["production"]
        (shadow,) = set(VARIANTS) - {production}
        self.test = ShadowTest(f"{run.plan.prefix}-{name}", production, shadow)
        self.check = run.check
        self._run = run

    def deploy(self, outcome: Outcome, *options: str, permitted: bool = True) -> None:
        """Deploy the stack with the CDK CLI."""
        app = self._run.new_folder()
        stack = synthesise_test(self._run.plan, self.test, outcome, app, permitted=permitted)
        self._run.deploy(app, stack, *options)
        self._app = app

    def refused(self, outcome: Outcome, *options: str, permitted: bool = True) -> str:
        """Deploy what must fail; return what the resource failed with."""
        try:
            self.deploy(outcome, *options, permitted=permitted)
        except CdkFailed:
            return self._failure()
        raise CheckFailed("the deployment was to fail, and did not")

    def destroy(self) -> None:
        """Destroy the stack with the CDK CLI."""
        self._run.cdk(self._app, "destroy", self.test.name, "--force")

    def end_by_hand(self) -> None:
        """Stop the experiment as another user, who keeps production."""
        actions = {self.test.production: "Retain", self.test.shadow: "Remove"}
        self._run.sagemaker.stop_inference_experiment(
            Name=self.test.name, ModelVariantActions=actions, Reason=_BY_HAND
        )
        ended = ("Completed", "Cancelled")
        self._run.wait(lambda: self.experiment()["Status"] in ended, "the experiment's end")
        self._run.settle()

    def experiment(self) -> Json:
        """The experiment as SageMaker describes it."""
        found: Json = self._run.sagemaker.describe_inference_experiment(Name=self.test.name)
        return found

    def stack_status(self) -> str:
        """The stack's status."""
        stacks = self._run.cloudformation.describe_stacks(StackName=self.test.name)["Stacks"]
        return str(stacks[0]["StackStatus"])

    def runs(self) -> bool:
        """Whether the experiment is running."""
        return bool(self.experiment()["Status"] == "Running")

    def was_ended_by_us(self) -> bool:
        """Whether it has ended by the one stop that our function sent."""
        found = self.experiment()
        ended = found["Status"] in ("Completed", "Cancelled")
        return ended and bool(_OURS.search(found.get("StatusReason", "")))

    def serves_only(self, variant: str) -> bool:
        """Whether the endpoint has settled and serves one variant, without a shadow."""
        settled = self._run.endpoint()["EndpointStatus"] == "InService"
        return settled and self._run.serving() == {"production": [variant], "shadow": []}

    def _failure(self) -> str:
        """The reason of the resource's last failure."""
        pages = self._run.cloudformation.get_paginator("describe_stack_events").paginate(
            StackName=self.test.name
        )
        return next(
            str(event.get("ResourceStatusReason", ""))
            for page in pages
            for event in page["StackEvents"]
            if event["ResourceType"] == "Custom::StopInferenceExperiment"
            and event["ResourceStatus"].endswith("_FAILED")
        )


def ended_by_somebody_else(history: History) -> None:
    """A promotion that comes too late fails and says so; the teardown stops nothing."""
    history.deploy(KEEP)
    history.check(history.runs(), "a deployment arms the resource: the experiment goes on")
    history.end_by_hand()
    told = history.refused(PROMOTE)
    history.check("cannot be promoted any more" in told, f"CloudFormation says: {told}")
    history.check(history.stack_status() == "UPDATE_ROLLBACK_COMPLETE", "the stack rolled back")
    ended = history.experiment()
    history.check(ended.get("StatusReason") == _BY_HAND, "SageMaker keeps the reason word for word")
    history.destroy()
    history.check(history.serves_only(history.test.production), "production serves, alone")


def keep_production(history: History) -> None:
    """A teardown ends the experiment, and keeps production."""
    history.deploy(KEEP)
    history.check(history.runs(), "a deployment arms the resource: the experiment goes on")
    history.destroy()
    history.check(history.serves_only(history.test.production), "production serves, alone")


def promote_by_update(history: History) -> None:
    """An update promotes the shadow; the teardown changes nothing more."""
    history.deploy(KEEP)
    history.check(history.runs(), "a deployment arms the resource: the experiment goes on")
    history.deploy(PROMOTE)
    history.check(history.was_ended_by_us(), "an update ends the experiment")
    history.check(history.serves_only(history.test.shadow), "the shadow serves, alone")
    history.destroy()
    history.check(history.serves_only(history.test.shadow), "and still does after the teardown")


def retry_without_rollback(history: History) -> None:
    """A promotion that fails without rollback stops nothing; its retry promotes."""
    history.deploy(KEEP, permitted=False)
    told = history.refused(PROMOTE, "--no-rollback", permitted=False)
    history.check("was left as it is" in told, f"CloudFormation says: {told}")
    history.check(history.stack_status() == "UPDATE_FAILED", "the stack is UPDATE_FAILED")
    history.check(history.runs(), "the experiment goes on")
    history.deploy(PROMOTE, "--no-rollback")
    history.check(history.stack_status() == "UPDATE_COMPLETE", "the retry succeeds")
    history.check(history.was_ended_by_us(), "the retry ends the experiment")
    history.check(history.serves_only(history.test.shadow), "the shadow serves, alone")
    history.destroy()
    history.check(history.serves_only(history.test.shadow), "and still does after the teardown")


HISTORIES: dict[str, Callable[[History], None]] = {
    "ended-by-somebody-else": ended_by_somebody_else,
    "keep-production": keep_production,
    "promote-by-update": promote_by_update,
    "retry-without-rollback": retry_without_rollback,
}
