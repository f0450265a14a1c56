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
    stack = Stack.of(construct)
    name_of_experiment = construct.experiment_name

    def check(templates: Templates) -> Iterator[str]:
        name = stack.resolve(element.logical_id)
        resource = templates.resources(stack)[name]
        _warn_if_retained(construct, resource)
        yield from _cycles(element, templates)
        for named in (element, experiment) if experiment else (element,):
            yield from _renamed(named, name_of_experiment, templates)

    check_at_the_end(construct, check)


def _renamed(element: CfnResource, name: str, templates: Templates) -> Iterator[str]:
    """Refuse another name than the one that the ids and the permissions were made for."""
    stack = Stack.of(element)
    resource = templates.resources(stack)[stack.resolve(element.logical_id)]
    found = resource.get("Properties", {}).get("Name")
    if known_text(name) is not None and found != name:
        yield (
            f"'{element.node.path}' has the name {found!r} in the template, but had '{name}' when "
            f"the construct that ends the experiment was created, whose permissions are for that "
            f"name: write the name as a prop, not as an override, before you create the construct"
        )


def _cycles(element: CfnResource, templates: Templates) -> Iterator[str]:
    """What the resource waits for that also waits for it, in its stack or in a parent of that."""
    within: CfnResource | None = element
    while within is not None:
        stack = Stack.of(within)
        resources = templates.resources(stack)
        name = stack.resolve(within.logical_id)
        if others := cycle_of(resources, name):
            named = " and ".join(f"'{path_of_element(stack, other)}'" for other in others)
            yield (
                f"'{within.node.path}' and {named} wait for each other, which "
                f"CloudFormation refuses: what the end of an experiment needs must not use "
                f"'experiment_arn' or another attribute of the construct that ends it: write the "
                f"experiment's or the endpoint's name"
            )
        within = stack.nested_stack_resource


def _warn_if_retained(construct: StopInferenceExperiment, resource: Mapping[str, Any]) -> None:
    policy = resource.get("DeletionPolicy")
    events = resource["Properties"].get("StopOn", DEFAULT_STOP_ON)
    if policy not in _KEEPS or (isinstance(events, list | tuple) and StopOn.DELETE not in events):
        return
    Annotations.of(construct).add_warning_v2(
        RETAINED,
        f"the resource has DeletionPolicy '{policy}', so CloudFormation never tells the function "
        f"that it is deleted, and 'cdk destroy' leaves the experiment running: exclude the type "
        f"'{resource['Type']}' from the removal policy, or leave StopOn.DELETE out of 'stop_on'",
    )


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
        properties = resources[name]["Properties"]
        if not in_vpc and properties.get("VpcConfig", {}).get("SubnetIds"):
            Annotations.of(provider or function).add_warning_v2(
                MOVED_INTO_VPC,
                f"'{function.node.path}' was moved into a VPC after it was created: its role may "
                f"not make network interfaces, so Lambda refuses the function, and synth cannot "
                f"tell whether it reaches AWS: pass vpc= to StopInferenceExperimentProvider",
            )
        for other, resource in resources.items():
            if other != own and _configures(resource, name, properties.get("FunctionName")):
                yield (
                    f"'{path_of_element(stack, other)}' is a second EventInvokeConfig of "
                    f"'{function.node.path}', of which Lambda has one: leave out "
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
        and properties.get("Qualifier", "$LATEST") == "$LATEST"
        and properties.get("FunctionName") in ({"Ref": function}, name)
    )
