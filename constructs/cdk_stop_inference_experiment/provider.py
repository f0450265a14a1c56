"""The Lambda function behind the resources of one stack."""

from __future__ import annotations

from collections.abc import Sequence

import aws_cdk
import jsii
from aws_cdk import Duration, RemovalPolicy, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct, DependencyGroup, IDependable

from cdk_stop_inference_experiment_handler.contract.wire import RULE_PREFIX_VARIABLE

from .asset import handler_code
from .errors import InvalidPropsError, path_of
from .final_checks import check_function_at_the_end
from .handler_code import HANDLER, MODELS_PATH, MODELS_VARIABLE
from .network import warn_of_missing_endpoints
from .provider_checks import find_provider_problems
from .template.cdk_nag import acknowledge_runtime
from .template.permissions import (
    GRANT_CHARACTERS,
    Access,
    RolePermissions,
    permit_rules,
    polling_rule_prefix,
)
from .template.vpc_endpoints import keep_endpoints
from .tokens import is_lookup_dummy
from .version import PURPOSE, function_description

# CloudFormation refuses another ServiceToken for an existing resource, so this id and those of the
# constructs below it are part of the public contract.
_DEFAULT_ID = "Custom::StopInferenceExperimentProvider"

# The newest runtime that the tests run the function on. By name, since the oldest supported
# aws-cdk-lib has no constant for it.
_RUNTIME = "python3.13"

# Lambda's maximum: a function that cannot create its polling rule waits inside.
_TIMEOUT_MINUTES = 15

# Enough for boto3 to start quickly; see the choice in benchmarks/RESULTS.md.
_MEMORY_MIB = 256


@jsii.implements(iam.IGrantable, ec2.IConnectable)
class StopInferenceExperimentProvider(Construct):
    """The Lambda function that stops the inference experiments of a stack, with its permissions.

    A stack has one, created with its first ``StopInferenceExperiment`` and shared by all of them.
    Create another one and pass it as ``provider=`` to configure the function, or for more
    experiments than the permissions of one role allow: 40, or fewer if their names are long.

    CloudFormation does not let an existing resource use another function. Pass ``provider=`` from
    the first deployment on, or give the ``StopInferenceExperiment`` another id with it; that
    creates a new resource and stops nothing.
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
        log_removal_policy: RemovalPolicy | None = None,
        # The class as well as the interface: pyright does not accept jsii's classes as these two.
        role: iam.IRole | iam.Role | None = None,
        function_name: str | None = None,
        memory_size: float | None = None,
        environment_encryption: aws_cdk.aws_kms.IKey | aws_cdk.aws_kms.Key | None = None,
        runtime: lambda_.Runtime | None = None,
        reserved_concurrent_executions: float | None = None,
        dead_letter_queue: aws_cdk.aws_sqs.IQueue | aws_cdk.aws_sqs.Queue | None = None,
    ) -> None:
        """Create the function, its role, its permissions and its log group.

        Args:
            scope: The stack whose experiments it serves, or a construct in it.
            construct_id: The id in the scope. Another id creates another function,
                which CloudFormation refuses for existing resources.
            vpc: The VPC to place the function in. From there it must reach SageMaker,
                CloudFormation, EventBridge, CloudWatch with ``promote_if`` and, to answer
                CloudFormation, S3: through a NAT gateway or VPC endpoints. Default: no VPC.
                See https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html
            vpc_subnets: The VPC's subnets to use, only together with ``vpc``; not public ones,
                where a function has no internet access. Default: private subnets.
            security_groups: At least one, only together with ``vpc``; they must allow outbound
                traffic to port 443. Default: a new one that allows all outbound traffic.
            log_group: Where the function logs. Default: a new one.
            log_retention: How long the new log group keeps log events, not together with
                ``log_group``. Default: one month.
            log_removal_policy: What happens to the new log group when it leaves the stack, not
                together with ``log_group``: DESTROY deletes it. Only the log says how a teardown
                ended an experiment; its events expire by ``log_retention``.
                Default: RETAIN_ON_UPDATE_OR_DELETE.
            role: The function's role; Lambda must be allowed to assume it. The permissions are
                attached to it, but not to an imported role that accepts no policies; a warning says
                so. Default: a new one.
            function_name: 1 to 64 letters, digits, hyphens and underscores. It cannot be changed
                later: another name creates another function, which CloudFormation refuses for
                existing resources. Default: generated by CloudFormation.
            memory_size: 128 to 10,240 MiB. Default: 256. A ``float`` is for number tokens only.
                See https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html
            environment_encryption: The key that encrypts the function's environment. The role gets
                permission to decrypt with it. Default: an AWS owned key.
            runtime: The function's runtime: Python 3.12 or newer. Default: Python 3.13, the newest
                Python that the function's code is tested on.
                See https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html
            reserved_concurrent_executions: At least 1, a whole number; ten are enough for forty
                experiments that end at the same time, since a wait holds no execution.
                A ``float`` is for number tokens only. Default: the account's concurrency.
                See https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html
            dead_letter_queue: Where Lambda sends a request that it could not run the function for.
                It includes the ResponseURL, with which anyone can answer CloudFormation for two
                hours. The role gets permission to send, and to use the queue's customer managed
                key. Default: no queue. See
                https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html

        Raises:
            InvalidPropsError: With every problem of the props that CDK does not check itself.
            MissingCodeError: The function's code is not installed as source files, or crhelper is
                not the release that this library needs.
        """
        problems = list(
            find_provider_problems(
                security_groups=security_groups,
                log_group=log_group,
                log_retention=log_retention,
                log_removal_policy=log_removal_policy,
                role=role,
                memory_size=memory_size,
                runtime=runtime,
                reserved_concurrent_executions=reserved_concurrent_executions,
            )
        )
        if problems:
            path = path_of(scope, construct_id)
            raise InvalidPropsError(type(self).__name__, path, problems)

        code = handler_code()
        super().__init__(scope, construct_id)
        self._log_group = log_group or _log_group(self, log_retention, log_removal_policy)
        self._role = role or _role(self)
        self._function = lambda_.Function(
            self,
            "Handler",
            code=code,
            dead_letter_queue=dead_letter_queue,
            description=function_description(),
            environment={
                MODELS_VARIABLE: MODELS_PATH,
                RULE_PREFIX_VARIABLE: polling_rule_prefix(),
            },
            environment_encryption=environment_encryption,
            # CDK refuses the dummy of a lookup.
            function_name=None if is_lookup_dummy(function_name) else function_name,
            handler=HANDLER,
            log_group=self._log_group,
            logging_format=lambda_.LoggingFormat.JSON,
            memory_size=_MEMORY_MIB if memory_size is None else memory_size,
            reserved_concurrent_executions=reserved_concurrent_executions,
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
        # CDK has checked the props by now.
        queue_key = dead_letter_queue.encryption_master_key if dead_letter_queue else None
        granted = [
            target for target in (environment_encryption, dead_letter_queue, queue_key) if target
        ]
        characters = GRANT_CHARACTERS * len(granted)
        self._permissions = RolePermissions(self, self._role, characters=characters)
        if environment_encryption:
            environment_encryption.grant_decrypt(self._role)
        if queue_key:
            # CDK only lets the role send. Who sends to an encrypted queue needs both:
            # https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html
            queue_key.grant(self._role, "kms:Decrypt", "kms:GenerateDataKey")
        if vpc:
            self._function.node.add_dependency(self._permissions.permit_network())
            warn_of_missing_endpoints(
                self, vpc, self._function, needs_evidence=lambda: self._permissions.needs_evidence
            )
        permissions = self._permissions.permit_function(
            function_arn=self._service_token, log_group_arn=self._log_group.log_group_arn
        )
        invocation = _invocation(self, self._function)
        check_function_at_the_end(self._function, invocation, in_vpc=vpc is not None)
        rules = permit_rules(self, self._function)
        self._ready = DependencyGroup(invocation, permissions, rules)
        if vpc:
            self._ready.add(keep_endpoints(self, vpc, self._function))

    @property
    def service_token(self) -> str:
        """The function's ARN, which CloudFormation calls."""
        return self._service_token

    @property
    def function(self) -> lambda_.Function:
        """The function."""
        return self._function

    @property
    def role(self) -> iam.IRole:
        """The function's role."""
        return self._role

    @property
    def log_group(self) -> logs.ILogGroup:
        """The function's log group."""
        return self._log_group

    @property
    def grant_principal(self) -> iam.IPrincipal:
        """The function's role: grants to the provider go to it."""
        return self._role.grant_principal

    @property
    def connections(self) -> ec2.Connections:
        """The function's security groups, which must reach its endpoints; only with ``vpc``."""
        return self._function.connections

    def metric_errors(
        self, *, period: Duration | None = None, statistic: str | None = None
    ) -> cloudwatch.Metric:
        """How often the function failed; an answer FAILED to CloudFormation does not count.

        Args:
            period: The length of a data point. Default: 5 minutes.
            statistic: The statistic. Default: Sum.
        """
        return self._function.metric_errors(period=period, statistic=statistic)

    def metric_duration(
        self, *, period: Duration | None = None, statistic: str | None = None
    ) -> cloudwatch.Metric:
        """How long the function ran, including its waits: up to 15 minutes, in milliseconds.

        Args:
            period: The length of a data point. Default: 5 minutes.
            statistic: The statistic. Default: Average.
        """
        return self._function.metric_duration(period=period, statistic=statistic)

    def metric_throttles(
        self, *, period: Duration | None = None, statistic: str | None = None
    ) -> cloudwatch.Metric:
        """How often the function could not run for lack of concurrency.

        Args:
            period: The length of a data point. Default: 5 minutes.
            statistic: The statistic. Default: Sum.
        """
        return self._function.metric_throttles(period=period, statistic=statistic)


def capacity_problem(provider: StopInferenceExperimentProvider, access: Access) -> str | None:
    """Why the role's permissions have no room for one more experiment; None if they have."""
    return provider._permissions.capacity_problem(access)  # noqa: SLF001


def permit(
    provider: StopInferenceExperimentProvider,
    scope: Construct,
    construct_id: str,
    access: Access,
) -> Sequence[IDependable]:
    """Let the function stop one more experiment, with a policy of its own.

    Args:
        provider: The provider with the function.
        scope: The owner of the policy: the construct that needs the permission.
        construct_id: The id of the policy.
        access: The experiment, and what is read to end it.

    Returns:
        What the resource must depend on, so that the function works until the resource is deleted.
        The function and its log group are included through the others.
    """
    policy = provider._permissions.permit_experiment(  # noqa: SLF001
        scope, construct_id, access
    )
    return provider._ready, policy  # noqa: SLF001


def _log_group(
    scope: Construct, retention: logs.RetentionDays | None, removal_policy: RemovalPolicy | None
) -> logs.LogGroup:
    return logs.LogGroup(
        scope,
        "LogGroup",
        retention=retention or logs.RetentionDays.ONE_MONTH,
        removal_policy=removal_policy or RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
    )


def _role(scope: Construct) -> iam.Role:
    return iam.Role(
        scope,
        "Role",
        assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
        description=PURPOSE,
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
    """The provider that the stack's experiments share, if it exists."""
    child = Stack.of(scope).node.try_find_child(_DEFAULT_ID)
    return child if isinstance(child, StopInferenceExperimentProvider) else None


def make_default_provider(scope: Construct) -> StopInferenceExperimentProvider:
    """Create the provider that the stack's experiments share."""
    return StopInferenceExperimentProvider(Stack.of(scope), _DEFAULT_ID)
