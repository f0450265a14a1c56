"""The execution role of an experiment of the same app, which the stop still needs.

After StopInferenceExperiment, SageMaker updates the endpoint with that role. Without a dependency,
CloudFormation would delete the role's policies while the experiment is being stopped.
"""

from __future__ import annotations

import aws_cdk
import jsii
from aws_cdk import Aspects, CfnResource, Reference, Stack, Tokenization
from aws_cdk import aws_iam as iam
from constructs import IConstruct

from ..tokens import known_text


def keep_execution_role(
    resource: aws_cdk.CustomResource, experiment: aws_cdk.aws_sagemaker.CfnInferenceExperiment
) -> None:
    """Keep the experiment's role and its policies until the resource is deleted."""
    role = _role(experiment.role_arn)
    if role is not None:
        resource.node.add_dependency(role)
    name = experiment.role_arn.rpartition("/")[2]
    if role is not None or known_text(experiment.role_arn):
        Aspects.of(resource).add(_KeepPolicies(resource, role, name))


def _role(role_arn: str) -> iam.CfnRole | None:
    """The role of the app that an ARN refers to, if any."""
    token = Tokenization.reverse(role_arn, fail_concat=False)
    if not Reference.is_reference(token):
        return None
    target = getattr(token, "target", None)
    return target if isinstance(target, iam.CfnRole) else None


@jsii.implements(aws_cdk.IAspect)
class _KeepPolicies:
    """Finds the policies that are attached to the role, at the end of synth."""

    def __init__(
        self, resource: aws_cdk.CustomResource, role: iam.CfnRole | None, name: str
    ) -> None:
        self._resource = resource
        self._role = role
        self._name = name

    def visit(self, node: IConstruct) -> None:
        """Make the resource depend on them; the aspect also visits the resource's children."""
        if node.node.path != self._resource.node.path:
            return
        for stack in {Stack.of(self._resource), *([Stack.of(self._role)] if self._role else [])}:
            for construct in stack.node.find_all():
                if self._is_attached(construct):
                    self._resource.node.add_dependency(construct)

    def _is_attached(self, policy: IConstruct) -> bool:
        if isinstance(policy, (iam.CfnPolicy, iam.CfnManagedPolicy)):
            return self._names(policy, policy.roles)
        return isinstance(policy, iam.CfnRolePolicy) and self._names(policy, [policy.role_name])

    def _names(self, policy: CfnResource, roles: list[str] | None) -> bool:
        stack = Stack.of(policy)
        wanted = stack.resolve(self._role.ref) if self._role else self._name
        return wanted in (stack.resolve(roles) or [])
