"""What can be done with a test and its endpoint while the test runs."""

from __future__ import annotations

from typing import Any

import pytest

from local_aws.shadow_test import model_variant

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


@pytest.mark.parametrize(
    "change",
    [
        {"ModelVariants": [model_variant("shadow", "fraud-v1")]},
        {"DataStorageConfig": {"Destination": "s3://bucket/prefix"}},
        {"ShadowModeConfig": shadow_mode(50, source="shadow", shadow="production")},
        {"ShadowModeConfig": shadow_mode(50, shadow="other")},
    ],
)
def test_its_variants_and_its_data_storage_cannot(model: Model, change: Json) -> None:
    with pytest.raises(ApiFailure, match="ValidationException"):
        model.call("UpdateInferenceExperiment", Name=NAME, **change)


def test_inf1_is_refused() -> None:
    variant = model_variant("shadow", "fraud-v2")
    instances = variant["InfrastructureConfig"]["RealTimeInferenceConfig"]
    instances["InstanceType"] = "ml.inf1.xlarge"
    with pytest.raises(ApiFailure, match=r"ValidationException: .*ml\.inf1\.xlarge"):
        Model().create(ModelVariants=[model_variant("production", "fraud-v1"), variant])


def test_endpoint_names_differ_in_more_than_their_case(model: Model) -> None:
    config = model.call("DescribeEndpoint", EndpointName="fraud")["EndpointConfigName"]
    with pytest.raises(ApiFailure, match="already existing endpoint"):
        model.call("CreateEndpoint", EndpointName="FRAUD", EndpointConfigName=config)


def test_arns_can_be_reported_in_lower_case() -> None:
    model = Model(lower_case_arns=True)
    model.create(Name="Fraud-Shadow")
    found = model.call("DescribeInferenceExperiment", Name="Fraud-Shadow")
    assert found["Arn"].endswith(":inference-experiment/fraud-shadow")
    assert found["Name"] == "Fraud-Shadow"
    model.call("AddTags", ResourceArn=found["Arn"], Tags=[{"Key": "team", "Value": "a"}])
    assert model.call("ListTags", ResourceArn=found["Arn"])["Tags"]


def test_a_deleted_resource_has_no_tags(model: Model) -> None:
    arn = model.call("CreateModel", ModelName="other", Tags=[{"Key": "team", "Value": "a"}])
    model.call("DeleteModel", ModelName="other")
    with pytest.raises(ApiFailure, match="Could not find resource"):
        model.call("ListTags", ResourceArn=arn["ModelArn"])


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


def test_only_a_variant_that_the_endpoint_serves_can_be_scaled(model: Model) -> None:
    with pytest.raises(ApiFailure, match="do not exist"):
        scale(model, "other", 2)


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
