"""The permissions of the provider's role, each limited to named resources.

The inline policies of one role may have 10,240 characters together. They are used for the
experiments, one policy each, so that a removed experiment's permissions stay until its resource is
deleted. The function's own permissions are in a managed policy of the stack.

See https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html

That EventBridge may invoke the function is not one of them: it is in the function's own policy.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import aws_cdk
from aws_cdk import Annotations, Aws, Fn, ScopedAws, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk.region_info import RegionInfo
from constructs import Construct, DependencyGroup, IConstruct, IDependable

from cdk_stop_inference_experiment_handler.contract.declaration import (
    Action,
    InstancesOf,
    OutcomeKind,
)
from cdk_stop_inference_experiment_handler.contract.wire import RULE_PREFIX

from ..evidence import Evidence
from ..experiment import resource_of
from ..tokens import is_unresolved, known_text
from .cdk_nag import (
    ENDPOINTS,
    MEASUREMENTS,
    NETWORK_INTERFACES,
    OWN_LOG_STREAMS,
    OWN_RULES,
    acknowledge_wildcards,
)

MAX_EXPERIMENTS = 40
MAX_INLINE_CHARACTERS = 10_240
"""At most 40 experiments on one provider, or fewer if the inline policies of its role would have
more than 10,240 characters; each experiment adds a policy. Several providers may share a role."""

MEASURE_ACTION = "cloudwatch:GetMetricData"
ALARMS_ACTION = "cloudwatch:DescribeAlarms"
COUNT_ACTION = "sagemaker:DescribeEndpoint"
EXPERIMENT_ACTIONS = ("sagemaker:DescribeInferenceExperiment", "sagemaker:StopInferenceExperiment")
"""The permissions that the function's role gets for each experiment, on its ARN alone."""

NETWORK_ACTIONS = (
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:UnassignPrivateIpAddresses",
)

GRANT_CHARACTERS = 200
"""An upper estimate of the statement that lets the role use a key or a queue."""

IMMUTABLE_ROLE = "cdk-stop-inference-experiment:immutableRole"
"""The id for acknowledging the warning."""

_IMMUTABLE_ROLE_WARNING = (
    "'role' accepts no policies: it is imported with mutable=False, belongs to another account, or "
    "was created by without_policy_updates(). It must have every permission that the function "
    "needs, for each experiment, before the stack is deployed: see docs/reference/permissions.md"
)

_TRIAL_POLICY_ID = "TriedOnRole"


def polling_rule_prefix() -> str:
    """The prefix of the stack's polling rules, which no other stack's rules have."""
    return Fn.join("", [RULE_PREFIX, Fn.select(2, Fn.split("/", Aws.STACK_ID)), "-"])


def polling_rules_arn(stack: Stack) -> str:
    """The ARN of the stack's polling rules, with a wildcard after the prefix."""
    name = f"{polling_rule_prefix()}*"
    return stack.format_arn(service="events", resource="rule", resource_name=name)


def permit_rules(scope: Construct, function: lambda_.Function) -> IDependable:
    """Let the stack's polling rules invoke the function: all rules whose names have the prefix.

    No ``source_account``: others report that rules then invoke nothing, without an error
    (awsdocs/aws-cloudformation-user-guide pull request 481). The ARN has the account, the region
    and the stack's id.

    A statement for each rule would fill the function's policy at forty stops, and need a call
    before and after each. "Lambda configures the comparison using the StringLike operator":
    https://docs.aws.amazon.com/lambda/latest/api/API_AddPermission.html#lambda-AddPermission-request-SourceArn
    """
    return lambda_.CfnPermission(
        scope,
        "PollingRules",
        action="lambda:InvokeFunction",
        function_name=function.function_arn,
        principal="events.amazonaws.com",
        source_arn=polling_rules_arn(Stack.of(scope)),
    )


def _ancestor_ids(stack: Stack) -> list[str]:
    """The ids of the stacks that a nested stack is nested in, from its parent to the root.

    Each is the pseudo parameter of that stack, which CDK passes down as a parameter.
    ``Stack.stack_id`` of a nested stack would be the Ref of its resource, which depends on the
    parameters: a cycle.
    """
    ids = []
    while parent := stack.nested_stack_parent:
        ids.append(ScopedAws(parent).stack_id)
        stack = parent
    return ids


def _provider_statements(
    stack: Stack, *, function_arn: str, log_group_arn: str, rules_arn: str
) -> list[iam.PolicyStatement]:
    """The function's own permissions: its log, the state of its stack, its polling rules."""
    statements = [
        iam.PolicyStatement(
            sid="Log",
            # No logs:CreateLogGroup: the log group is the stack's. Its ARN ends in ":*".
            actions=["logs:CreateLogStream", "logs:PutLogEvents"],
            resources=[log_group_arn],
        ),
        iam.PolicyStatement(
            sid="ReadOwnStack",
            actions=[
                "cloudformation:DescribeStackEvents",
                "cloudformation:DescribeStacks",
                "cloudformation:ListStackResources",
            ],
            resources=[Aws.STACK_ID],
        ),
        iam.PolicyStatement(
            sid="PollByRule",
            actions=[
                "events:DeleteRule",
                "events:ListTargetsByRule",
                "events:PutRule",
                "events:RemoveTargets",
            ],
            resources=[rules_arn],
        ),
        iam.PolicyStatement(
            sid="PollThisFunctionOnly",
            actions=["events:PutTargets"],
            resources=[rules_arn],
            # PutTargets says what a rule invokes: this function and no other one. events:TargetArn
            # has an ARN per target. ForAllValues is also true for a request without the key; Null
            # excludes that.
            conditions={
                "ForAllValues:ArnEquals": {"events:TargetArn": function_arn},
                "Null": {"events:TargetArn": "false"},
            },
        ),
    ]
    if ancestors := _ancestor_ids(stack):
        statements.append(
            iam.PolicyStatement(
                sid="ReadParentStacks",
                actions=["cloudformation:DescribeStackEvents", "cloudformation:DescribeStacks"],
                resources=ancestors,
            )
        )
    return statements


def _network_statement() -> iam.PolicyStatement:
    """What Lambda needs to connect the function to a VPC.

    See https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html
    """
    return iam.PolicyStatement(
        sid="ConnectToVpc",
        actions=list(NETWORK_ACTIONS),
        # EC2 chooses the names of the interfaces, which do not exist yet; the two Describe actions
        # do not support resources.
        resources=["*"],
    )


@dataclass(frozen=True)
class Access:
    """What the function needs in order to end one experiment.

    Attributes:
        experiment_name: The experiment; it may be a token.
        endpoint_name: The endpoint whose instances are counted, ``*`` if synth does not know it;
            empty if none are counted.
        needs_evidence: Its promotion does.
        alarms: The ARNs of the alarms that the evidence includes, ``*`` for all.
    """

    experiment_name: str
    endpoint_name: str = ""
    needs_evidence: bool = False
    alarms: tuple[str, ...] = ()

    def statements(self, stack: Stack) -> list[iam.PolicyStatement]:
        """The statements of its policy."""
        return [
            iam.PolicyStatement(
                actions=list(actions),
                resources=[
                    stack.format_arn(service="sagemaker", resource=kind, resource_name=name)
                    for name in names
                ],
            )
            for actions, kind, names in self._granted()
        ] + [
            iam.PolicyStatement(actions=[action], resources=list(resources))
            for action, resources in self._measured()
        ]

    def characters(self, region: str) -> int:
        """The minimum size of its policy.

        If the region is only known at deployment, the longest one of the commercial partition and
        the longest name of a partition count; if the name is, an empty one.
        """
        prefix = _arn_prefix("sagemaker", region)
        statements = [
            {
                "Action": _one_or_list(list(actions)),
                "Effect": "Allow",
                "Resource": _one_or_list(
                    [f"{prefix}:{kind}/{known_text(name) or ''}" for name in names]
                ),
            }
            for actions, kind, names in self._granted()
        ]
        for action, resources in self._measured():
            # An estimate for an alarm whose name CloudFormation chooses.
            sample = f"{_arn_prefix('cloudwatch', region)}:alarm:{'a' * 100}"
            arns = [arn if known_text(arn) else sample for arn in resources]
            statements.append({"Action": action, "Effect": "Allow", "Resource": _one_or_list(arns)})
        policy = {"Statement": statements, "Version": "2012-10-17"}
        return len(json.dumps(policy, separators=(",", ":")))

    def _granted(self) -> Iterator[tuple[Sequence[str], str, list[str]]]:
        yield EXPERIMENT_ACTIONS, "inference-experiment", _spellings(self.experiment_name)
        if self.endpoint_name:
            yield (COUNT_ACTION,), "endpoint", _spellings(self.endpoint_name)

    def _measured(self) -> Iterator[tuple[str, Sequence[str]]]:
        if self.needs_evidence:
            yield MEASURE_ACTION, ["*"]
        if self.alarms:
            yield ALARMS_ACTION, self.alarms


def _arn_prefix(service: str, region: str) -> str:
    """The start of an ARN, as long as it is at deployment or longer."""
    known = known_text(region)
    partition = RegionInfo.get(known).partition if known else None
    return f"arn:{partition or 'aws-us-gov'}:{service}:{known or 'ap-southeast-1'}:123456789012"


def alarms_to_describe(evidence: object) -> tuple[str, ...]:
    """The ARNs of the alarms that evidence includes; ``*`` for all if one is composite."""
    if not isinstance(evidence, Evidence):
        return ()
    alarms = evidence.alarms or ()
    if any(isinstance(alarm, aws_cdk.aws_cloudwatch.CompositeAlarm) for alarm in alarms):
        return ("*",)
    return tuple(dict.fromkeys(alarm.alarm_arn for alarm in alarms))


def endpoint_to_count(properties: Mapping[str, object], experiment: object) -> str:
    """The endpoint whose instances a promotion takes over, or is compared with.

    Returns:
        ``*`` if synth does not know it; empty if nothing is promoted, or on instances that the
        experiment has: the shadow's, or those that SageMaker chooses.
    """
    outcome, actions = properties.get("Outcome"), properties.get("ModelVariantActions")
    promotes = outcome == OutcomeKind.PROMOTE_SHADOW or is_unresolved(outcome)
    promotes = promotes and properties.get("Instances") != InstancesOf.SHADOW
    if properties.get("DesiredModelVariants") is not None:
        named = actions.values() if isinstance(actions, Mapping) else [actions]
        promotes = any(action == Action.PROMOTE or is_unresolved(action) for action in named)
    if not promotes:
        return ""
    resource = resource_of(experiment)
    return (known_text(resource.endpoint_name) if resource else None) or "*"


def _one_or_list(values: list[str]) -> str | list[str]:
    return values if len(values) > 1 else values[0]


def _spellings(name: str) -> list[str]:
    """The name, and the name in lower case if that differs.

    SageMaker writes names in lower case into the ARNs of some of its resources, and IAM compares
    resources case-sensitively. AWS does not document which spelling it uses for experiments.
    """
    return [name] if known_text(name) is None else list(dict.fromkeys([name, name.lower()]))


@dataclass
class _Used:
    """What the inline policies of a role have, of all providers that it was given to.

    Attributes:
        experiments: How many experiments' policies.
        characters: How many characters.
    """

    experiments: int = 0
    characters: int = 0


_used: WeakKeyDictionary[IConstruct, dict[str, _Used]] = WeakKeyDictionary()
"""By app, and by role: its ARN, or the path of one whose ARN is a token."""


def _used_of(role: iam.IRole) -> _Used:
    roles = _used.setdefault(role.node.root, {})
    return roles.setdefault(known_text(role.role_arn) or role.node.path, _Used())


class RolePermissions:
    """Attaches the policies of one provider to its role, and counts how much room is left.

    ``scope`` is the provider.
    """

    def __init__(self, scope: Construct, role: iam.IRole, *, characters: int) -> None:
        self._scope = scope
        self._stack = Stack.of(scope)
        self._region = self._stack.region
        self._role = role
        self._is_from_elsewhere = not isinstance(role, iam.Role) or (
            Stack.of(role).node.path != self._stack.node.path
        )
        self._experiments = 0
        self._needs_evidence = False
        self._used = _used_of(role)
        self._used.characters += characters
        self._role_takes_policies = _takes_policies(scope, role)
        if not self._role_takes_policies:
            Annotations.of(scope).add_warning_v2(IMMUTABLE_ROLE, _IMMUTABLE_ROLE_WARNING)

    @property
    def needs_evidence(self) -> bool:
        """Whether the promotion of an experiment does, so that the function reads CloudWatch."""
        return self._needs_evidence

    def permit_network(self) -> IDependable:
        """Let Lambda connect the function to a VPC; the function must depend on this.

        Lambda refuses a function in a VPC whose role cannot create network interfaces.
        """
        policy = self._managed("Network", [_network_statement()])
        if policy:
            acknowledge_wildcards(policy, ("*", NETWORK_INTERFACES))
        return policy or DependencyGroup()

    def permit_function(self, *, function_arn: str, log_group_arn: str) -> IDependable:
        """Give the function its own permissions."""
        rules_arn = polling_rules_arn(self._stack)
        policy = self._managed(
            "Permissions",
            _provider_statements(
                self._stack,
                function_arn=function_arn,
                log_group_arn=log_group_arn,
                rules_arn=rules_arn,
            ),
        )
        if policy:
            acknowledge_wildcards(policy, (rules_arn, OWN_RULES), (log_group_arn, OWN_LOG_STREAMS))
        return policy or DependencyGroup()

    def permit_experiment(self, scope: Construct, construct_id: str, access: Access) -> IDependable:
        """Let the function stop one more experiment, with a policy in the scope."""
        self._needs_evidence = self._needs_evidence or access.needs_evidence
        if not self._role_takes_policies:
            return DependencyGroup()
        self._experiments += 1
        self._used.experiments += 1
        self._used.characters += access.characters(self._region)
        statements = access.statements(self._stack)
        # The statements come first, and the role attaches the policy: iam.Role.customize_roles()
        # reports the statements of that moment, and keeps the policy out of the template.
        policy = iam.Policy(scope, construct_id, statements=statements)
        self._role.attach_inline_policy(policy)
        if self._is_from_elsewhere:
            _name_by_stack(policy)
        wildcards = [("*", MEASUREMENTS)] if access.needs_evidence else []
        if access.endpoint_name == "*":
            wildcards += [(arn, ENDPOINTS) for arn in statements[1].resources]
        if wildcards:
            acknowledge_wildcards(policy, *wildcards)
        return policy

    def capacity_problem(self, access: Access) -> str | None:
        """Why there is no room for one more experiment; None if there is."""
        if not self._role_takes_policies:
            return None
        another = (
            "pass another one, such as provider=StopInferenceExperimentProvider(self, 'Provider2')"
        )
        if self._experiments >= MAX_EXPERIMENTS:
            return f"'provider' can serve at most {MAX_EXPERIMENTS} experiments: {another}"
        if self._used.characters + access.characters(self._region) <= MAX_INLINE_CHARACTERS:
            return None
        return (
            f"'provider' can serve experiments with {MAX_INLINE_CHARACTERS} characters of "
            f"permissions in its role, which already has those of {self._used.experiments} "
            f"experiments: {another}, which has a role of its own"
        )

    def _managed(
        self, construct_id: str, statements: list[iam.PolicyStatement]
    ) -> iam.ManagedPolicy | None:
        if not self._role_takes_policies:
            return None
        return iam.ManagedPolicy(
            self._scope, construct_id, roles=[self._role], statements=statements
        )


def _name_by_stack(policy: iam.Policy) -> None:
    """Give an inline policy a name that no other stack's policy has.

    CDK names it by its logical id. On a role that is used by several stacks, of several regions
    even, one stack would write over the policy of another, and delete it:
    https://github.com/aws/aws-cdk/issues/22478
    """
    element = policy.node.default_child
    if isinstance(element, iam.CfnPolicy):
        named = Stack.of(policy).get_logical_id(element)[-_MAX_NAME_BEFORE_STACK:]
        element.policy_name = Fn.join("-", [named, Fn.select(2, Fn.split("/", Aws.STACK_ID))])


_MAX_NAME_BEFORE_STACK = 128 - len("-12345678-1234-1234-1234-123456789012")
"""Characters of a policy's name, which has at most 128, before the last part of the stack's id."""


def _takes_policies(scope: Construct, role: iam.IRole) -> bool:
    """Whether policies can be attached to a role.

    CDK has no attribute for it. A role that accepts none ignores ``attach_inline_policy``, so this
    tries an empty policy, which is not part of the template.
    """
    if isinstance(role, iam.Role):
        return True
    policy = iam.Policy(scope, _TRIAL_POLICY_ID)
    role.attach_inline_policy(policy)
    element = policy.node.default_child
    roles = element.roles if isinstance(element, iam.CfnPolicy) else None
    taken = bool(Stack.of(scope).resolve(roles))
    scope.node.try_remove_child(_TRIAL_POLICY_ID)
    return taken
