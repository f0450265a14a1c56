"""The custom resource and its attributes."""

from __future__ import annotations

import aws_cdk as cdk
import jsii
import pytest

from cdk_stop_inference_experiment import InstanceType, ModelVariantConfig, StopOn
from cdk_stop_inference_experiment_handler.contract import wire
from cdk_stop_inference_experiment_handler.contract.declaration import Declaration, parse
from loopback.delivery import as_delivered

from .stacks import RESOURCE_TYPE, Json, declare, new_stack, only, shadow_test, synthesised


def _properties(stack: cdk.Stack) -> Json:
    properties: Json = dict(only(synthesised(stack), RESOURCE_TYPE)[1]["Properties"])
    del properties["ServiceToken"]
    return properties


def test_the_properties_are_the_members_of_the_api(template: Json) -> None:
    _, resource = only(template, RESOURCE_TYPE)
    del resource["Properties"]["ServiceToken"]
    assert resource["Properties"] == {
        "Name": "fraud-shadow",
        "ModelVariantActions": {"production": "Remove", "shadow": "Promote"},
        "DesiredModelVariants": [
            {
                "ModelName": "fraud-v2",
                "VariantName": "shadow",
                "InfrastructureConfig": {
                    "InfrastructureType": "RealTimeInference",
                    "RealTimeInferenceConfig": {
                        "InstanceType": "ml.m5.xlarge",
                        "InstanceCount": 2,
                    },
                },
            }
        ],
        "DesiredState": "Completed",
        "Reason": "v2 wins: p99 41 ms against 55 ms",
        "EndNow": "false",
    }


def test_what_is_not_declared_is_left_to_default() -> None:
    stack = new_stack()
    declare(stack)
    assert _properties(stack) == {
        "Name": "fraud-shadow",
        "ModelVariantActions": {"production": "Retain", "shadow": "Remove"},
        "EndNow": "false",
    }


@pytest.mark.parametrize(
    ("stop_on", "expected"),
    [
        ([StopOn.UPDATE, StopOn.DELETE], None),
        ([StopOn.DELETE, StopOn.UPDATE, StopOn.DELETE], None),
        ([StopOn.DELETE], ["Delete"]),
        ([StopOn.DELETE, StopOn.CREATE], ["Create", "Delete"]),
        ({StopOn.UPDATE}, ["Update"]),
    ],
)
def test_stop_on_is_written_once_in_one_order_and_not_at_all_where_it_is_the_default(
    stop_on: list[StopOn], expected: list[str] | None
) -> None:
    stack = new_stack()
    declare(stack, stop_on=stop_on)
    assert _properties(stack).get("StopOn") == expected


@pytest.mark.parametrize(("end_now", "written"), [(True, "true"), (False, "false")])
def test_end_now_is_always_written_as_text_so_that_a_diff_shows_both_values(
    end_now: bool, written: str
) -> None:
    stack = new_stack()
    declare(stack, end_now=end_now)
    assert _properties(stack)["EndNow"] == written


def test_end_now_may_be_a_token() -> None:
    stack = new_stack()
    declare(stack, end_now=cdk.CfnParameter(stack, "Now").value_as_string)
    assert _properties(stack)["EndNow"] == {"Ref": "Now"}


def test_an_experiment_of_the_same_stack_is_deleted_after_the_stop() -> None:
    stack = new_stack()
    declare(stack, experiment=shadow_test(stack))
    _, resource = only(synthesised(stack), RESOURCE_TYPE)
    assert resource["Properties"]["Name"] == "fraud-shadow"
    assert "ShadowTest" in resource["DependsOn"]


def test_an_empty_reason_is_none() -> None:
    stack = new_stack()
    declare(stack, reason="")
    assert "Reason" not in _properties(stack)


def test_the_stack_of_another_experiment_is_deployed_first() -> None:
    app = cdk.App()
    owner, user = cdk.Stack(app, "Owner"), cdk.Stack(app, "User")
    declare(user, experiment=shadow_test(owner))
    synthesised(user)
    assert [stack.stack_name for stack in user.dependencies] == ["Owner"]


def test_tokens_reach_the_template_in_every_place() -> None:
    stack = new_stack()
    text = cdk.CfnParameter(stack, "Text").value_as_string
    number = cdk.CfnParameter(stack, "Number", type="Number").value_as_number
    declare(
        stack,
        experiment_name=f"{text}-shadow",
        model_variant_actions={"production": text, cdk.Lazy.string(_Text("shadow")): text},
        desired_model_variants=[
            ModelVariantConfig(
                model_name=text, variant_name=text, instance_type=text, instance_count=number
            )
        ],
        desired_state=text,
        reason=f"{text}\n",
    )
    properties = _properties(stack)
    assert properties["Name"] == {"Fn::Join": ["", [{"Ref": "Text"}, "-shadow"]]}
    assert properties["ModelVariantActions"] == {
        "production": {"Ref": "Text"},
        "shadow": {"Ref": "Text"},
    }
    infrastructure = properties["DesiredModelVariants"][0]["InfrastructureConfig"]
    assert infrastructure["RealTimeInferenceConfig"] == {
        "InstanceType": {"Ref": "Text"},
        "InstanceCount": {"Ref": "Number"},
    }


def test_stop_on_may_be_a_list_token() -> None:
    stack = new_stack()
    events = cdk.CfnParameter(stack, "Events", type="CommaDelimitedList").value_as_list
    declare(stack, stop_on=events)
    assert _properties(stack)["StopOn"] == {"Ref": "Events"}


def test_an_instance_type_newer_than_the_release_passes_by_name() -> None:
    stack = new_stack()
    config = ModelVariantConfig(
        model_name="m",
        variant_name="production",
        instance_type=InstanceType.of("ml.new9.large"),
        instance_count=0,
    )
    declare(stack, desired_model_variants=[config])
    variant = _properties(stack)["DesiredModelVariants"][0]
    config_of = variant["InfrastructureConfig"]["RealTimeInferenceConfig"]
    assert config_of == {"InstanceType": "ml.new9.large", "InstanceCount": 0}


ATTRIBUTES = {
    "status": "Status",
    "status_reason": "StatusReason",
    "scheduled_end": "ScheduledEnd",
    "endpoint_name": "EndpointName",
    "endpoint_config_name": "EndpointConfigName",
    "variant_statuses": "VariantStatuses",
    "evidence": "Evidence",
    "stopped_by_this_resource": "StoppedByThisResource",
    "stop_request": "StopRequest",
}


def test_the_attributes_are_those_of_the_resource() -> None:
    stack = new_stack()
    experiment = declare(stack)
    name, _ = only(synthesised(stack), RESOURCE_TYPE)
    assert experiment.experiment_name == "fraud-shadow"
    assert stack.resolve(experiment.experiment_arn) == {"Ref": name}
    for attribute, spelled in ATTRIBUTES.items():
        value = stack.resolve(getattr(experiment, attribute))
        assert value == {"Fn::GetAtt": [name, spelled]}


def test_there_is_a_property_for_every_attribute_that_the_function_answers_with() -> None:
    assert set(wire.ATTRIBUTES) == {"InferenceExperimentArn", *ATTRIBUTES.values()}


def test_the_handler_reads_what_the_construct_writes(template: Json) -> None:
    _, resource = only(template, RESOURCE_TYPE)
    declared = parse(as_delivered(resource["Properties"]))
    assert isinstance(declared, Declaration), declared
    assert declared.end.promotes
    assert declared.reason == "v2 wins: p99 41 ms against 55 ms"
    assert declared.stop_on == {"Update", "Delete"}


@jsii.implements(cdk.IStableStringProducer)
class _Text:
    def __init__(self, text: str) -> None:
        self._text = text

    def produce(self) -> str:
        return self._text
