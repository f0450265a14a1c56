"""An outcome from the construct to the endpoint, on the local AWS."""

from __future__ import annotations

import json
from typing import Any

import pytest
from aws_cdk import CfnOutput, Stack

from cdk_stop_inference_experiment import Instances, Outcome
from local_aws.shadow_test import endpoint_variants, model_variant
from local_aws.synthesis import Template, synthesise
from tests.waiting import eventually

from .history import History
from .shadow_stack import shadow_stack
from .synthesis import promoting, stop_shadow_test, stopping

pytestmark = pytest.mark.slow


def with_its_request(**props: Any) -> Template:
    """A stack with the sent request as its output."""

    def build(stack: Stack) -> None:
        made = stop_shadow_test(stack, **props)
        CfnOutput(stack, "StopRequest", value=made.stop_request)

    return synthesise(build)


@pytest.mark.usefixtures("shadow_test")
class TestOneExperiment:
    def test_from_one_outcome_to_another_ends_it_on_what_runs_then(self, history: History) -> None:
        assert history.deploy(with_its_request(outcome=Outcome.keep_production())) == (
            "CREATE_COMPLETE"
        )
        assert history.outputs["StopRequest"] == ""
        history.aws.scale_variant("fraud", "production", current=7, desired=12)
        assert history.deploy(with_its_request(outcome=Outcome.promote_shadow())) == (
            "UPDATE_COMPLETE"
        )
        (stop,) = history.stops()
        assert stop.request["DesiredModelVariants"] == [
            model_variant("shadow", "fraud-v2", "ml.m5.large", 7)
        ]
        assert json.loads(history.outputs["StopRequest"]) == stop.request
        (variant,) = endpoint_variants(history.sagemaker)["production"]
        assert (variant["ModelName"], variant["InitialInstanceCount"]) == ("fraud-v2", 7)
        history.end(stops=1)

    def test_from_variants_to_the_outcome_of_the_same_request_ends_nothing(
        self, history: History
    ) -> None:
        assert history.deploy(stopping()) == "CREATE_COMPLETE"
        assert history.deploy(stopping(outcome=Outcome.keep_production())) == "UPDATE_COMPLETE"
        assert history.deploy(stopping()) == "UPDATE_COMPLETE"
        assert history.experiment()["Status"] == "Running"
        assert eventually(lambda: "update_unchanged" in history.log())
        assert not history.stops()
        history.end(stops=1)

    def test_a_scaled_endpoint_and_a_reworded_reason_are_no_change(self, history: History) -> None:
        promote = Outcome.promote_shadow()
        keeps = {"outcome": promote, "stop_on": None}
        assert history.deploy(stopping(**keeps)) == "CREATE_COMPLETE"
        history.aws.scale_variant("fraud", "production", current=5)
        assert history.deploy(stopping(**keeps, reason="soon")) == "UPDATE_COMPLETE"
        assert not history.stops()
        assert history.destroy() == "DELETE_COMPLETE"
        (stop,) = history.stops()
        (wanted,) = stop.request["DesiredModelVariants"]
        assert wanted["InfrastructureConfig"]["RealTimeInferenceConfig"]["InstanceCount"] == 5

    def test_fewer_declared_instances_than_run_are_warned_of_in_the_log(
        self, history: History
    ) -> None:
        history.aws.scale_variant("fraud", "production", current=5)
        assert history.deploy(promoting()) == "CREATE_COMPLETE"
        warning = "is to be promoted on 2 instances, but variant 'production' now runs 5"
        assert eventually(lambda: warning in history.log())
        assert not history.stops()
        history.end(stops=1)

    def test_an_endpoint_that_cannot_be_described_for_a_while_delays_the_stop_only(
        self, history: History
    ) -> None:
        assert history.deploy(stopping(outcome=Outcome.keep_production())) == "CREATE_COMPLETE"
        history.aws.fail("DescribeEndpoint", "ThrottlingException", times=5)
        assert history.deploy(stopping(outcome=Outcome.promote_shadow())) == "UPDATE_COMPLETE"
        history.end(stops=1)


def test_an_experiment_of_the_stack_is_promoted_with_a_permission_on_its_endpoint_only(
    history: History,
) -> None:
    outcome = Outcome.promote_shadow(Instances.production())
    assert history.deploy(shadow_stack(outcome=outcome)) == "CREATE_COMPLETE"
    history.aws.scale_variant("fraud", "production", current=3)
    assert history.deploy(shadow_stack(outcome=outcome, end_now=True)) == "UPDATE_COMPLETE"
    (stop,) = history.stops()
    (wanted,) = stop.request["DesiredModelVariants"]
    assert wanted["InfrastructureConfig"]["RealTimeInferenceConfig"]["InstanceCount"] == 3
