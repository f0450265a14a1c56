"""The Lambda function behind the resources of one stack."""

from __future__ import annotations

from collections.abc import Sequence

import aws_cdk
from aws_cdk import Duration, RemovalPolicy, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct, DependencyGroup, IDependable

from cdk_stop_inference_experiment_handler.contract.wire import RULE_PREFIX_VARIABLE

from .errors import InvalidPropsError, path_of
from .handler_code import HANDLER, handler_code
from .network import warn_of_no_way_out
from .provider_checks import find_provider_problems
from .template.cdk_nag import acknowledge_runtime
from .template.permissions import (
    DECRYPT_POLICY_CHARACTERS,
    RolePermissions,
    polling_rule_prefix,
)

# CloudFormation refuses another ServiceToken for an existing resource, so this id and those of the
# constructs below it are part of the public contract.
_DEFAULT_ID = "Custom::StopInferenceExperimentProvider"

_DESCRIPTION = "Stops SageMaker inference experiments for CloudFormation"

# The newest that the tests run the function on. By its name, so that every supported release of
# aws-cdk-lib knows it.
_RUNTIME = "python3.13"

# The longest a function can wait inside an invocation before it hands over to the polling rule.
_TIMEOUT_MINUTES = 15

# Enough for boto3 to start quickly; the function waits far more than it computes.
_MEMORY_MIB = 256


class StopInferenceExperimentProvider(Construct):
    """The Lambda function that stops the inference experiments of a stack, with all it needs.

    A stack has one, made with its first ``StopInferenceExperiment`` and shared by all of them.
    Make another one by hand, and pass it as ``provider=``, to configure the function, or for more
    experiments than one role's permissions hold: 40, or fewer where their names are long.

    CloudFormation refuses to give an existing resource another function. Pass ``provider=`` from
    the first deployment on, or give the ``StopInferenceExperiment`` another id with it, which makes
    a new resource and stops nothing.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        vpc: ec2.IVpc | None = None,
        vpc_subnets: ec2.SubnetSelection | None = None,
        security_groups: Sequence[ec2.ISecurityGroup] | None = None,
        log_group: logs.ILogGroup | None = None,
        log_retention: logs.RetentionDays | None = None,
        # The classes besides their interfaces: pyright does not take jsii's classes for these two.
        role: iam.IRole | iam.Role | None = None,
        function_name: str | None = None,
        memory_size: float | None = None,
        environment_encryption: aws_cdk.aws_kms.IKey | aws_cdk.aws_kms.Key | None = None,
        runtime: lambda_.Runtime | None = None,
    ) -> None:
        """Make the function, its role, its permissions and its log group.

        Args:
            scope: The stack whose experiments it serves, or a construct in it.
            construct_id: The id in the scope. With another id the function is another one, which
                CloudFormation refuses for existing resources.
            vpc: Where to place the function. From there it must reach the endpoints of SageMaker,
                CloudFormation, EventBridge, Lambda and, for CloudFormation's answer, S3: by a NAT
                gateway or by VPC endpoints. Default: in no VPC.
                See https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html
            vpc_subnets: Which of the VPC's subnets, only together with ``vpc``; not public ones,
                from which a function reaches nothing. Default: private subnets.
            security_groups: At least one, only together with ``vpc``; port 443 must be open
                outwards. Default: a new one that allows every connection outwards.
            log_group: Where the function logs. Default: a new one, deleted with the stack.
            log_retention: How long the new log group keeps what is logged, not together with
                ``log_group``. Default: one month.
            role: The function's role, which Lambda must be allowed to assume. The permissions are
                attached to it; to an imported role that takes no policies nothing is attached, and
                a warning says so. Default: a new one.
            function_name: 1 to 64 letters, digits, hyphens and underscores. A function that has a
                name keeps it: CloudFormation refuses another one for existing resources.
                Default: CloudFormation makes one.
            memory_size: 128 to 10,240 MiB. Default: 256. A ``float`` is for number tokens only.
                See https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html
            environment_encryption: The key that the function's environment is encrypted with. The
                role may decrypt with it. Default: a key that AWS owns.
            runtime: The function's runtime: Python 3.12 or newer. Default: Python 3.13, the newest
                that this release is tested on.
                See https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html

        Raises:
            InvalidPropsError: With every problem of the props.
            MissingCodeError: crhelper is not installed in the release this library is made for.
        """
        problems = find_provider_problems(
            vpc=vpc,
            vpc_subnets=vpc_subnets,
            security_groups=security_groups,
            log_group=log_group,
            log_retention=log_retention,
            role=role,
            function_name=function_name,
            memory_size=memory_size,
            environment_encryption=environment_encryption,
            runtime=runtime,
        )
        if problems:
            path = path_of(scope, construct_id)
            raise InvalidPropsError(type(self).__name__, path, problems)

        super().__init__(scope, construct_id)
        key = environment_encryption
        self._log_group = log_group or _log_group(self, log_retention)
        self._role = role or _role(self)
        characters = DECRYPT_POLICY_CHARACTERS if key else 0
        self._permissions = RolePermissions(self, self._role, characters=characters)
        if key:
            key.grant_decrypt(self._role)
        network = self._permissions.permit_network() if vpc else DependencyGroup()
        if vpc:
            warn_of_no_way_out(self, vpc, vpc_subnets)
        self._function = lambda_.Function(
            self,
            "Handler",
            code=handler_code(),
            description=_DESCRIPTION,
            environment={RULE_PREFIX_VARIABLE: polling_rule_prefix()},
            environment_encryption=key,
            function_name=function_name,
            handler=HANDLER,
            log_group=self._log_group,
            logging_format=lambda_.LoggingFormat.JSON,
            memory_size=_MEMORY_MIB if memory_size is None else memory_size,
            role=self._role,
            runtime=runtime or lambda_.Runtime(_RUNTIME, lambda_.RuntimeFamily.PYTHON),
            security_groups=security_groups,
            timeout=Duration.minutes(_TIMEOUT_MINUTES),
            vpc=vpc,
            vpc_subnets=vpc_subnets,
        )
        if runtime is None:
            acknowledge_runtime(self._function)
        self._service_token = self._function.function_arn
        self._function.node.add_dependency(network)
        permissions = self._permissions.permit_function(
            function_arn=self._service_token, log_group_arn=self._log_group.log_group_arn
        )
        self._ready = DependencyGroup(_invocation(self, self._function), permissions)

    @property
    def service_token(self) -> str:
        """What CloudFormation calls: the function's ARN."""
        return self._service_token

    @property
    def function(self) -> lambda_.Function:
        """The function."""
        return self._function

    @property
    def role(self) -> iam.IRole:
        """The function's role, made or given."""
        return self._role

    @property
    def log_group(self) -> logs.ILogGroup:
        """Where the function logs, made or given."""
        return self._log_group


def problem_with_another(
    provider: StopInferenceExperimentProvider, experiment_name: str
) -> str | None:
    """Why the role's permissions have no room for one more experiment, None where they have."""
    return provider._permissions.problem_with_another(experiment_name)  # noqa: SLF001


def permit(
    provider: StopInferenceExperimentProvider,
    scope: Construct,
    construct_id: str,
    experiment_name: str,
) -> Sequence[IDependable]:
    """Let the function stop one more experiment, by a policy of its own.

    Args:
        provider: Whose function it is.
        scope: Where the policy belongs: what needs the permission should also own it.
        construct_id: The id of the policy.
        experiment_name: The experiment's name, which may be a token.

    Returns:
        What the resource depends on to be answered, and to be answered still when it is deleted.
        The function and its log group are in it by way of the others.
    """
    policy = provider._permissions.permit_experiment(  # noqa: SLF001
        scope, construct_id, experiment_name
    )
    return provider._ready, policy  # noqa: SLF001


def _log_group(scope: Construct, retention: logs.RetentionDays | None) -> logs.LogGroup:
    return logs.LogGroup(
        scope,
        "LogGroup",
        retention=retention or logs.RetentionDays.ONE_MONTH,
        removal_policy=RemovalPolicy.DESTROY,
    )


def _role(scope: Construct) -> iam.Role:
    return iam.Role(
        scope,
        "Role",
        assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
        description=_DESCRIPTION,
    )


def _invocation(scope: Construct, function: lambda_.Function) -> lambda_.EventInvokeConfig:
    return lambda_.EventInvokeConfig(
        scope,
        "Invocation",
        function=function,
        # CloudFormation waits an hour for an answer.
        max_event_age=Duration.hours(1),
        retry_attempts=2,
    )


def find_default_provider(scope: Construct) -> StopInferenceExperimentProvider | None:
    """The provider that the stack's experiments share, if it has been made."""
    found = Stack.of(scope).node.try_find_child(_DEFAULT_ID)
    return found if isinstance(found, StopInferenceExperimentProvider) else None


def make_default_provider(scope: Construct) -> StopInferenceExperimentProvider:
    """The provider that the stack's experiments share, made with the first of them."""
    return StopInferenceExperimentProvider(Stack.of(scope), _DEFAULT_ID)
