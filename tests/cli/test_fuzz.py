"""The command's inputs, of any shape: only the documented exit statuses and errors of one line.

``make fuzz`` tries many more of them.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
from unittest import mock

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from cdk_stop_inference_experiment.cli import main
from cdk_stop_inference_experiment.cli.arguments import FAIL_ON
from cdk_stop_inference_experiment.cli.reading import STACK_TYPE, Change, Detail, Resource
from cdk_stop_inference_experiment.cli.templates import definitions, parse_template
from cdk_stop_inference_experiment_handler.contract.wire import RESOURCE_TYPE
from cdk_stop_inference_experiment_handler.lifecycle.situation import StackEvent
from tests.unit.situations import ARN, OTHER_ARN, RESOURCE, STACK
from tests.unit.test_declaration import JSON_SCALARS, SOUND, TEXTS, WORDS, damaged

from .account import CHANGE_SET, FUNCTION, NATIVE, Account, change_set
from .past import TOKEN, created, experiment, ours

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "60"))
STATUSES = {0, 1, 2, 3}
USAGE = 64
REGION = ("--region", "eu-west-1")

NAMES = st.sampled_from([RESOURCE, "Other", "Test", "Handler"])
FUNCTIONS = st.sampled_from(
    ["Ref", "Fn::GetAtt", "Fn::Sub", "Fn::Join", "Fn::If", "DependsOn", "Condition", "Type"]
)
SCALARS = st.one_of(
    JSON_SCALARS,
    st.sampled_from([*TEXTS, "${Other}", "${!Other.Arn}", "${Stop", ARN, TOKEN]),
    NAMES,
)
JSON = st.recursive(
    SCALARS | WORDS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(FUNCTIONS | WORDS | st.text(max_size=3), inner, max_size=3),
    ),
    max_leaves=6,
)
PROPERTIES = st.one_of(
    st.just(ours()),
    st.just({**SOUND, "ServiceToken": {"Fn::GetAtt": ["Handler", "Arn"]}}),
    damaged(JSON),
    st.dictionaries(WORDS, JSON, max_size=3),
)
TYPES = st.sampled_from([RESOURCE_TYPE, NATIVE, FUNCTION, STACK_TYPE, "AWS::SSM::Parameter"])
DEFINITION = st.fixed_dictionaries(
    {"Type": TYPES | JSON, "Properties": PROPERTIES | JSON},
    optional={
        "DependsOn": JSON,
        "Condition": JSON,
        "DeletionPolicy": st.sampled_from(["Retain", "Delete"]) | JSON,
        "UpdateReplacePolicy": JSON,
    },
)
TEMPLATE = st.one_of(st.dictionaries(NAMES, DEFINITION | JSON, max_size=3), JSON)
WORD = st.text(max_size=4)
STATUS = WORD | st.sampled_from(
    ["CREATE_COMPLETE", "CREATE_FAILED", "UPDATE_FAILED", "UPDATE_COMPLETE", "DELETE_FAILED"]
)
IDS = st.sampled_from([ARN, OTHER_ARN, "", "fraud-shadow", STACK]) | WORD
CHANGE = st.builds(
    Change,
    action=st.sampled_from(["Add", "Modify", "Remove", "Import", "Dynamic"]) | WORD,
    logical_id=NAMES,
    resource_type=TYPES,
    physical_id=IDS,
    scope=st.lists(st.sampled_from(["Properties", "Metadata"]) | WORD, max_size=2).map(tuple),
    replaced=st.sampled_from(["True", "False", "Conditional", ""]) | WORD,
    policy=st.sampled_from(["Retain", "Delete", ""]) | WORD,
    before=st.none() | PROPERTIES,
    after=st.none() | PROPERTIES,
    details=st.lists(
        st.builds(
            Detail,
            attribute=st.sampled_from(["Properties", "Metadata"]) | WORD,
            name=WORDS | WORD,
            source=st.sampled_from(["ResourceAttribute", "ResourceReference"]) | WORD,
            cause=st.sampled_from(["Other.Arn", "Handler.Arn", "Handler", "."]) | WORD,
            is_dynamic=st.booleans(),
        ),
        max_size=2,
    ).map(tuple),
)
EVENT = st.builds(
    StackEvent,
    at=st.floats(0, 2e9),
    logical_id=NAMES | st.just("shadow"),
    physical_id=IDS,
    status=STATUS | st.sampled_from(["UPDATE_IN_PROGRESS", "ROLLBACK_COMPLETE"]),
    properties=st.one_of(WORD, PROPERTIES.map(json.dumps), JSON.map(json.dumps)),
)
RESOURCES = st.lists(
    st.builds(Resource, logical_id=NAMES, physical_id=IDS, resource_type=TYPES, status=STATUS),
    max_size=3,
    unique_by=lambda one: one.logical_id,
).filter(lambda found: all(one.resource_type != STACK_TYPE for one in found))

SETTINGS = settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
    phases=[phase for phase in Phase if phase is not Phase.explain],
)


@st.composite
def accounts(draw: st.DrawFn) -> Account:
    account = Account()
    account.templates[STACK] = draw(TEMPLATE)
    account.new_templates[CHANGE_SET] = draw(TEMPLATE)
    account.change_sets["verdict"] = change_set(
        *draw(st.lists(CHANGE, max_size=3, unique_by=lambda one: one.logical_id)),
        status=draw(st.sampled_from(["CREATE_COMPLETE", "FAILED"]) | WORD),
        reason=draw(WORD | st.just("No updates are to be performed.")),
        parameters=draw(st.dictionaries(NAMES, WORD, max_size=2)),
    )
    if draw(st.booleans()):
        account.deployed[STACK] = draw(RESOURCES)
    if draw(st.booleans()):
        account.happened[STACK] = [*created(), *draw(st.lists(EVENT, max_size=4))]
    else:
        account.happened[STACK] = draw(st.lists(EVENT, max_size=4))
    account.of_stack(draw(STATUS | st.just("REVIEW_IN_PROGRESS")))
    status = draw(st.sampled_from(["Running", "Completed", "Created"]) | WORD)
    account.experiments = {"fraud-shadow": experiment(status)}
    return account


def run(arguments: list[str], account: Account) -> tuple[int, str]:
    """Run the command; its exit status and what it printed."""
    out, error = io.StringIO(), io.StringIO()
    made = "cdk_stop_inference_experiment.cli.command.Reader"
    with (
        mock.patch(made, return_value=account),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(error),
    ):
        exited, status = None, 0
        try:
            status = main(arguments)
        except SystemExit as error_of_argparse:
            exited = error_of_argparse
    if exited is not None:
        assert exited.code in (0, USAGE)
        assert exited.code == 0 or ": error: " in error.getvalue()
        return int(exited.code), out.getvalue()
    assert status in STATUSES
    if status == 1 and not out.getvalue():
        assert error.getvalue().startswith("error: ")
        assert error.getvalue().count("\n") == 1
    else:
        assert error.getvalue() == ""
    return status, out.getvalue()


FORMS = st.sampled_from(["text", "markdown", "json"])
OPERATIONS = st.sampled_from(
    [["plan", "shadow", "--destroy"], ["plan", "shadow", "--change-set", "verdict"]]
)


@SETTINGS
@given(account=accounts(), operation=OPERATIONS, form=FORMS, on=st.lists(st.sampled_from(FAIL_ON)))
def test_any_account_is_planned(
    account: Account, operation: list[str], form: str, on: list[str]
) -> None:
    fail_on = [one for what in on for one in ("--fail-on", what)]
    status, out = run([*operation, *REGION, "--format", form, *fail_on], account)
    if form == "json" and status != 1:
        assert json.loads(out)["verdicts"] is not None


@SETTINGS
@given(account=accounts(), form=FORMS, stacks=st.lists(st.just("shadow"), min_size=1, max_size=2))
def test_the_status_of_any_account_is_shown(account: Account, form: str, stacks: list[str]) -> None:
    run(["status", *stacks, *REGION, "--format", form], account)


ARGUMENT = st.one_of(
    st.text(max_size=6),
    st.sampled_from(
        [
            *["plan", "status", "shadow", "--destroy", "--change-set", "verdict", "--fail-on"],
            *["--json", "--format", "text", "ends-within=24h", "ends-within=1m", "no-change", "--"],
            *["-h", "--version", "", STACK, "Prod/Test (shadow)", "arn:", "\ud800", "a\nb"],
        ]
    ),
    st.sampled_from([1, 9, 10, 400, 5000]).map(lambda digits: f"ends-within={'9' * digits}d"),
)


@SETTINGS
@given(
    command=st.sampled_from(["plan", "status", ""]),
    arguments=st.lists(ARGUMENT, max_size=5),
)
def test_any_arguments_are_taken_or_refused(command: str, arguments: list[str]) -> None:
    account = Account()
    account.change_sets["verdict"] = change_set()
    run([one for one in (command, *arguments, *REGION) if one or arguments], account)


YAML = st.lists(
    st.sampled_from(
        [
            *["Resources:", "  Stop:", "    Type: Custom::StopInferenceExperiment", "\n", "- "],
            *["!Ref a", "!GetAtt", " a.b", "!Sub [x]", "&a ", "*a", "{", "}", "[", "]", ": ", "? "],
            *["!!python/object:os.system x", "!", "'", "\x00", "\ud800", "%", "<<: *a"],
        ]
    )
    | st.text(max_size=3),
    max_size=10,
).map("".join)


@SETTINGS
@given(
    body=st.one_of(
        YAML,
        JSON,
        JSON.map(json.dumps),
        JSON.map(json.dumps).map(json.dumps),
        st.sampled_from(["[" * 100_000, "{a: " * 3000, "Resources: &a {a: *a}"]),
    )
)
def test_any_template_is_read_or_refused(body: object) -> None:
    try:
        found = parse_template(body)
    except ValueError as error:
        assert str(error)  # noqa: PT017 - Hypothesis runs it many times
    else:
        json.dumps(definitions(found))
