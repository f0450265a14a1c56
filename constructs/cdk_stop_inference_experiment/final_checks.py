"""What synth refuses or warns about in the finished template: see ``template.final_checks``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import aws_cdk
from aws_cdk import Annotations, CfnResource, Stack
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from cdk_stop_inference_experiment_handler.contract.declaration import DEFAULT_STOP_ON, StopOn

from .template.final_checks import Templates, check_at_the_end, cycle_of, path_of_element
from .tokens import known_text

if TYPE_CHECKING:
    from .stop_inference_experiment import StopInferenceExperiment

RETAINED = "cdk-stop-inference-experiment:retained"
MOVED_INTO_VPC = "cdk-stop-inference-experiment:movedIntoVpc"
"""The ids for acknowledging the warnings."""

_KEEPS = ("Retain", "RetainExceptOnCreate")


def check_experiment_at_the_end(
    construct: StopInferenceExperiment,
    element: CfnResource,
    experiment: aws_cdk.aws_sagemaker.CfnInferenceExperiment | None,
) -> None:
    """Check the resource of a construct in the finished template.

    Args:
        construct: The construct.
        element: Its resource.
        experiment: The resource of the experiment that the construct was given.
    """
    name_of_experiment = construct.experiment_name

    def check(templates: Templates) -> Iterator[str]:
        if not templates.has(element):
            return
        _warn_if_retained(construct, element, templates)
        yield from _cycles(element, templates)
        for named in (element, experiment):
            if named is not None and templates.has(named):
                yield from _renamed(named, name_of_experiment, templates)

    check_at_the_end(construct, check)


def _renamed(element: CfnResource, name: str, templates: Templates) -> Iterator[str]:
    """Refuse a name that is not the one that the ids and the permissions were made for."""
    actual = templates.resource(element).get("Properties", {}).get("Name")
    if known_text(name) is not None and actual != name:
        yield (
            f"'{element.node.path}' has the name {actual!r} in the template, but had '{name}' when "
            f"the construct that ends the experiment was created, and the permissions are for that "
            f"name: set the name as a prop, not as an override, before you create the construct"
        )


def _with_enclosing_stacks(element: CfnResource) -> Iterator[CfnResource]:
    """A resource, the nested stack that it is in, the stack that this one is in, and so on."""
    resource: CfnResource | None = element
    while resource is not None:
        yield resource
        resource = Stack.of(resource).nested_stack_resource


def _cycles(element: CfnResource, templates: Templates) -> Iterator[str]:
    """What waits for the resource and is waited for by it, in its stack or in a parent stack."""
    for waiting in _with_enclosing_stacks(element):
        stack = Stack.of(waiting)
        if others := cycle_of(templates.resources(stack), stack.resolve(waiting.logical_id)):
            named = " and ".join(f"'{path_of_element(stack, other)}'" for other in others)
            yield (
                f"'{waiting.node.path}' and {named} wait for each other, which CloudFormation "
                f"refuses: what is needed to end an experiment must not use 'experiment_arn' or "
                f"another attribute of the construct that ends it: use the experiment's or the "
                f"endpoint's name"
            )


def _warn_if_retained(
    construct: StopInferenceExperiment, element: CfnResource, templates: Templates
) -> None:
    """Warn of a resource that CloudFormation keeps, so that the function never gets its Delete."""
    events = templates.resource(element)["Properties"].get("StopOn", DEFAULT_STOP_ON)
    if isinstance(events, list | tuple) and StopOn.DELETE not in events:
        return
    for kept in _with_enclosing_stacks(element):
        resource = templates.resource(kept)
        policy = resource.get("DeletionPolicy")
        if policy not in _KEEPS:
            continue
        Annotations.of(construct).add_warning_v2(
            RETAINED,
            f"'{kept.node.path}' has DeletionPolicy '{policy}', so CloudFormation never tells "
            f"the function that the resource is deleted, and 'cdk destroy' leaves the experiment "
            f"running: exclude the type '{resource['Type']}' from the removal policy, or leave "
            f"StopOn.DELETE out of 'stop_on'",
        )
        return


def check_function_at_the_end(
    function: lambda_.Function, invocation: lambda_.EventInvokeConfig, *, in_vpc: bool
) -> None:
    """Check a provider's function in the finished template.

    Args:
        function: The function.
        invocation: Its only EventInvokeConfig.
        in_vpc: The provider was given a VPC.
    """
    stack = Stack.of(function)
    provider = function.node.scope

    def check(templates: Templates) -> Iterator[str]:
        resources = templates.resources(stack)
        name, own = (_logical_id(stack, construct) for construct in (function, invocation))
        if name not in resources:
            return
        properties = resources[name]["Properties"]
        if not in_vpc and properties.get("VpcConfig", {}).get("SubnetIds"):
            Annotations.of(provider or function).add_warning_v2(
                MOVED_INTO_VPC,
                f"'{function.node.path}' was moved into a VPC after it was created: its role may "
                f"not create network interfaces, so Lambda refuses the function, and synth cannot "
                f"tell whether it can reach AWS: pass vpc= to StopInferenceExperimentProvider",
            )
        for other, resource in resources.items():
            if other != own and _configures(resource, name, properties.get("FunctionName")):
                yield (
                    f"'{path_of_element(stack, other)}' is a second EventInvokeConfig of "
                    f"'{function.node.path}', and Lambda allows one: leave out "
                    f"configure_async_invoke(); for failed requests, pass dead_letter_queue= to "
                    f"StopInferenceExperimentProvider"
                )

    check_at_the_end(function, check)


def _logical_id(stack: Stack, construct: Construct) -> str:
    element = construct.node.default_child
    return str(stack.resolve(element.logical_id)) if isinstance(element, CfnResource) else ""


def _configures(resource: Mapping[str, Any], function: str, name: object) -> bool:
    """Whether a resource says how asynchronous requests of a function are handled."""
    properties = resource.get("Properties", {})
    return (
        resource["Type"] == "AWS::Lambda::EventInvokeConfig"
        and properties.get("Qualifier") == "$LATEST"
        and properties.get("FunctionName") in ({"Ref": function}, name)
    )
