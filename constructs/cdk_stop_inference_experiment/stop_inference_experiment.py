"""The construct: how an inference experiment is to end, and which events of the stack end it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from weakref import WeakKeyDictionary

import aws_cdk
from aws_cdk import Annotations, CfnResource, CustomResource, Duration, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from cdk_stop_inference_experiment_handler.contract import wire
from cdk_stop_inference_experiment_handler.contract.validation import shown

from .checks import evidence_elsewhere, find_problems, find_warnings
from .enums import DesiredState, ModelVariantAction, StopOn
from .errors import InvalidPropsError, path_of
from .evidence import Evidence
from .experiment import is_experiment, name_of, other_environment, resource_of
from .final_checks import check_experiment_at_the_end
from .model_variant import ModelVariantConfig
from .outcome import Outcome
from .provider import (
    StopInferenceExperimentProvider,
    capacity_problem,
    find_default_provider,
    make_default_provider,
    permit,
)
from .template.execution_role import keep_execution_role
from .template.permissions import Access, alarms_to_describe, endpoint_to_count
from .template.properties import resource_properties
from .template.timeout import service_timeout, timeout_problems
from .tokens import is_unresolved, known_text

_MAX_LOGICAL_ID = 56
"""Longer ids are shortened; they are part of the public contract."""

_HASH = 8
"""Characters of the hash of the construct's path that CDK puts at the end of a logical id."""


class StopInferenceExperiment(Construct):
    """Ends a SageMaker inference experiment, as declared, when its stack is updated or deleted.

    Creating the resource checks the declaration against the experiment and changes nothing.
    Changing the outcome, the actions, the desired variants or the desired state ends the experiment
    now, as newly declared; so does setting ``end_now``. Deleting the resource ends the experiment
    as declared, if it has not ended yet. A rollback never ends an experiment that remains after it.
    The deployment waits until the experiment has ended and its endpoint has settled, up to 55
    minutes.

    See https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_StopInferenceExperiment.html
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        experiment_name: str | None = None,
        experiment: aws_cdk.aws_sagemaker.CfnInferenceExperiment
        | aws_cdk.interfaces.aws_sagemaker.IInferenceExperimentRef
        | None = None,
        outcome: Outcome | None = None,
        model_variant_actions: Mapping[str, ModelVariantAction] | None = None,
        desired_model_variants: Sequence[ModelVariantConfig] | None = None,
        desired_state: DesiredState | None = None,
        reason: str | None = None,
        stop_on: Sequence[StopOn] | None = None,
        end_now: bool = False,
        promote_if: Evidence | None = None,
        otherwise: Outcome | None = None,
        timeout: Duration | None = None,
        provider: StopInferenceExperimentProvider | None = None,
    ) -> None:
        """Declare how an experiment is to end.

        Args:
            scope: The stack, or a construct in it.
            construct_id: The id in the scope. Another id makes another resource, which stops
                nothing unless ``stop_on`` has CREATE.
            experiment_name: An experiment that this app does not create: 1 to 120 letters, digits
                and inner hyphens. Exactly one of this and ``experiment`` is required.
            experiment: An experiment of this app, or anything that refers to one, in the same
                account and region. What creates it is created before this resource and deleted
                after it, so that a teardown stops it first.
            outcome: How the experiment is to end, without naming its variants: see
                ``Outcome``. Exactly one of this and ``model_variant_actions`` is required.
                Default: ``model_variant_actions`` says it.
            model_variant_actions: What happens to each variant, by the variant's name: 1 to 2
                entries. At most one PROMOTE, for the shadow variant only; not REMOVE for every
                variant. Default: ``outcome`` says it.
            desired_model_variants: The variants to deploy after the experiment: 1 to 2, each with
                an action other than REMOVE; only together with ``model_variant_actions``.
                Default: SageMaker keeps the variants that remain.
            desired_state: Whether the experiment ends as COMPLETED or CANCELLED.
                Default: SageMaker decides.
            reason: Recorded by SageMaker: one line of at most 1,024 characters, of which 1,013
                reach SageMaker, since the function adds a digest of the declaration. Changing only
                the reason does not end the experiment.
                Default: names the stack and the resource; the same for an empty one.
            stop_on: The events that end the experiment, at least one.
                Default: ``[StopOn.UPDATE, StopOn.DELETE]``.
            end_now: A change from False to True ends the experiment with this update, whatever
                ``stop_on`` says. If it stays True, it has no further effect. Creating a resource
                with it fails if the experiment has not ended, and leaves the experiment unchanged.
            promote_if: What CloudWatch must have measured for the promotion: see ``Evidence``.
                Only with a promotion. Without it, an update or a creation fails and stops
                nothing, and a deletion ends the experiment by ``otherwise``. A change of
                ``promote_if`` or ``otherwise`` alone ends nothing.
                Default: a promotion needs no evidence.
            otherwise: How a deletion ends the experiment if the evidence does not allow the
                promotion: ``Outcome.keep_production()`` or ``Outcome.keep_both()``, only with
                ``promote_if``. Default: ``Outcome.keep_production()``.
            timeout: How long to wait for the experiment's end before the deployment fails: 1 to 55
                minutes, known at synth. Default: 55 minutes.
            provider: The provider of the function, in the same stack.
                Default: one that all experiments of the stack share.

        Raises:
            InvalidPropsError: With every problem of the props. The function checks the values of
                tokens when the stack is deployed.
            MissingCodeError: The function's code is not installed as source files, or crhelper is
                not the release that this library needs.
        """
        name = name_of(experiment) if is_experiment(experiment) else experiment_name
        properties = resource_properties(
            name=name,
            outcome=outcome,
            model_variant_actions=model_variant_actions,
            desired_model_variants=desired_model_variants,
            desired_state=desired_state,
            reason=reason,
            stop_on=stop_on,
            end_now=end_now,
            promote_if=promote_if,
            otherwise=otherwise,
        )
        problems = find_problems(
            properties,
            experiment_name=experiment_name,
            experiment=experiment,
            outcome=outcome,
            desired_model_variants=desired_model_variants,
            promote_if=promote_if,
        )
        problems += timeout_problems(timeout)
        problems += other_environment(experiment, scope)
        if is_unresolved(name) and not isinstance(name, str):
            problems.append(
                f"'experiment_name' must be a string, got {shown(name)}: write Token.as_string(...)"
            )
        problems += evidence_elsewhere(promote_if, scope)
        existing = find_default_provider(scope) if provider is None else provider
        valid_evidence = None if problems else promote_if
        access = Access(
            name if isinstance(name, str) else "",
            endpoint_to_count(properties, experiment),
            needs_evidence=valid_evidence is not None,
            alarms=alarms_to_describe(valid_evidence),
        )
        problems += _provider_problems(scope, provider) or _capacity_problems(existing, access)
        if problems or name is None:
            path = path_of(scope, construct_id)
            raise InvalidPropsError(type(self).__name__, path, problems)

        super().__init__(scope, construct_id)
        self._experiment_name = name
        element = resource_of(experiment)
        self._known_endpoint = element.endpoint_name if element else None
        self._provider = existing or make_default_provider(self)
        self._custom_resource = self._resource(
            properties, access, service_timeout(timeout), element
        )
        if experiment is not None:
            self._custom_resource.node.add_dependency(experiment)
        if element is not None:
            keep_execution_role(self._custom_resource, element)
        also_ended_by = _earlier_construct(self, name)
        for warning_id, warning in find_warnings(
            properties, experiment=experiment, also_ended_by=also_ended_by
        ):
            Annotations.of(self).add_warning_v2(warning_id, warning)

    def _resource(
        self,
        properties: Mapping[str, object],
        access: Access,
        service_timeout: int | None,
        experiment: aws_cdk.aws_sagemaker.CfnInferenceExperiment | None,
    ) -> CustomResource:
        # The ids contain the experiment's name: another name creates a new policy and a new
        # resource, and CloudFormation deletes the old resource before the old policy.
        suffix = f"-{known}" if (known := known_text(self._experiment_name)) else ""
        needed = permit(self._provider, self, f"Permissions{suffix}", access)
        resource = CustomResource(
            self,
            f"Experiment{suffix}",
            properties=properties,
            resource_type=wire.RESOURCE_TYPE,
            service_token=self._provider.service_token,
        )
        resource.node.add_dependency(*needed)
        element = resource.node.default_child
        if isinstance(element, CfnResource):
            _keep_logical_id_short(element)
            check_experiment_at_the_end(self, element, experiment)
            if service_timeout is not None:
                # In the oldest supported aws-cdk-lib, CustomResource has no prop for it; the newest
                # warns if it is among the properties.
                element.add_property_override("ServiceTimeout", service_timeout)
        return resource

    @property
    def experiment_name(self) -> str:
        """The experiment's name."""
        return self._experiment_name

    @property
    def experiment_arn(self) -> str:
        """The experiment's ARN, known after the resource is created."""
        return self._custom_resource.ref

    @property
    def status(self) -> str:
        """The experiment's status when the resource was last created or updated.

        One of Creating, Created, Starting, Running, Updating, Stopping, Completed and Cancelled.
        """
        return self._attribute(wire.STATUS)

    @property
    def status_reason(self) -> str:
        """Why the experiment has that status: the reason of the stop, or an error."""
        return self._attribute(wire.STATUS_REASON)

    @property
    def scheduled_end(self) -> str:
        """When the experiment ends by itself, in ISO 8601; empty if SageMaker does not say.

        That is 7 days after its start if its schedule has no end, and 30 days at most. The endpoint
        then goes back to what it was before, and the shadow variant can no longer be promoted. See
        https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateInferenceExperiment.html
        """
        return self._attribute(wire.SCHEDULED_END)

    @property
    def endpoint_name(self) -> str:
        """The endpoint the experiment runs on."""
        return self._attribute(wire.ENDPOINT_NAME)

    @property
    def endpoint_config_name(self) -> str:
        """The endpoint's configuration: after a promotion, one that SageMaker created."""
        return self._attribute(wire.ENDPOINT_CONFIG_NAME)

    @property
    def variant_statuses(self) -> str:
        """The status of each variant: a JSON object of names and statuses.

        A status is one of Creating, Updating, InService, Deleting and Deleted.
        """
        return self._attribute(wire.VARIANT_STATUSES)

    @property
    def evidence(self) -> str:
        """The measurements before the promotion, as a JSON object; empty if there are none.

        It has ``verdict``, the window (``from`` and ``to``), ``invocations``, and ``comparisons``,
        each with the values of production and the shadow, the bound and the verdict.
        """
        return self._attribute(wire.EVIDENCE)

    @property
    def stopped_by_this_resource(self) -> str:
        """Whether this resource ended the experiment: ``true`` or ``false``."""
        return self._attribute(wire.STOPPED_BY_THIS_RESOURCE)

    @property
    def stop_request(self) -> str:
        """The request of StopInferenceExperiment that was sent, as JSON.

        Empty if the last create or update of the resource sent none. ``Reason`` is left out if the
        attributes would not fit into the 4,096 bytes of a response otherwise. See
        https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref-responses.html
        """
        return self._attribute(wire.STOP_REQUEST)

    def _attribute(self, name: str) -> str:
        return self._custom_resource.get_att_string(name)

    def metric_invocations(
        self, variant_name: str, *, period: Duration | None = None, statistic: str = "Sum"
    ) -> cloudwatch.Metric:
        """The requests to a variant; a shadow gets its share of production's. Unit: none.

        See https://docs.aws.amazon.com/sagemaker/latest/dg/monitoring-cloudwatch.html

        Args:
            variant_name: Production or the shadow, as the experiment names it.
            period: The length of a data point. Default: 5 minutes.
            statistic: The statistic, such as Sum, Average or p99. Default: Sum.
        """
        return self._metric("Invocations", variant_name, period, statistic)

    def metric_model_latency(
        self, variant_name: str, *, period: Duration | None = None, statistic: str = "Average"
    ) -> cloudwatch.Metric:
        """How long a variant's model takes to answer. Unit: microseconds.

        See https://docs.aws.amazon.com/sagemaker/latest/dg/monitoring-cloudwatch.html

        Args:
            variant_name: Production or the shadow, as the experiment names it.
            period: The length of a data point. Default: 5 minutes.
            statistic: The statistic, such as Sum, Average or p99. Default: Average.
        """
        return self._metric("ModelLatency", variant_name, period, statistic)

    def metric_overhead_latency(
        self, variant_name: str, *, period: Duration | None = None, statistic: str = "Average"
    ) -> cloudwatch.Metric:
        """How long SageMaker takes in addition to the model. Unit: microseconds.

        See https://docs.aws.amazon.com/sagemaker/latest/dg/monitoring-cloudwatch.html

        Args:
            variant_name: Production or the shadow, as the experiment names it.
            period: The length of a data point. Default: 5 minutes.
            statistic: The statistic, such as Sum, Average or p99. Default: Average.
        """
        return self._metric("OverheadLatency", variant_name, period, statistic)

    def metric_invocation_4xx_errors(
        self, variant_name: str, *, period: Duration | None = None, statistic: str = "Sum"
    ) -> cloudwatch.Metric:
        """The requests that a variant answered with a 4xx status. Unit: none.

        See https://docs.aws.amazon.com/sagemaker/latest/dg/monitoring-cloudwatch.html

        Args:
            variant_name: Production or the shadow, as the experiment names it.
            period: The length of a data point. Default: 5 minutes.
            statistic: The statistic, such as Sum, Average or p99. Default: Sum.
        """
        return self._metric("Invocation4XXErrors", variant_name, period, statistic)

    def metric_invocation_5xx_errors(
        self, variant_name: str, *, period: Duration | None = None, statistic: str = "Sum"
    ) -> cloudwatch.Metric:
        """The requests that a variant answered with a 5xx status. Unit: none.

        See https://docs.aws.amazon.com/sagemaker/latest/dg/monitoring-cloudwatch.html

        Args:
            variant_name: Production or the shadow, as the experiment names it.
            period: The length of a data point. Default: 5 minutes.
            statistic: The statistic, such as Sum, Average or p99. Default: Sum.
        """
        return self._metric("Invocation5XXErrors", variant_name, period, statistic)

    def metric_invocation_model_errors(
        self, variant_name: str, *, period: Duration | None = None, statistic: str = "Sum"
    ) -> cloudwatch.Metric:
        """The requests that a variant's model did not answer with a 2xx status. Unit: none.

        See https://docs.aws.amazon.com/sagemaker/latest/dg/monitoring-cloudwatch.html

        Args:
            variant_name: Production or the shadow, as the experiment names it.
            period: The length of a data point. Default: 5 minutes.
            statistic: The statistic, such as Sum, Average or p99. Default: Sum.
        """
        return self._metric("InvocationModelErrors", variant_name, period, statistic)

    def _metric(
        self, metric_name: str, variant_name: str, period: Duration | None, statistic: str
    ) -> cloudwatch.Metric:
        """A metric of the endpoint's variant; CDK's period is 5 minutes."""
        return cloudwatch.Metric(
            namespace="AWS/SageMaker",
            metric_name=metric_name,
            dimensions_map={
                "EndpointName": self._known_endpoint or self.endpoint_name,
                "VariantName": variant_name,
            },
            period=period,
            statistic=statistic,
        )

    @property
    def custom_resource(self) -> CustomResource:
        """The resource in the template, of type ``Custom::StopInferenceExperiment``."""
        return self._custom_resource

    @property
    def provider(self) -> StopInferenceExperimentProvider:
        """The provider of the function that stops the experiment."""
        return self._provider


_constructs: WeakKeyDictionary[Stack, dict[str, str]] = WeakKeyDictionary()
"""By stack and experiment name: the path of the construct that ends the experiment."""


def _earlier_construct(construct: StopInferenceExperiment, name: str) -> str | None:
    """The path of an earlier construct of the stack for the same experiment, if there is one."""
    by_name = _constructs.setdefault(Stack.of(construct), {})
    first = by_name.setdefault(name.lower(), construct.node.path)
    return None if first == construct.node.path else first


def _provider_problems(scope: Construct, provider: object) -> list[str]:
    """Why the construct cannot use the given provider."""
    if provider is None:
        return []
    if not isinstance(provider, StopInferenceExperimentProvider):
        return [f"'provider' must be a StopInferenceExperimentProvider, got {shown(provider)}"]
    stack, other = Stack.of(scope).node.path, Stack.of(provider).node.path
    if stack != other:
        return [f"'provider' must be in the construct's own stack '{stack}', got one in '{other}'"]
    return []


def _capacity_problems(
    provider: StopInferenceExperimentProvider | None, access: Access
) -> list[str]:
    problem = capacity_problem(provider, access) if provider else None
    return [problem] if problem else []


def _keep_logical_id_short(element: CfnResource) -> None:
    """Shorten a long id, always in the same way: another id would replace the resource."""
    logical_id = Stack.of(element).get_logical_id(element)
    if len(logical_id) > _MAX_LOGICAL_ID:
        element.override_logical_id(logical_id[: _MAX_LOGICAL_ID - _HASH] + logical_id[-_HASH:])
