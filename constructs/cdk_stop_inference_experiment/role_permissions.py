"""What a provider's role is permitted, by policies attached to it."""

from __future__ import annotations

from aws_cdk import Annotations, Stack
from aws_cdk import aws_iam as iam
from constructs import Construct, DependencyGroup, IDependable

from .permissions import (
    MAX_EXPERIMENTS,
    MAX_INLINE_CHARACTERS,
    ancestors_statement,
    experiment_policy_characters,
    experiment_statement,
    network_statement,
    polling_rules_arn,
    provider_statements,
)
from .review import NETWORK_INTERFACES, OWN_LOG_STREAMS, OWN_RULES, acknowledge_wildcards

IMMUTABLE_ROLE = "cdk-stop-inference-experiment:immutableRole"
"""The id to acknowledge the warning by."""

_IMMUTABLE_ROLE_WARNING = (
    "'role' takes no policies: it is imported with mutable=False, belongs to another account, or "
    "was made by without_policy_updates(). Nothing is attached to it, so it must hold every "
    "permission that the function needs, for each experiment, before the stack is deployed: see "
    "'Permissions' in the README"
)

_TRIED = "TriedOnRole"


class RolePermissions:
    """Attaches the policies of one provider to its role and counts what room is left.

    What it is given as ``scope`` is the provider.
    """

    def __init__(self, scope: Construct, role: iam.IRole, *, characters: int) -> None:
        self._scope = scope
        self._stack = Stack.of(scope)
        self._region = self._stack.region
        self._role = role
        self._experiments = 0
        self._characters = characters
        self._possible = _takes_policies(scope, role)
        if not self._possible:
            Annotations.of(scope).add_warning_v2(IMMUTABLE_ROLE, _IMMUTABLE_ROLE_WARNING)

    def permit_network(self) -> IDependable:
        """Let Lambda connect the function to a VPC; the function depends on it.

        Lambda refuses a function in a VPC whose role cannot make network interfaces.
        """
        policy = self._managed("Network", [network_statement()])
        if policy:
            acknowledge_wildcards(policy, ("*", NETWORK_INTERFACES))
        return policy or DependencyGroup()

    def permit_function(self, *, function_arn: str, log_group_arn: str) -> IDependable:
        """Let the function do what it does for every experiment."""
        rules_arn = polling_rules_arn(self._stack)
        policy = self._managed(
            "Permissions",
            [
                *provider_statements(
                    function_arn=function_arn, log_group_arn=log_group_arn, rules_arn=rules_arn
                ),
                *ancestors_statement(self._stack),
            ],
        )
        if policy:
            acknowledge_wildcards(policy, (rules_arn, OWN_RULES), (log_group_arn, OWN_LOG_STREAMS))
        return policy or DependencyGroup()

    def permit_experiment(self, scope: Construct, construct_id: str, name: str) -> IDependable:
        """Let the function stop one more experiment, by a policy in the scope."""
        if not self._possible:
            return DependencyGroup()
        self._experiments += 1
        self._characters += experiment_policy_characters(self._region, name)
        statements = [experiment_statement(self._stack, name)]
        return iam.Policy(scope, construct_id, roles=[self._role], statements=statements)

    def problem_with_another(self, experiment_name: str) -> str | None:
        """Why there is no room for one more experiment, None where there is."""
        more = experiment_policy_characters(self._region, experiment_name)
        if not self._possible or (
            self._experiments < MAX_EXPERIMENTS and self._characters + more <= MAX_INLINE_CHARACTERS
        ):
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

    def _managed(
        self, construct_id: str, statements: list[iam.PolicyStatement]
    ) -> iam.ManagedPolicy | None:
        if not self._possible:
            return None
        return iam.ManagedPolicy(
            self._scope, construct_id, roles=[self._role], statements=statements
        )


def _takes_policies(scope: Construct, role: iam.IRole) -> bool:
    """Whether policies can be attached to a role.

    CDK has no attribute that says so. A role that takes none ignores ``attach_inline_policy``, so
    an empty policy is tried, which reaches no template.
    """
    if isinstance(role, iam.Role):
        return True
    policy = iam.Policy(scope, _TRIED)
    role.attach_inline_policy(policy)
    element = policy.node.default_child
    roles = element.roles if isinstance(element, iam.CfnPolicy) else None
    taken = bool(Stack.of(scope).resolve(roles))
    scope.node.try_remove_child(_TRIED)
    return taken
