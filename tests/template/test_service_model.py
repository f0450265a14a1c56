"""The function's SageMaker model, and botocore's: the newest and the oldest that is supported."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest

from cdk_stop_inference_experiment_handler.runtime.aws import read_counts

from ..service_model import FILE, FOLDER, OPERATIONS, SINCE, botocores, pruned, written

Json = dict[str, Any]

OURS: Json = json.loads(FILE.read_text())


def _client(region: str, **settings: Any) -> Any:
    """A client of a session of its own."""
    from botocore.session import Session

    return Session().create_client(
        "sagemaker",
        region_name=region,
        aws_access_key_id="mine",
        aws_secret_access_key="mine",
        **settings,
    )


@pytest.fixture
def as_in_the_function(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAMBDA_TASK_ROOT", str(FOLDER.parent))
    monkeypatch.setenv("AWS_DATA_PATH", f"$LAMBDA_TASK_ROOT{os.sep}{FOLDER.name}")


def _meant(model: Json, name: str) -> Json:
    """What a shape says on the wire: its names, types and required members, without shape names.

    Members that are newer than the oldest botocore are left out.
    """
    shape = model["shapes"][name]
    required = sorted(shape.get("required", ()))
    meant: Json = {"type": shape["type"], "required": required, "min": shape.get("min") or 0}
    for member, of in shape.get("members", {}).items():
        if member in SINCE:
            continue
        meant[f".{member}"] = _meant(model, of["shape"])
    for part in ("member", "key", "value"):
        if part in shape:
            meant[part] = _meant(model, shape[part]["shape"])
    return meant


@pytest.mark.newest
def test_is_made_from_the_pinned_botocore() -> None:
    assert FILE.read_text() == written(pruned(botocores()))


@pytest.mark.parametrize("operation", OPERATIONS)
def test_says_the_same_as_this_environments_botocore(operation: str) -> None:
    theirs = pruned(botocores())
    ours = OURS["operations"][operation]
    assert ours == theirs["operations"][operation]
    for part in ("input", "output"):
        name = ours[part]["shape"]
        assert _meant(OURS, name) == _meant(theirs, name)
    assert theirs["metadata"].items() <= OURS["metadata"].items()


@pytest.mark.usefixtures("as_in_the_function")
@pytest.mark.parametrize("more", ["InstancePools", "CurrentServerlessConfig"])
def test_a_variant_without_one_instance_type_has_no_count(more: str) -> None:
    from botocore.parsers import create_parser

    pool = [{"InstanceType": "ml.m5.large", "CurrentInstanceCount": 2}]
    value = pool if more == "InstancePools" else {"MemorySizeInMB": 1024, "MaxConcurrency": 1}
    variants = [
        {"VariantName": "plain", "CurrentInstanceCount": 2},
        {"VariantName": "other", "CurrentInstanceCount": 2, more: value},
    ]
    shape = _client("eu-west-1").meta.service_model.operation_model("DescribeEndpoint").output_shape
    body = json.dumps({"ProductionVariants": variants}).encode()
    answer = create_parser("json").parse({"body": body, "headers": {}, "status_code": 200}, shape)
    assert read_counts(answer) == {"plain": 2}


@pytest.mark.usefixtures("as_in_the_function")
def test_is_what_the_functions_client_knows() -> None:
    assert _client("eu-west-1").meta.service_model.operation_names == list(OPERATIONS)


@pytest.mark.parametrize("region", ["eu-west-1", "us-gov-west-1", "cn-north-1", "eu-nowhere-9"])
@pytest.mark.parametrize("fips", [False, True])
def test_leaves_endpoints_and_signatures_to_botocores_own_rules(
    region: str, fips: bool, request: pytest.FixtureRequest
) -> None:
    from botocore.config import Config

    def told() -> tuple[str, str, str, str]:
        meta = _client(region, config=Config(use_fips_endpoint=fips)).meta
        signs = meta.service_model.signing_name, meta.config.signature_version
        return (meta.endpoint_url, meta.partition, *signs)

    theirs = told()
    request.getfixturevalue("as_in_the_function")
    assert told() == theirs


def test_a_runtime_without_the_folder_uses_botocores_model(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_DATA_PATH", "$LAMBDA_TASK_ROOT/not-there")
    assert "CreateEndpoint" in _client("eu-west-1").meta.service_model.operation_names
