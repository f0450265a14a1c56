"""Histories of a stack with endpoint, experiment and construct, as users write it."""

from __future__ import annotations

from aws_cdk import Stack
from aws_cdk import aws_iam as iam

from cdk_stop_inference_experiment import Instances, Outcome
from local_aws.synthesis import synthesise

from .history import History
from .shadow_stack import shadow_stack, shadow_test
from .synthesis import PROMOTE_SHADOW, stop_shadow_test


def nothing_is_left_of_the_shadow_test(history: History) -> bool:
    """Whether SageMaker has neither experiment nor endpoint."""
    experiments = history.sagemaker.list_inference_experiments()["InferenceExperiments"]
    return not experiments and not history.sagemaker.list_endpoints()["Endpoints"]


def order(history: History, *operations: str) -> list[str]:
    """The accepted calls of some operations, in the order they came."""
    accepted = [call.operation for call in history.aws.calls() if call.error_code is None]
    return [operation for operation in accepted if operation in operations]


def test_history_2_a_destruction_ends_the_experiment_before_it_deletes_it_and_its_endpoint(
    history: History,
) -> None:
    # SageMaker refuses to delete an endpoint that is still updating after the experiment's end.
    history.aws.configure(settle_seconds=20)
    assert history.deploy(shadow_stack(model_variant_actions=PROMOTE_SHADOW)) == "CREATE_COMPLETE"
    assert history.experiment()["Status"] == "Running"
    assert history.destroy() == "DELETE_COMPLETE"
    assert order(
        history, "StopInferenceExperiment", "DeleteInferenceExperiment", "DeleteEndpoint"
    ) == ["StopInferenceExperiment", "DeleteInferenceExperiment", "DeleteEndpoint"]
    (stop,) = history.stops()
    assert stop.request["ModelVariantActions"] == {"production": "Remove", "shadow": "Promote"}
    assert nothing_is_left_of_the_shadow_test(history)
    history.end(stops=1)


def with_execution_role(stack: Stack) -> None:
    """An experiment with a role of the stack.

    Without a dependency the local AWS deletes in reverse alphabetical order: the role and its
    policies first.
    """
    role = iam.Role(stack, "TestRole", assumed_by=iam.ServicePrincipal("sagemaker.amazonaws.com"))
    experiment = shadow_test(stack)
    experiment.role_arn = role.role_arn
    stop_shadow_test(stack, experiment=experiment)
    update = iam.PolicyStatement(actions=["sagemaker:UpdateEndpoint"], resources=["*"])
    role.add_to_policy(update)
    iam.Policy(stack, "UpdateInline", statements=[update], roles=[role])
    iam.ManagedPolicy(stack, "UpdateManaged", statements=[update], roles=[role])


def test_a_destruction_ends_the_experiment_before_it_deletes_its_role_and_the_policies_of_it(
    history: History,
) -> None:
    assert history.deploy(synthesise(with_execution_role)) == "CREATE_COMPLETE"
    assert history.destroy() == "DELETE_COMPLETE"
    begun = [
        event["ResourceType"]
        for event in history.events()
        if event["ResourceStatus"] == "DELETE_IN_PROGRESS"
        and event["LogicalResourceId"].startswith(("Stop", "TestRole", "Update"))
    ]
    assert begun[0] == "Custom::StopInferenceExperiment"
    # Two inline policies of the role, and the one that lets our function stop the experiment.
    policies = ["ManagedPolicy", *["Policy"] * 3]
    assert sorted(begun[1:]) == [f"AWS::IAM::{kind}" for kind in (*policies, "Role")]
    history.end(stops=1)


def test_history_6_a_failing_creation_leaves_the_stacks_own_experiment_to_cloudformation(
    history: History,
) -> None:
    failing = shadow_stack(model_variant_actions=PROMOTE_SHADOW, breaks=True)
    assert history.deploy(failing) == "ROLLBACK_COMPLETE"
    # The only stop is that of CloudFormation's own resource. One of the function has a reason.
    (stop,) = history.stops()
    assert "Reason" not in stop.request
    assert stop.request["ModelVariantActions"] == {"production": "Retain", "shadow": "Retain"}
    assert nothing_is_left_of_the_shadow_test(history)
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
