"""A stack of an older release, deployed with the current one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cdk_stop_inference_experiment import ModelVariantAction
from local_aws.shadow_test import create_shadow_test
from local_aws.synthesis import synthesise

from .history import History
from .synthesis import stop_shadow_test

RECORD = Path(__file__).parents[1] / "compatibility" / "0.2.0" / "resources.json"


def test_history_19_an_upgrade_from_the_recorded_template_stops_nothing(
    history: History,
) -> None:
    create_shadow_test(history.sagemaker, "least")
    today = synthesise(
        lambda stack: stop_shadow_test(
            stack,
            "Least",
            experiment_name="least",
            model_variant_actions={"shadow": ModelVariantAction.REMOVE},
        )
    )
    assert history.deploy(today.changed(as_recorded)) == "CREATE_COMPLETE"
    assert history.deploy(today.changed(in_other_words)) == "UPDATE_COMPLETE"
    assert history.deploy(today) == "UPDATE_COMPLETE"
    assert history.experiment("least")["Status"] == "Running"
    assert not history.stops()
    history.end(stops=1)


def as_recorded(body: dict[str, Any]) -> None:
    """The stack of the recorded release, except for its function's code, which is not recorded."""
    recorded = json.loads(RECORD.read_text())
    for name, resource in body["Resources"].items():
        if name in recorded:
            of_the_code = ("Code", "Handler")
            code = {k: v for k, v in resource["Properties"].items() if k in of_the_code}
            properties = {**recorded[name]["Properties"], **code}
            body["Resources"][name] = {**recorded[name], "Properties": properties}
            if code:
                properties["Description"] = "the recorded release"


def in_other_words(body: dict[str, Any]) -> None:
    """Deploy the same declaration with other properties, and with other code."""
    for resource in body["Resources"].values():
        if resource["Type"] == "Custom::StopInferenceExperiment":
            resource["Properties"]["StopOn"] = ["Delete", "Update"]
        if resource["Type"] == "AWS::Lambda::Function":
            resource["Properties"]["Description"] = "another release"
