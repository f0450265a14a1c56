"""A stack of a released version that this one updates sends no Stop and keeps its ids."""

from __future__ import annotations

import json

import pytest

from cdk_stop_inference_experiment_handler.contract.declaration import Declaration
from cdk_stop_inference_experiment_handler.contract.request import malformation, read_request
from cdk_stop_inference_experiment_handler.lifecycle.decide import decide
from cdk_stop_inference_experiment_handler.lifecycle.decision import Decision, Row, Verb
from cdk_stop_inference_experiment_handler.lifecycle.situation import (
    Description,
    Events,
    Prepared,
    Progress,
    Situation,
    Stack,
    StackEvent,
)
from tests.unit.situations import experiment

from . import recorded
from .recorded import (
    HERE,
    RELEASED,
    Json,
    custom_resources,
    delivered,
    event,
    synthesised,
    version,
)

VERSIONS = sorted(path.name for path in HERE.iterdir() if (path / "events.json").exists())
KEPT_IN_PLACE = ("AWS::Lambda::Function", "AWS::IAM::Role", "AWS::Logs::LogGroup")


@pytest.fixture(scope="module")
def today() -> Json:
    """The recorded stack's current template."""
    return synthesised()


def _record(release: str, name: str) -> Json:
    record: Json = json.loads((HERE / release / f"{name}.json").read_text())
    return record


def test_this_version_is_recorded() -> None:
    assert version() in VERSIONS, "run 'python -m tests.compatibility.recorded' for the release"


@pytest.mark.newest
def test_the_record_of_a_version_that_is_not_released_is_what_it_is_today(today: Json) -> None:
    if version() not in RELEASED:
        assert _record(version(), "resources") == today, (
            f"run 'python -m tests.compatibility.recorded': {version()} is not released yet"
        )


def test_a_released_version_is_not_recorded_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorded, "RELEASED", (version(),))
    with pytest.raises(SystemExit, match="is released and its record must not change"):
        recorded.main()


@pytest.mark.parametrize("release", VERSIONS)
def test_an_upgrade_alone_stops_nothing(release: str, today: Json) -> None:
    before = custom_resources(_record(release, "resources"))
    assert before
    for name, body in before.items():
        old, new = (delivered(one["Properties"]) for one in (body, today[name]))
        decision = _decided(event("Update", name, new, old))
        assert decision.row is Row.UPDATE_UNCHANGED, f"{name} of {release}: {decision}"


@pytest.mark.parametrize("release", VERSIONS)
def test_an_upgrade_keeps_every_logical_id_and_the_service_token(release: str, today: Json) -> None:
    for name, body in _record(release, "resources").items():
        breaking = f"a breaking change: {name} of {release} is gone or another resource today"
        assert today.get(name, {}).get("Type") == body["Type"], breaking
        if "ServiceToken" in body["Properties"]:
            token = today[name]["Properties"]["ServiceToken"]
            assert token == body["Properties"]["ServiceToken"], breaking


@pytest.mark.parametrize("release", VERSIONS)
def test_an_upgrade_replaces_neither_the_function_nor_its_role_nor_its_log(
    release: str, today: Json
) -> None:
    names = ("FunctionName", "RoleName", "LogGroupName", "Path", "PackageType")
    for name, body in _record(release, "resources").items():
        if body["Type"] in KEPT_IN_PLACE:
            old, new = body["Properties"], today[name]["Properties"]
            assert [new.get(one) for one in names] == [old.get(one) for one in names]


@pytest.mark.parametrize("release", VERSIONS)
def test_the_events_of_a_released_version_are_read_and_carried_out(release: str) -> None:
    for events in _record(release, "events").values():
        assert [one["RequestType"] for one in events] == ["Create", "Update", "Delete"]
        for one in events:
            assert malformation(one) is None
            assert isinstance(read_request(one).new, Declaration)
        create, update, delete = events
        # EndNow only ends what was armed before.
        armed = create["ResourceProperties"].get("EndNow") != "true"
        assert _decided(create).verb is (Verb.SUCCEED if armed else Verb.FAIL)
        new, old = update["ResourceProperties"], update["OldResourceProperties"]
        assert new.get("DesiredState") != old.get("DesiredState")
        stops = "Update" in new.get("StopOn", ["Update"])
        is_gated = "PromoteIf" in new
        ended = Verb.FAIL if is_gated else Verb.STOP
        assert _decided(update).verb is (ended if stops else Verb.SUCCEED)
        assert _decided(delete).verb is Verb.STOP


def _decided(sent: Json) -> Decision:
    """What is decided if an experiment runs, and its stack moves forward after it was complete."""
    request = read_request(sent)
    at = request.issued_at or 0.0
    status = f"{request.type.value.upper()}_IN_PROGRESS"

    def of_stack(status: str, ago: float) -> StackEvent:
        return StackEvent(at - ago, request.stack_name, request.stack_id, status)

    newest_first = (
        StackEvent(at, request.logical_id, request.physical_id, status),
        of_stack(status, 1),
        of_stack("CREATE_COMPLETE", 100),
        of_stack("CREATE_IN_PROGRESS", 200),
    )
    stack = Stack(request.stack_id, Description(status), Events(newest_first, is_whole=True))
    # Without a start time, evidence is an error.
    found = experiment("Running", name=request.name, created=None, scheduled_start=None)
    ready = Prepared(counts={found.production: 2}, holders=())
    return decide(Situation(request, Progress(at), at + 1, found, (stack,), ready))
