"""What can be done with a test and its endpoint while the test runs."""

from __future__ import annotations

from typing import Any

import pytest

from .model import NAME, ApiFailure, Model

Json = dict[str, Any]
KEEP = {"production": "Retain", "shadow": "Remove"}


@pytest.fixture
def model() -> Model:
    """SageMaker with a running test."""
    return Model().running()


def shadow_mode(percentage: int, source: str = "production", shadow: str = "shadow") -> Json:
    """A ShadowModeConfig."""
    shadows = [{"ShadowModelVariantName": shadow, "SamplingPercentage": percentage}]
    return {"SourceModelVariantName": source, "ShadowModelVariants": shadows}


def counts(model: Model) -> dict[str, tuple[int, int]]:
    """The current and desired instances of the endpoint's variants."""
    endpoint = model.call("DescribeEndpoint", EndpointName="fraud")
    return {
        item["VariantName"]: (item["CurrentInstanceCount"], item["DesiredInstanceCount"])
        for kind in ("ProductionVariants", "ShadowProductionVariants")
        for item in endpoint.get(kind, [])
    }


def scale(model: Model, variant: str, count: int) -> None:
    """Change a variant's number of instances."""
    wanted = [{"VariantName": variant, "DesiredInstanceCount": count, "DesiredWeight": 2}]
    model.call(
        "UpdateEndpointWeightsAndCapacities",
        EndpointName="fraud",
        DesiredWeightsAndCapacities=wanted,
    )


def test_its_description_end_and_sampling_can_be_changed(model: Model) -> None:
    model.call(
        "UpdateInferenceExperiment",
        Name=NAME,
        Description="longer",
        Schedule={"EndTime": model.now + 1000},
        ShadowModeConfig=shadow_mode(80),
    )
    model.now += 10
    found = model.experiment()
    assert (found["Status"], found["Description"]) == ("Running", "longer")
    assert found["ShadowModeConfig"] == shadow_mode(80)


def test_arns_can_be_reported_in_lower_case() -> None:
    model = Model(lower_case_arns=True)
    model.create(Name="Fraud-Shadow")
    found = model.call("DescribeInferenceExperiment", Name="Fraud-Shadow")
    assert found["Arn"].endswith(":inference-experiment/fraud-shadow")
    assert found["Name"] == "Fraud-Shadow"
    model.call("AddTags", ResourceArn=found["Arn"], Tags=[{"Key": "team", "Value": "a"}])
    assert model.call("ListTags", ResourceArn=found["Arn"])["Tags"]


def test_a_variants_instances_change_in_a_while(model: Model) -> None:
    scale(model, "production", 3)
    assert counts(model)["production"] == (1, 3)
    assert model.call("DescribeEndpoint", EndpointName="fraud")["EndpointStatus"] == "Updating"
    with pytest.raises(ApiFailure, match="Cannot update in-progress endpoint"):
        scale(model, "shadow", 2)
    model.now += 10
    assert counts(model) == {"production": (3, 3), "shadow": (1, 1)}
    endpoint = model.call("DescribeEndpoint", EndpointName="fraud")
    assert endpoint["ProductionVariants"][0]["DesiredWeight"] == 2
    # The test's own configuration does not change.
    instances = model.experiment()["ModelVariants"][0]["InfrastructureConfig"]
    assert instances["RealTimeInferenceConfig"]["InstanceCount"] == 1


@pytest.mark.parametrize("code", ["accepted", "ConflictException", "ValidationException"])
def test_a_stop_while_the_instances_change_is_accepted_or_refused(code: str) -> None:
    model = Model(stop_during_endpoint_update=code).running()
    scale(model, "production", 3)
    if code == "accepted":
        model.stop(KEEP)
        return
    with pytest.raises(ApiFailure, match=code):
        model.stop(KEEP)
    model.now += 10
    model.stop(KEEP)
