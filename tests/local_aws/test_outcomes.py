"""What the endpoint serves after each pair of actions, and which pairs are refused."""

from __future__ import annotations

from typing import Any

import pytest

from local_aws.shadow_test import model_variant

from .model import ApiFailure, Model

PRODUCTION = ("production", "fraud-v1", "ml.m5.large", 1)
SHADOW = ("shadow", "fraud-v2", "ml.m5.large", 1)
BIGGER_SHADOW = ("shadow", "fraud-v2", "ml.m5.xlarge", 2)
BIGGER = [model_variant("shadow", "fraud-v2", "ml.m5.xlarge", 2)]


@pytest.fixture
def model() -> Model:
    return Model(stop_seconds=60).running()


@pytest.mark.parametrize(
    ("production", "shadow", "desired", "serves", "shadows"),
    [
        ("Remove", "Promote", BIGGER, [BIGGER_SHADOW], []),
        ("Remove", "Promote", None, [SHADOW], []),
        ("Retain", "Remove", [model_variant("production", "fraud-v1")], [PRODUCTION], []),
        ("Retain", "Remove", None, [PRODUCTION], []),
        ("Retain", "Retain", None, [PRODUCTION], [SHADOW]),
        ("Retain", "Retain", BIGGER, [PRODUCTION], [BIGGER_SHADOW]),
        ("Retain", "Promote", None, [SHADOW], []),
    ],
)
def test_serves_what_the_actions_leave(
    model: Model,
    *,
    production: str,
    shadow: str,
    desired: list[dict[str, Any]] | None,
    serves: list[Any],
    shadows: list[Any],
) -> None:
    more = {} if desired is None else {"DesiredModelVariants": desired}
    model.stop({"production": production, "shadow": shadow}, **more)
    assert model.served() == ([PRODUCTION], [SHADOW])
    model.now += 60
    assert model.served() == (serves, shadows)


def test_shows_which_variants_are_deleted(model: Model) -> None:
    model.stop({"production": "Remove", "shadow": "Promote"}, DesiredModelVariants=BIGGER)
    found = {item["VariantName"]: item["Status"] for item in model.experiment()["ModelVariants"]}
    assert found == {"production": "Deleting", "shadow": "Updating"}
    model.now += 60
    found = {item["VariantName"]: item["Status"] for item in model.experiment()["ModelVariants"]}
    assert found == {"production": "Deleted", "shadow": "InService"}


@pytest.mark.parametrize(
    ("actions", "desired", "said"),
    [
        ({"production": "Remove", "shadow": "Remove"}, None, "production variant must remain"),
        ({"production": "Remove", "shadow": "Retain"}, None, "production variant must remain"),
        ({"production": "Promote", "shadow": "Remove"}, None, "cannot be promoted"),
        ({"production": "Retain", "challenger": "Remove"}, None, "challenger"),
        ({"production": "Retain", "shadow": "Remove"}, BIGGER, "which are removed"),
        (
            {"production": "Remove", "shadow": "Promote"},
            [model_variant("shadow", "fraud-v3")],
            "Could not find model",
        ),
    ],
)
def test_refuses_what_no_endpoint_can_serve_and_stays_running(
    model: Model, actions: dict[str, str], desired: list[dict[str, Any]] | None, said: str
) -> None:
    more = {} if desired is None else {"DesiredModelVariants": desired}
    with pytest.raises(ApiFailure, match=f"ValidationException: .*{said}"):
        model.stop(actions, **more)
    assert model.experiment()["Status"] == "Running"


def test_ends_on_order_as_cancelled_and_deploys_nothing(model: Model) -> None:
    model.stop({"production": "Remove", "shadow": "Promote"})
    model.service.end_experiment("fraud-shadow", "Cancelled", "Internal error")
    experiment = model.experiment()
    assert (experiment["Status"], experiment["StatusReason"]) == ("Cancelled", "Internal error")
    model.now += 100
    assert model.experiment()["Status"] == "Cancelled"
    assert model.served() == ([PRODUCTION], [SHADOW])


def test_an_update_that_fails_leaves_the_endpoint_in_service_with_a_reason(model: Model) -> None:
    model.service.fail_endpoint_update("fraud", "InService", "no capacity")
    model.stop({"production": "Remove", "shadow": "Promote"})
    assert "FailureReason" not in model.experiment()["EndpointMetadata"]
    model.now += 60
    experiment = model.experiment()
    metadata = experiment["EndpointMetadata"]
    assert (metadata["EndpointStatus"], metadata["FailureReason"]) == ("InService", "no capacity")
    assert {item["Status"] for item in experiment["ModelVariants"]} == {"InService"}
    assert model.served() == ([PRODUCTION], [SHADOW])


def test_an_update_that_succeeds_clears_the_reason_and_the_counts(model: Model) -> None:
    model.service.end_endpoint_in("fraud", "InService", "no capacity")
    model.service.scale_variant("fraud", "production", 10, 12)
    (served,) = model.call("DescribeEndpoint", EndpointName="fraud")["ProductionVariants"]
    assert (served["CurrentInstanceCount"], served["DesiredInstanceCount"]) == (10, 12)
    model.call("UpdateEndpoint", EndpointName="fraud", EndpointConfigName="fraud")
    assert model.experiment()["EndpointMetadata"]["EndpointStatus"] == "Updating"
    model.now += 10
    answer = model.call("DescribeEndpoint", EndpointName="fraud")
    (served,) = answer["ProductionVariants"]
    assert (served["CurrentInstanceCount"], served["DesiredInstanceCount"]) == (1, 1)
    assert "FailureReason" not in answer
    assert answer["EndpointConfigName"] == "fraud"
    assert "ShadowProductionVariants" not in answer
