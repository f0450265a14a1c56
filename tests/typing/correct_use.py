"""Correct uses of every public name: type checkers find nothing here."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sagemaker as sagemaker

from cdk_stop_inference_experiment import (
    Comparison,
    DesiredState,
    Evidence,
    InstanceType,
    InvalidPropsError,
    MissingCodeError,
    ModelVariantAction,
    ModelVariantConfig,
    Outcome,
    StopInferenceExperiment,
    StopInferenceExperimentProvider,
    StopOn,
)


def configured(stack: cdk.Stack, vpc: ec2.Vpc, key: kms.Key, role: iam.Role) -> list[str]:
    """A provider and an experiment with every prop."""
    metric = cloudwatch.Metric(namespace="AWS/SageMaker", metric_name="ModelLatency")
    alarm = cloudwatch.Alarm(stack, "Slow", metric=metric, threshold=1, evaluation_periods=1)
    provider = StopInferenceExperimentProvider(
        stack,
        "Provider",
        vpc=vpc,
        vpc_subnets=ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_WITH_EGRESS),
        security_groups=[ec2.SecurityGroup(stack, "Group", vpc=vpc)],
        log_retention=logs.RetentionDays.ONE_WEEK,
        role=role,
        function_name="stop-experiments",
        memory_size=512,
        environment_encryption=key,
        runtime=lambda_.Runtime.PYTHON_3_12,
    )
    actions = {"production": ModelVariantAction.REMOVE, "shadow": ModelVariantAction.PROMOTE}
    experiment = StopInferenceExperiment(
        stack,
        "Stop",
        experiment_name="fraud-shadow",
        model_variant_actions=actions,
        desired_model_variants=[
            ModelVariantConfig(
                model_name="fraud-v2",
                variant_name="shadow",
                instance_type=InstanceType.of("ml.z9.large"),
                instance_count=2,
            )
        ],
        desired_state=DesiredState.COMPLETED,
        reason="v2 wins",
        stop_on=[StopOn.UPDATE, StopOn.DELETE],
        end_now=True,
        promote_if=Evidence(
            min_invocations=10_000,
            comparisons=[
                Comparison.model_latency("p99", max_ratio=1.1, failure_limit=1),
                Comparison.model_latency(max_increase=cdk.Duration.millis(5), dry_run=True),
                Comparison.error_rate_4xx(max_rate=0.01),
                Comparison.error_rate_5xx(max_rate=0.001, max_increase=0.0005),
                Comparison.model_error_rate(max_increase=1),
            ],
            alarms=[alarm, cloudwatch.Alarm.from_alarm_name(stack, "Alarm", "too-slow")],
            window=cdk.Duration.hours(24),
        ),
        otherwise=Outcome.keep_both(),
        timeout=cdk.Duration.minutes(30),
        provider=provider,
    )
    function: lambda_.Function = experiment.provider.function
    resource: cdk.CustomResource = experiment.custom_resource
    return [
        function.function_arn,
        resource.ref,
        experiment.experiment_arn,
        experiment.experiment_name,
        experiment.status,
        experiment.status_reason,
        experiment.endpoint_name,
        experiment.endpoint_config_name,
        experiment.scheduled_end,
        experiment.variant_statuses,
        experiment.stopped_by_this_resource,
        provider.role.role_arn,
        provider.log_group.log_group_arn,
        provider.service_token,
    ]


def native(
    stack: cdk.Stack, experiment: sagemaker.CfnInferenceExperiment, log_group: logs.LogGroup
) -> tuple[str, ...]:
    """An experiment of the same app, and an imported role."""
    role = iam.Role.from_role_name(stack, "Role", "given")
    provider = StopInferenceExperimentProvider(stack, "Provider", log_group=log_group, role=role)
    try:
        StopInferenceExperiment(
            stack,
            "Stop",
            experiment=experiment,
            model_variant_actions={"production": ModelVariantAction.RETAIN},
            provider=provider,
        )
    except InvalidPropsError as error:
        return (error.construct_path, *error.problems)
    except MissingCodeError as missing:
        return (str(missing),)
    return ()
