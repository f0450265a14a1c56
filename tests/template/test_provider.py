"""The function behind the resources, and what it may do."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

from aws_cdk import aws_iam as iam

from cdk_stop_inference_experiment import StopInferenceExperimentProvider
from cdk_stop_inference_experiment.handler_code import code_archive

from .stacks import (
    RESOURCE_TYPE,
    Json,
    declare,
    dependencies,
    new_stack,
    only,
    statements,
    synthesised,
)

_RULE_SUFFIX = [
    ":rule/stop-ie-",
    {"Fn::Select": [2, {"Fn::Split": ["/", {"Ref": "AWS::StackId"}]}]},
    "-*",
]


def _statement(template: Json, action: str) -> Json:
    (found,) = (one for one in statements(template) if action in _actions(one))
    return found


def _actions(statement: Json) -> list[str]:
    action = statement["Action"]
    return [action] if isinstance(action, str) else list(action)


def test_the_function_is_ready_to_wait_for_as_long_as_lambda_allows(template: Json) -> None:
    _, function = only(template, "AWS::Lambda::Function")
    assert function["Properties"]["Runtime"] == "python3.13"
    assert (
        function["Properties"]["Handler"] == "cdk_stop_inference_experiment_handler.index.handler"
    )
    assert function["Properties"]["Timeout"] == 900
    assert function["Properties"]["MemorySize"] == 256


def test_botocore_finds_sagemakers_model_in_the_functions_code(
    template: Json, tmp_path: Path
) -> None:
    _, function = only(template, "AWS::Lambda::Function")
    path = function["Properties"]["Environment"]["Variables"]["AWS_DATA_PATH"]
    zipfile.ZipFile(io.BytesIO(code_archive())).extractall(tmp_path)
    root, _, rest = path.partition("/")
    assert root == "$LAMBDA_TASK_ROOT"
    assert (tmp_path / rest / "sagemaker" / "2017-07-24" / "service-2.json").is_file()


def test_an_event_older_than_cloudformation_waits_is_dropped(template: Json) -> None:
    _, config = only(template, "AWS::Lambda::EventInvokeConfig")
    function, _ = only(template, "AWS::Lambda::Function")
    assert config["Properties"] == {
        "FunctionName": {"Ref": function},
        "MaximumEventAgeInSeconds": 3600,
        "MaximumRetryAttempts": 2,
        "Qualifier": "$LATEST",
    }


def test_the_log_group_is_the_stacks_own_and_expires(template: Json) -> None:
    name, log_group = only(template, "AWS::Logs::LogGroup")
    _, function = only(template, "AWS::Lambda::Function")
    assert function["Properties"]["LoggingConfig"]["LogGroup"] == {"Ref": name}
    assert log_group["Properties"] == {"RetentionInDays": 30}
    # Only the log tells how a teardown ended an experiment. A failed creation leaves none.
    assert log_group["DeletionPolicy"] == "RetainExceptOnCreate"


def test_the_role_has_no_policy_that_aws_manages(template: Json) -> None:
    _, role = only(template, "AWS::IAM::Role")
    assert "ManagedPolicyArns" not in role["Properties"]
    assert "Policies" not in role["Properties"]


def test_the_function_makes_rules_that_invoke_nothing_but_itself(template: Json) -> None:
    function, _ = only(template, "AWS::Lambda::Function")
    assert _statement(template, "events:PutTargets")["Condition"] == {
        "ForAllValues:ArnEquals": {"events:TargetArn": {"Fn::GetAtt": [function, "Arn"]}},
        "Null": {"events:TargetArn": "false"},
    }


def test_nothing_but_the_polling_rules_of_this_stack_may_invoke_the_function(
    template: Json,
) -> None:
    function, _ = only(template, "AWS::Lambda::Function")
    _, permission = only(template, "AWS::Lambda::Permission")
    assert permission["Properties"] == {
        "Action": "lambda:InvokeFunction",
        "FunctionName": {"Fn::GetAtt": [function, "Arn"]},
        "Principal": "events.amazonaws.com",
        "SourceArn": _arn("events", *_RULE_SUFFIX),
    }


def test_the_rules_that_may_invoke_are_those_that_the_function_may_make(template: Json) -> None:
    _, permission = only(template, "AWS::Lambda::Permission")
    made = _statement(template, "events:PutRule")["Resource"]
    assert permission["Properties"]["SourceArn"] == made
    _, function = only(template, "AWS::Lambda::Function")
    variables = function["Properties"]["Environment"]["Variables"]
    *_, head, guid, tail = made["Fn::Join"][1]
    assert variables["POLLING_RULE_PREFIX"]["Fn::Join"][1] == [
        head.removeprefix(":rule/"),
        guid,
        tail.removesuffix("*"),
    ]


def test_a_role_that_accepts_no_policies_changes_nothing_about_who_may_invoke(
    template: Json,
) -> None:
    stack = new_stack()
    role = iam.Role.from_role_arn(
        stack, "Imported", "arn:aws:iam::123456789012:role/stopper", mutable=False
    )
    provider = StopInferenceExperimentProvider(stack, "Provider", role=role)
    declare(stack, provider=provider)
    _, permission = only(synthesised(stack), "AWS::Lambda::Permission")
    _, own = only(template, "AWS::Lambda::Permission")
    assert permission["Properties"]["SourceArn"] == own["Properties"]["SourceArn"]


def test_the_function_may_do_these_things_to_these_resources_and_no_others(template: Json) -> None:
    function, _ = only(template, "AWS::Lambda::Function")
    log_group, _ = only(template, "AWS::Logs::LogGroup")
    places = {
        json.dumps({"Ref": "AWS::StackId"}): "own stack",
        json.dumps({"Fn::GetAtt": [function, "Arn"]}): "own function",
        json.dumps({"Fn::GetAtt": [log_group, "Arn"]}): "own log group",
        json.dumps(_arn("events", *_RULE_SUFFIX)): "own rules",
        json.dumps(_arn("sagemaker", ":inference-experiment/fraud-shadow")): "the experiment",
        json.dumps(_arn("sagemaker", ":endpoint/*")): "every endpoint",
    }
    found = {
        (action, places.get(json.dumps(one["Resource"]), str(one["Resource"])), _conditions(one))
        for one in statements(template)
        for action in _actions(one)
    }
    assert found == {
        ("cloudformation:DescribeStackEvents", "own stack", ()),
        ("cloudformation:DescribeStacks", "own stack", ()),
        ("cloudformation:ListStackResources", "own stack", ()),
        ("events:DeleteRule", "own rules", ()),
        ("events:ListTargetsByRule", "own rules", ()),
        ("events:PutRule", "own rules", ()),
        ("events:PutTargets", "own rules", ("events:TargetArn",)),
        ("events:RemoveTargets", "own rules", ()),
        ("logs:CreateLogStream", "own log group", ()),
        ("logs:PutLogEvents", "own log group", ()),
        # The stack declares a promotion on given instances.
        ("sagemaker:DescribeEndpoint", "every endpoint", ()),
        ("sagemaker:DescribeInferenceExperiment", "the experiment", ()),
        ("sagemaker:StopInferenceExperiment", "the experiment", ()),
    }
    assert all(one["Effect"] == "Allow" for one in statements(template))


def _arn(service: str, *tail: object) -> Json:
    region, account = {"Ref": "AWS::Region"}, {"Ref": "AWS::AccountId"}
    first, *rest = tail
    head = ["arn:", {"Ref": "AWS::Partition"}, f":{service}:", region, ":", account]
    return {"Fn::Join": ["", [*head, first, *rest]]}


def _conditions(statement: Json) -> tuple[str, ...]:
    operators = statement.get("Condition", {}).values()
    return tuple(sorted({key for operator in operators for key in operator}))


def test_a_name_with_capitals_is_permitted_in_both_spellings() -> None:
    stack = new_stack()
    declare(stack, experiment_name="Fraud-Shadow")
    statement = _statement(synthesised(stack), "sagemaker:StopInferenceExperiment")
    assert [arn["Fn::Join"][1][-1] for arn in statement["Resource"]] == [
        ":inference-experiment/Fraud-Shadow",
        ":inference-experiment/fraud-shadow",
    ]


def test_everything_the_deletion_needs_outlives_the_resource(template: Json) -> None:
    name, _ = only(template, RESOURCE_TYPE)
    assert dependencies(template, name) == set(template["Resources"]) - {name}


def test_nothing_depends_on_itself(template: Json) -> None:
    for name in template["Resources"]:
        assert name not in dependencies(template, name)
