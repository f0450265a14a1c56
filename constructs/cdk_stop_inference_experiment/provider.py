"""The Lambda function behind the resources of one stack."""

from __future__ import annotations

from aws_cdk import Duration, RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct, DependencyGroup, IDependable

from .handler_code import HANDLER, handler_code
from .permissions import (
    MAX_EXPERIMENTS,
    MAX_INLINE_CHARACTERS,
    experiment_policy_characters,
    experiment_statement,
    polling_rule_prefix,
    polling_rules_arn,
    provider_statements,
)
from .review import acknowledge_rule_wildcard

# CloudFormation refuses another ServiceToken for an existing resource, so this id and those of the
# constructs below it are part of the public contract.
_DEFAULT_ID = "Custom::StopInferenceExperimentProvider"

# By its name, so that every supported release of aws-cdk-lib knows it.
_RUNTIME = "python3.14"

# The longest a function can wait inside an invocation before it hands over to the polling rule.
_TIMEOUT_MINUTES = 15

# Enough for boto3 to start quickly; the function waits far more than it computes.
_MEMORY_MIB = 256


class StopInferenceExperimentProvider(Construct):
    """The Lambda function that stops the inference experiments of a stack, with all it needs.

    A stack has one, made with its first ``StopInferenceExperiment`` and shared by all of them.
    Make another one by hand, and pass it as ``provider=``, only for more experiments than one
    role's permissions hold: 40, or fewer where their names are long.
    """

    def __init__(self, scope: Construct, construct_id: str) -> None:
        super().__init__(scope, construct_id)
        self._characters = 0
        self._experiments = 0
        rules_arn = polling_rules_arn(Stack.of(self))
        self._log_group = logs.LogGroup(
            self,
            "LogGroup",
            retention=logs.RetentionDays.ONE_MONTH,
            removal_policy=RemovalPolicy.DESTROY,
        )
        self._role = iam.Role(
            self,
            "Role",
            assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
            description="Stops SageMaker inference experiments for CloudFormation",
        )
        self._function = lambda_.Function(
            self,
            "Handler",
            code=handler_code(),
            description="Stops SageMaker inference experiments for CloudFormation",
            environment={"POLLING_RULE_PREFIX": polling_rule_prefix()},
            handler=HANDLER,
            log_group=self._log_group,
            logging_format=lambda_.LoggingFormat.JSON,
            memory_size=_MEMORY_MIB,
            role=self._role,
            runtime=lambda_.Runtime(_RUNTIME, lambda_.RuntimeFamily.PYTHON),
            timeout=Duration.minutes(_TIMEOUT_MINUTES),
        )
        invocation = lambda_.EventInvokeConfig(
            self,
            "Invocation",
            function=self._function,
            # CloudFormation waits an hour for an answer.
            max_event_age=Duration.hours(1),
            retry_attempts=2,
        )
        permissions = iam.ManagedPolicy(
            self,
            "Permissions",
            roles=[self._role],
            statements=provider_statements(
                function_arn=self._function.function_arn,
                log_group_arn=self._log_group.log_group_arn,
                rules_arn=rules_arn,
            ),
        )
        acknowledge_rule_wildcard(permissions, rules_arn)
        self._ready = DependencyGroup(invocation, permissions)

    @property
    def service_token(self) -> str:
        """What CloudFormation calls: the function's ARN."""
        return self._function.function_arn

    @property
    def function(self) -> lambda_.Function:
        """The function."""
        return self._function

    @property
    def role(self) -> iam.Role:
        """The function's role."""
        return self._role

    @property
    def log_group(self) -> logs.LogGroup:
        """Where the function logs; kept for a month, deleted with the stack."""
        return self._log_group

    @property
    def ready(self) -> IDependable:
        """What a resource depends on to be answered, and to be answered still when it is deleted.

        The function and its log group are in it by way of the others.
        """
        return self._ready

    def problem_with_another(self, experiment_name: str) -> str | None:
        """Why the role's permissions have no room for one more experiment, None where they have."""
        stack = Stack.of(self)
        characters = self._characters + experiment_policy_characters(stack, experiment_name)
        if self._experiments < MAX_EXPERIMENTS and characters <= MAX_INLINE_CHARACTERS:
            return None
        limit = (
            f"at most {MAX_EXPERIMENTS} experiments"
            if self._experiments >= MAX_EXPERIMENTS
            else f"{MAX_INLINE_CHARACTERS} characters of permissions, which long names use up"
        )
        return (
            f"'provider' can serve {limit}, and it serves {self._experiments} already: pass "
            f"another one, such as provider=StopInferenceExperimentProvider(self, 'Provider2')"
        )

    def permit(self, scope: Construct, construct_id: str, experiment_name: str) -> iam.Policy:
        """Let the function stop one more experiment, by a policy of its own.

        Args:
            scope: Where the policy belongs: what needs the permission should also own it.
            construct_id: The id of the policy.
            experiment_name: The experiment's name, which may be a token.
        """
        stack = Stack.of(self)
        self._experiments += 1
        self._characters += experiment_policy_characters(stack, experiment_name)
        return iam.Policy(
            scope,
            construct_id,
            roles=[self._role],
            statements=[experiment_statement(stack, experiment_name)],
        )


def find_default_provider(scope: Construct) -> StopInferenceExperimentProvider | None:
    """The provider that the stack's experiments share, if it has been made."""
    found = Stack.of(scope).node.try_find_child(_DEFAULT_ID)
    return found if isinstance(found, StopInferenceExperimentProvider) else None


def default_provider(scope: Construct) -> StopInferenceExperimentProvider:
    """The provider that the stack's experiments share, made on first use."""
    return find_default_provider(scope) or StopInferenceExperimentProvider(
        Stack.of(scope), _DEFAULT_ID
    )
