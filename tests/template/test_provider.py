"""The function behind the resources, and what it may do."""

from __future__ import annotations

import json
import re

import aws_cdk as cdk
import pytest
from aws_cdk import aws_iam as iam
from aws_cdk.assertions import Match, Template

from cdk_stop_inference_experiment import (
    InvalidPropsError,
    StopInferenceExperimentProvider,
)

from .stacks import (
    RESOURCE_TYPE,
    Json,
    declare,
    dependencies,
    new_stack,
    only,
    resources,
    shadow_test,
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
    assert function["Properties"]["Runtime"] == "python3.14"
    assert function["Properties"]["Handler"] == "index.handler"
    assert function["Properties"]["Timeout"] == 900
    assert function["Properties"]["MemorySize"] == 256


def test_the_polling_rules_are_named_after_the_stack(template: Json) -> None:
    _, function = only(template, "AWS::Lambda::Function")
    assert function["Properties"]["Environment"]["Variables"] == {
        "POLLING_RULE_PREFIX": {
            "Fn::Join": [
                "",
                [
                    "stop-ie-",
                    {"Fn::Select": [2, {"Fn::Split": ["/", {"Ref": "AWS::StackId"}]}]},
                    "-",
                ],
            ]
        }
    }


def test_the_polling_rules_prefix_leaves_room_for_a_digest_of_16_in_a_rules_name() -> None:
    stack_id = "6f9619ff-8b86-d011-b42d-00c04fc964ff"
    assert len(f"stop-ie-{stack_id}-") + 16 <= 64


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
    assert log_group["DeletionPolicy"] == "Delete"


def test_the_role_has_no_policy_that_aws_manages(template: Json) -> None:
    _, role = only(template, "AWS::IAM::Role")
    assert "ManagedPolicyArns" not in role["Properties"]
    assert "Policies" not in role["Properties"]


def test_the_function_writes_to_its_own_log_group_only(template: Json) -> None:
    log_group, _ = only(template, "AWS::Logs::LogGroup")
    statement = _statement(template, "logs:PutLogEvents")
    assert statement["Action"] == ["logs:CreateLogStream", "logs:PutLogEvents"]
    assert statement["Resource"] == {"Fn::GetAtt": [log_group, "Arn"]}


def test_the_function_reads_its_own_stack_only(template: Json) -> None:
    statement = _statement(template, "cloudformation:DescribeStacks")
    assert statement["Action"] == [
        "cloudformation:DescribeStacks",
        "cloudformation:ListStackResources",
    ]
    assert statement["Resource"] == {"Ref": "AWS::StackId"}


@pytest.mark.parametrize("action", ["events:PutRule", "events:PutTargets"])
def test_the_function_makes_rules_of_its_own_stack_only(template: Json, action: str) -> None:
    resource = _statement(template, action)["Resource"]
    assert resource["Fn::Join"][1][-3:] == _RULE_SUFFIX


def test_the_function_makes_rules_that_invoke_nothing_but_itself(template: Json) -> None:
    function, _ = only(template, "AWS::Lambda::Function")
    assert _statement(template, "events:PutTargets")["Condition"] == {
        "ForAllValues:ArnEquals": {"events:TargetArn": {"Fn::GetAtt": [function, "Arn"]}},
        "Null": {"events:TargetArn": "false"},
    }


def test_the_function_lets_nothing_but_eventbridge_invoke_it(template: Json) -> None:
    function, _ = only(template, "AWS::Lambda::Function")
    statement = _statement(template, "lambda:AddPermission")
    assert statement["Resource"] == {"Fn::GetAtt": [function, "Arn"]}
    assert statement["Condition"] == {"StringEquals": {"lambda:Principal": "events.amazonaws.com"}}


def test_the_function_takes_permissions_from_itself_only(template: Json) -> None:
    function, _ = only(template, "AWS::Lambda::Function")
    statement = _statement(template, "lambda:RemovePermission")
    assert statement["Resource"] == {"Fn::GetAtt": [function, "Arn"]}


def test_the_function_may_do_these_things_and_no_others(template: Json) -> None:
    assert sorted(action for one in statements(template) for action in _actions(one)) == [
        "cloudformation:DescribeStacks",
        "cloudformation:ListStackResources",
        "events:DeleteRule",
        "events:PutRule",
        "events:PutTargets",
        "events:RemoveTargets",
        "lambda:AddPermission",
        "lambda:RemovePermission",
        "logs:CreateLogStream",
        "logs:PutLogEvents",
        "sagemaker:DescribeInferenceExperiment",
        "sagemaker:StopInferenceExperiment",
    ]


def test_no_statement_is_for_every_resource(template: Json) -> None:
    for statement in statements(template):
        assert statement["Resource"] != "*"
        assert json.dumps(statement["Resource"]).count("*") <= 1


def test_an_experiments_policy_names_that_experiment_only(template: Json) -> None:
    statement = _statement(template, "sagemaker:StopInferenceExperiment")
    arn = statement["Resource"]["Fn::Join"][1]
    assert arn[-1] == ":inference-experiment/fraud-shadow"
    assert arn[2] == ":sagemaker:"


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


def test_experiments_of_a_stack_share_the_function_and_have_a_policy_each() -> None:
    stack = new_stack()
    for name in ("first", "second", "third"):
        declare(stack, name, experiment_name=name)
    template = synthesised(stack)
    assert len(resources(template, "AWS::Lambda::Function")) == 1
    assert len(resources(template, "AWS::IAM::Policy")) == 3
    policies = {
        policy
        for resource in resources(template, RESOURCE_TYPE).values()
        for policy in resource["DependsOn"]
        if policy in resources(template, "AWS::IAM::Policy")
    }
    assert len(policies) == 3


def test_each_stack_of_an_app_has_a_function_of_its_own() -> None:
    app = cdk.App()
    stage = cdk.Stage(app, "Prod")
    parent = cdk.Stack(stage, "Parent")
    nested = cdk.NestedStack(parent, "Nested")
    declare(parent)
    declare(nested)
    for stack in (parent, nested):
        assert len(resources(synthesised(stack), "AWS::Lambda::Function")) == 1


def test_a_provider_made_by_hand_serves_the_experiments_it_is_passed_to() -> None:
    stack = new_stack()
    provider = StopInferenceExperimentProvider(stack, "Second")
    experiment = declare(stack, provider=provider)
    assert experiment.provider is provider
    template = synthesised(stack)
    assert list(resources(template, "AWS::Lambda::Function")) == [
        stack.resolve(provider.service_token)["Fn::GetAtt"][0]
    ]


def test_a_provider_of_another_stack_is_refused() -> None:
    app = cdk.App()
    provider = StopInferenceExperimentProvider(cdk.Stack(app, "Other"), "Provider")
    with pytest.raises(InvalidPropsError, match="own stack 'Own', got one in 'Other'"):
        declare(cdk.Stack(app, "Own"), provider=provider)


def test_a_provider_serves_40_experiments_and_refuses_the_41st() -> None:
    stack = new_stack()
    for number in range(40):
        declare(stack, f"E{number}", experiment_name=f"experiment-{number}")
    with pytest.raises(InvalidPropsError, match=r"at most 40 .*StopInferenceExperimentProvider\("):
        declare(stack, "E40", experiment_name="experiment-40")
    declare(
        stack,
        "E40",
        experiment_name="experiment-40",
        provider=StopInferenceExperimentProvider(stack, "Provider2"),
    )
    assert len(resources(synthesised(stack), RESOURCE_TYPE)) == 41


def test_long_names_use_up_a_providers_permissions_earlier() -> None:
    stack = new_stack(env=cdk.Environment(account="123456789012", region="us-east-1"))
    names = (f"{number:02}-{'x' * 117}" for number in range(40))
    with pytest.raises(InvalidPropsError, match="'provider' can serve 10240 characters"):
        [declare(stack, name, experiment_name=name) for name in names]
    policies = resources(synthesised(stack), "AWS::IAM::Policy").values()
    documents = [policy["Properties"]["PolicyDocument"] for policy in policies]
    characters = sum(len(_compact(document)) for document in documents)
    each = characters // len(documents)
    assert 10_240 - each < characters <= 10_240


def _compact(document: Json) -> str:
    text = json.dumps(document, separators=(",", ":"))
    join = r'{"Fn::Join":\["",\["arn:",{"Ref":"AWS::Partition"},(":[^"]*")\]\]}'
    return re.sub(join, lambda match: f'"arn:aws{match[1][1:]}', text)


def test_the_providers_own_permissions_do_not_count_against_the_experiments(template: Json) -> None:
    (policy,) = resources(template, "AWS::IAM::ManagedPolicy").values()
    assert len(resources(template, "AWS::IAM::Policy")) == 1
    # 6,144 characters a managed policy.
    assert len(json.dumps(policy["Properties"]["PolicyDocument"], separators=(",", ":"))) < 3000


def test_an_aspect_sets_a_permissions_boundary_and_tags() -> None:
    stack = new_stack()
    declare(stack, experiment=shadow_test(stack))
    iam.PermissionsBoundary.of(stack).apply(_boundary(stack))
    cdk.Tags.of(stack).add("team", "fraud")
    template = Template.from_stack(stack)
    template.has_resource_properties(
        "AWS::IAM::Role", {"PermissionsBoundary": Match.any_value(), "Tags": Match.any_value()}
    )


def _boundary(stack: cdk.Stack) -> iam.IManagedPolicy:
    """A boundary as an organisation would prescribe it."""
    return iam.ManagedPolicy.from_managed_policy_name(stack, "Boundary", "boundary")
