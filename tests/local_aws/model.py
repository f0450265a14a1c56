"""A SageMaker of its own, without a server and on a clock that a test turns."""

from __future__ import annotations

import json
from typing import Any

from local_aws.emulator.sagemaker import SageMaker, Scope
from local_aws.settings import Settings
from local_aws.shadow_test import model_variant

SCOPE = Scope("us-east-1", "000000000000")
ROLE = "arn:aws:iam::000000000000:role/shadow-test"
NAME = "fraud-shadow"


class ApiFailure(Exception):
    """What SageMaker answered instead of a result."""

    def __init__(self, answer: dict[str, Any]) -> None:
        self.code = answer["__type"]
        self.message = answer.get("message") or answer.get("Message", "")
        super().__init__(f"{self.code}: {self.message}")


class Model:
    """SageMaker with a clock that stands still until it is turned."""

    def __init__(self, **settings: object) -> None:
        self.now = 1_000_000.0
        self.service = SageMaker(Settings().changed(settings), clock=lambda: self.now)

    def call(self, operation: str, /, **request: object) -> dict[str, Any]:
        """Call an operation; raise ApiFailure if it is refused."""
        answer = self.service.call(operation, json.dumps(request).encode(), SCOPE)
        body: dict[str, Any] = json.loads(answer.body or b"{}")
        if answer.status != 200:
            raise ApiFailure(body)
        return body

    def create(self, **changes: object) -> None:
        """Make an endpoint in service and a shadow test on it."""
        for name in ("fraud-v1", "fraud-v2"):
            self.call("CreateModel", ModelName=name)
        variant = {
            "VariantName": "production",
            "ModelName": "fraud-v1",
            "InstanceType": "ml.m5.large",
            "InitialInstanceCount": 1,
        }
        self.call("CreateEndpointConfig", EndpointConfigName="fraud", ProductionVariants=[variant])
        self.call("CreateEndpoint", EndpointName="fraud", EndpointConfigName="fraud")
        self.now += 10
        shadows = [{"ShadowModelVariantName": "shadow", "SamplingPercentage": 50}]
        request = {
            "Name": NAME,
            "Type": "ShadowMode",
            "RoleArn": ROLE,
            "EndpointName": "fraud",
            "ModelVariants": [
                model_variant("production", "fraud-v1"),
                model_variant("shadow", "fraud-v2"),
            ],
            "ShadowModeConfig": {
                "SourceModelVariantName": "production",
                "ShadowModelVariants": shadows,
            },
        }
        self.call("CreateInferenceExperiment", **{**request, **changes})

    def running(self) -> Model:
        """Make a shadow test and let it run."""
        self.create()
        self.now += 10
        assert self.experiment()["Status"] == "Running"
        return self

    def experiment(self) -> dict[str, Any]:
        """Describe the shadow test."""
        return self.call("DescribeInferenceExperiment", Name=NAME)

    def stop(self, actions: dict[str, str], **more: object) -> dict[str, Any]:
        """Stop the shadow test."""
        return self.call("StopInferenceExperiment", Name=NAME, ModelVariantActions=actions, **more)

    def served(self) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
        """Return the endpoint's production and shadow variants: name, model, type and count."""
        endpoint = self.call("DescribeEndpoint", EndpointName="fraud")
        config = self.call(
            "DescribeEndpointConfig", EndpointConfigName=endpoint["EndpointConfigName"]
        )
        kinds = ("ProductionVariants", "ShadowProductionVariants")
        production, shadow = (
            [
                (
                    item["VariantName"],
                    item["ModelName"],
                    item["InstanceType"],
                    item["InitialInstanceCount"],
                )
                for item in config.get(kind, [])
            ]
            for kind in kinds
        )
        summaries = [item["VariantName"] for item in endpoint["ProductionVariants"]]
        assert summaries == [item[0] for item in production]
        return production, shadow
