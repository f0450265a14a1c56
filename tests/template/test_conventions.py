"""What a user of CDK expects of a construct: grants, connections, metrics, and escape hatches."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Any

import aws_cdk as cdk
import jsii
import pytest
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from cdk_stop_inference_experiment import (
    StopInferenceExperiment,
    StopInferenceExperimentProvider,
)

from .stacks import (
    RESOURCE_TYPE,
    Json,
    declare,
    dependencies,
    new_stack,
    only,
    resources,
    shadow_test,
    statements,
    synthesised,
    warnings_of,
)

MOVED = "cdk-stop-inference-experiment:movedIntoVpc"


def test_a_provider_can_be_given_a_permission() -> None:
    stack = new_stack()
    provider = StopInferenceExperimentProvider(stack, "Provider")
    s3.Bucket(stack, "Bucket").grant_read(provider)
    template = synthesised(stack)
    (statement,) = (one for one in statements(template) if "s3:GetObject*" in one["Action"])
    assert statement["Effect"] == "Allow"
    (policy,) = (
        policy
        for policy in resources(template, "AWS::IAM::Policy").values()
        if statement in policy["Properties"]["PolicyDocument"]["Statement"]
    )
    assert policy["Properties"]["Roles"] == [{"Ref": only(template, "AWS::IAM::Role")[0]}]


def test_a_provider_in_a_vpc_can_be_let_through_to_an_endpoint() -> None:
    stack = new_stack()
    vpc = ec2.Vpc(stack, "Vpc")
    provider = StopInferenceExperimentProvider(stack, "Provider", vpc=vpc)
    endpoint = vpc.add_interface_endpoint(
        "Lambda", service=ec2.InterfaceVpcEndpointAwsService.LAMBDA_, open=False
    )
    endpoint.connections.allow_default_port_from(provider)
    _, rule = only(synthesised(stack), "AWS::EC2::SecurityGroupIngress")
    assert rule["Properties"]["FromPort"] == 443
    assert "ProviderHandler" in str(rule["Properties"]["SourceSecurityGroupId"])


def _resolved(metric: cloudwatch.Metric, stack: cdk.Stack) -> Json:
    alarm = cloudwatch.Alarm(stack, "Alarm", metric=metric, threshold=1, evaluation_periods=1)
    template = synthesised(stack)
    name = stack.get_logical_id(alarm.node.default_child)  # type: ignore[arg-type]
    properties: Json = template["Resources"][name]["Properties"]
    return properties


FUNCTION = {
    "metric_errors": ("Errors", "Sum"),
    "metric_duration": ("Duration", "Average"),
    "metric_throttles": ("Throttles", "Sum"),
}
VARIANTS = {
    "metric_invocations": ("Invocations", "Sum"),
    "metric_model_latency": ("ModelLatency", "Average"),
    "metric_overhead_latency": ("OverheadLatency", "Average"),
    "metric_invocation_4xx_errors": ("Invocation4XXErrors", "Sum"),
    "metric_invocation_5xx_errors": ("Invocation5XXErrors", "Sum"),
    "metric_invocation_model_errors": ("InvocationModelErrors", "Sum"),
}


def _metrics(construct: Construct, *arguments: str) -> dict[str, tuple[str, str]]:
    """Every metric of a construct by its method."""
    methods = [name for name in dir(construct) if name.startswith("metric_")]
    made = {name: getattr(construct, name)(*arguments) for name in methods}
    return {name: (metric.metric_name, metric.statistic) for name, metric in made.items()}


def test_a_provider_has_the_metrics_of_its_function() -> None:
    stack = new_stack()
    provider = StopInferenceExperimentProvider(stack, "Provider")
    assert _metrics(provider) == FUNCTION
    alarm = _resolved(provider.metric_errors(period=cdk.Duration.minutes(1)), stack)
    function, _ = only(synthesised(stack), "AWS::Lambda::Function")
    assert alarm["Period"] == 60
    assert alarm["Dimensions"] == [{"Name": "FunctionName", "Value": {"Ref": function}}]


def test_an_experiment_has_the_metrics_of_its_variants() -> None:
    stack = new_stack()
    construct = declare(stack, experiment=shadow_test(stack))
    assert _metrics(construct, "shadow") == VARIANTS
    alarm = _resolved(construct.metric_invocations("shadow"), stack)
    assert (alarm["Namespace"], alarm["Period"]) == ("AWS/SageMaker", 300)
    assert alarm["Dimensions"] == [
        {"Name": "EndpointName", "Value": "fraud"},
        {"Name": "VariantName", "Value": "shadow"},
    ]


@pytest.mark.parametrize("method", VARIANTS)
def test_the_documentation_of_a_metric_has_its_unit_its_defaults_and_the_page(method: str) -> None:
    text = inspect.getdoc(getattr(StopInferenceExperiment, method)) or ""
    (unit,) = re.findall(r"Unit: (\w+)\.", text)
    assert (unit == "microseconds") == VARIANTS[method][0].endswith("Latency")
    assert re.findall(r"Default: (.+)\.", text) == ["5 minutes", VARIANTS[method][1]]
    assert "https://docs.aws.amazon.com/sagemaker/latest/dg/monitoring-cloudwatch.html" in text


def test_the_metrics_of_an_experiment_by_name_are_those_of_the_endpoint_it_runs_on() -> None:
    stack = new_stack()
    metric = declare(stack).metric_model_latency("shadow", statistic="p99")
    alarm = _resolved(metric, stack)
    name, _ = only(synthesised(stack), RESOURCE_TYPE)
    assert alarm["ExtendedStatistic"] == "p99"
    assert alarm["Dimensions"][0]["Value"] == {"Fn::GetAtt": [name, "EndpointName"]}


def test_a_second_configuration_of_asynchronous_requests_is_refused_with_the_remedy() -> None:
    stack = new_stack()
    function = declare(stack).provider.function
    function.configure_async_invoke(retry_attempts=0)
    with pytest.raises(RuntimeError) as error:
        synthesised(stack)
    assert "Handler/EventInvokeConfig/Resource' is a second EventInvokeConfig of" in str(
        error.value
    )
    assert "leave out configure_async_invoke()" in str(error.value)


def test_a_second_configuration_by_the_functions_name_is_refused() -> None:
    stack = new_stack()
    provider = StopInferenceExperimentProvider(stack, "Provider", function_name="stop")
    element = lambda_.CfnEventInvokeConfig(
        stack, "Second", function_name="stop", qualifier="$LATEST"
    )
    with pytest.raises(RuntimeError, match="'Stack/Second' is a second EventInvokeConfig of"):
        synthesised(stack)
    element.qualifier = "live"
    synthesised(stack)
    assert provider.function.function_name


def test_the_asynchronous_requests_of_other_functions_are_their_own() -> None:
    stack = new_stack()
    declare(stack)
    other = lambda_.Function(
        stack,
        "Other",
        code=lambda_.Code.from_inline("def handler(event, context): ..."),
        handler="index.handler",
        runtime=lambda_.Runtime.PYTHON_3_12,
    )
    other.configure_async_invoke(retry_attempts=0)
    assert len(resources(synthesised(stack), "AWS::Lambda::EventInvokeConfig")) == 2


def test_a_function_gets_the_concurrency_and_the_dead_letter_queue_it_is_given() -> None:
    stack = new_stack()
    queue = sqs.Queue(stack, "Failed")
    provider = StopInferenceExperimentProvider(
        stack, "Provider", reserved_concurrent_executions=2, dead_letter_queue=queue
    )
    declare(stack, provider=provider)
    template = synthesised(stack)
    _, function = only(template, "AWS::Lambda::Function")
    arn = {"Fn::GetAtt": [only(template, "AWS::SQS::Queue")[0], "Arn"]}
    assert function["Properties"]["ReservedConcurrentExecutions"] == 2
    assert function["Properties"]["DeadLetterConfig"] == {"TargetArn": arn}
    assert [one for one in statements(template) if "sqs:" in str(one["Action"])] == [
        {"Action": "sqs:SendMessage", "Effect": "Allow", "Resource": arn}
    ]
    name, _ = only(template, RESOURCE_TYPE)
    assert dependencies(template, name) == set(template["Resources"]) - {name}


def test_the_role_may_encrypt_for_a_dead_letter_queue_with_a_customer_managed_key() -> None:
    stack = new_stack()
    queue = sqs.Queue(stack, "Failed", encryption=sqs.QueueEncryption.KMS)
    provider = StopInferenceExperimentProvider(stack, "Provider", dead_letter_queue=queue)
    declare(stack, provider=provider)
    template = synthesised(stack)
    key, _ = only(template, "AWS::KMS::Key")
    assert [one for one in statements(template) if "kms:" in str(one["Action"])] == [
        {
            "Action": ["kms:Decrypt", "kms:GenerateDataKey"],
            "Effect": "Allow",
            "Resource": {"Fn::GetAtt": [key, "Arn"]},
        }
    ]
    name, _ = only(template, RESOURCE_TYPE)
    assert dependencies(template, name) == set(template["Resources"]) - {name}


@jsii.implements(cdk.IAspect)
class _Move:
    """Puts functions into a VPC, as organisations do that allow no others."""

    def visit(self, node: Any) -> None:
        if isinstance(node, lambda_.CfnFunction):
            node.vpc_config = lambda_.CfnFunction.VpcConfigProperty(
                security_group_ids=["sg-0123456789abcdef0"], subnet_ids=["subnet-0123456789abcdef0"]
            )


def _by_aspect(stack: cdk.Stack, provider: StopInferenceExperimentProvider) -> None:
    cdk.Aspects.of(stack.node.root).add(_Move())
    assert provider


def _by_override(stack: cdk.Stack, provider: StopInferenceExperimentProvider) -> None:
    element = provider.function.node.default_child
    assert isinstance(element, cdk.CfnResource)
    element.add_property_override("VpcConfig.SubnetIds", ["subnet-0123456789abcdef0"])


@pytest.mark.parametrize("moved", [_by_aspect, _by_override])
def test_warns_of_a_function_that_is_put_into_a_vpc_later(
    moved: Callable[[cdk.Stack, StopInferenceExperimentProvider], None],
) -> None:
    stack = new_stack()
    moved(stack, declare(stack).provider)
    (text,) = warnings_of(stack)
    assert "was moved into a VPC after it was created" in text
    assert "pass vpc= to StopInferenceExperimentProvider" in text
    cdk.Annotations.of(stack).acknowledge_warning(MOVED, "the role has the permission")
    assert warnings_of(stack) == []


def test_does_not_warn_of_another_vpc_of_a_function_that_was_given_one() -> None:
    stack = new_stack()
    StopInferenceExperimentProvider(stack, "Provider", vpc=ec2.Vpc(stack, "Vpc"))
    cdk.Aspects.of(stack).add(_Move())
    assert warnings_of(stack) == []
