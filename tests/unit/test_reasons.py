"""The messages in CloudFormation: complete, whatever the names and AWS's own text."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest
from tests.unit.lifecycle import experiment

from cdk_stop_inference_experiment_handler.lifecycle import reasons

NAME = "n" * 120
VARIANT = "v" * 63
CAUSE = f"begins {'x' * 5000} ends"
LONGEST = experiment(
    "Cancelled",
    name=NAME,
    status_reason=CAUSE,
    endpoint_name="e" * 63,
    endpoint_failure=CAUSE,
    completion_time=1e9,
    scheduled_start=1e9,
    scheduled_end=1e9,
    variants={VARIANT: "InService", "w" * 63: "Deleted"},
    shadows=("w" * 63,),
)
MOMENT = reasons.moment(1e9)
STANDING = reasons.standing(LONGEST)
FAILURES = [
    reasons.absent(NAME, "ap-southeast-1"),
    reasons.unknown_variants(["a" * 63, "b" * 63], LONGEST),
    reasons.not_a_shadow(VARIANT, LONGEST),
    reasons.not_a_pair(LONGEST),
    reasons.instances_unknown(LONGEST, None),
    reasons.gate(NAME, {"verdict": "inconclusive", "why": CAUSE, "from": MOMENT, "to": MOMENT}),
    reasons.too_late(VARIANT, LONGEST),
    reasons.not_armed_before(LONGEST),
    reasons.not_begun(LONGEST),
    reasons.cancelled(LONGEST),
    reasons.endpoint_failed(LONGEST),
    reasons.gone_while_waiting(NAME),
    reasons.out_of_time(NAME, STANDING, 3300, CAUSE),
    reasons.cannot_hand_over(NAME, STANDING, CAUSE),
    reasons.aws_refused(NAME, CAUSE, may_be_stopped=True),
    reasons.aws_refused(NAME, CAUSE, may_be_stopped=False),
    reasons.unreadable_old_declaration(NAME),
    reasons.unclear(NAME, "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS"),
    reasons.parent_at_rest(NAME),
    reasons.overtaken(NAME),
    reasons.gate(
        NAME,
        {
            "verdict": "failed",
            "why": CAUSE,
            "from": "2026-11-24T10:00:00Z",
            "to": "2026-11-25T10:00:00Z",
            "samplingPercentage": 50.0,
        },
    ),
]
TABLE = (Path(__file__).parents[2] / "docs" / "reference" / "errors.md").read_text()
DOCUMENTED = re.findall(r"^\| `(.+?)` \|", TABLE.split("\n## ")[1], re.MULTILINE)[:-1]
"""The messages in the table of errors; the last one is the validation's."""
EVIDENCE = [
    f"inconclusive: {reasons.too_few_requests(1, 2, 3)}",
    f"inconclusive: {reasons.too_young(1e9)}",
    f"inconclusive: {reasons.no_hour('p99', 1000)}",
    "failed: "
    + reasons.out_of_bound(
        {"Metric": "ModelLatency", "Statistic": "p99"},
        {"shadow": 3e4, "production": 1e4, "bound": 2e4},
        1e9,
    ),
    f"error: {reasons.alarm('errors', '')}",
    f"error: {reasons.not_measured('ModelLatency', VARIANT)}",
    f"error: {reasons.NO_PAIR}",
    f"error: {reasons.BROKEN_EVIDENCE}",
]
OTHERS = [
    reasons.armed(LONGEST),
    reasons.stop(LONGEST),
    reasons.standing(experiment("Stopping", name=NAME, endpoint_status="Updating")),
    reasons.ended(LONGEST),
    reasons.absent_on_delete(NAME),
    reasons.unchanged(NAME),
    reasons.not_in_stop_on(NAME, "Delete"),
    reasons.undone(NAME),
    reasons.held(NAME, ["Other"]),
    reasons.not_held("never-created"),
    reasons.gate(NAME, {"verdict": "successful", "why": ""}),
    reasons.fewer_instances(VARIANT, 1, LONGEST, 4),
    reasons.unchanged_as_far_as_known(NAME, ValueError(CAUSE)),
    reasons.undone(NAME, LONGEST),
    reasons.ended_as_before(LONGEST),
    reasons.shows_as_cancelled(LONGEST),
    reasons.contradicted(LONGEST, ["'shadow' is InService"]),
    reasons.not_begun_on_delete(LONGEST),
]


@pytest.mark.parametrize("sentence", FAILURES)
def test_a_sentence_stays_under_1024_characters(sentence: str) -> None:
    assert len(sentence) <= 1024


@pytest.mark.parametrize("sentence", FAILURES)
def test_a_sentence_names_the_experiment(sentence: str) -> None:
    assert f"'{NAME}'" in sentence


@pytest.mark.parametrize("documented", DOCUMENTED)
def test_what_the_table_of_errors_quotes_is_said(documented: str) -> None:
    parts = [re.escape(part) for part in documented.split("…")]
    assert [said for said in FAILURES if re.search(".*".join(parts), said)]


@pytest.mark.parametrize("sentence", FAILURES)
def test_every_failure_is_in_the_table_of_errors(sentence: str) -> None:
    wanted = [".*".join(re.escape(part) for part in told.split("…")) for told in DOCUMENTED]
    assert [pattern for pattern in wanted if re.search(pattern, sentence)]


@pytest.mark.parametrize(("section", "sentences"), [(2, EVIDENCE), (3, OTHERS)])
def test_every_other_sentence_has_an_entry_of_its_own(section: int, sentences: list[str]) -> None:
    entries = re.findall(r"^\| `(.+?)` \|", TABLE.split("\n## ")[section], re.MULTILINE)
    wanted = {entry: ".*".join(re.escape(part) for part in entry.split("…")) for entry in entries}
    found = {
        max((one for one in entries if re.match(wanted[one], said)), key=len, default=said)
        for said in sentences
    }
    assert found == set(entries)
    assert len(found) == len(sentences)


def test_every_sentence_is_looked_up_above() -> None:
    public = {name for name in vars(reasons) if name.islower() and name[0] != "_"}
    told = {name for name in public if inspect.isfunction(getattr(reasons, name))}
    here = Path(__file__).read_text()
    assert {name for name in told if f"reasons.{name}(" not in here} == set()


def test_text_of_aws_is_shortened_in_its_middle() -> None:
    told = reasons.aws_refused(NAME, CAUSE, may_be_stopped=False)
    assert "begins xxx" in told
    assert "xxx ends" in told
    assert "..." in told
    assert reasons.aws_refused(NAME, "short", may_be_stopped=False).endswith(": short")


@pytest.mark.parametrize("length", [reasons.MAX_QUOTED, reasons.MAX_QUOTED + 1])
def test_text_of_aws_is_shortened_only_where_it_is_long(length: int) -> None:
    told = reasons.aws_refused("n", "x" * length, may_be_stopped=False)
    assert ("..." in told) is (length > reasons.MAX_QUOTED)


@pytest.mark.parametrize(
    ("scheduled_end", "status_reason", "why"),
    [
        (2e9, "", "2033-05-18T03:33:25Z, after its scheduled end at 2033-05-18T03:33:20Z"),
        (2e9 + 5, "", "2033-05-18T03:33:25Z, after its scheduled end at 2033-05-18T03:33:25Z"),
        (2e9 + 6, "", "2033-05-18T03:33:25Z"),
        (None, "", "2033-05-18T03:33:25Z"),
        (2e9, "no traffic", "2033-05-18T03:33:25Z, because 'no traffic'"),
    ],
)
def test_an_end_without_a_reason_names_the_scheduled_end_if_that_came_before_it(
    scheduled_end: float | None, status_reason: str, why: str
) -> None:
    seen = experiment(
        "Completed",
        status_reason=status_reason,
        completion_time=2e9 + 5,
        scheduled_end=scheduled_end,
    )
    assert reasons.too_late("shadow", seen).endswith(f" has already ended as Completed at {why}")


def test_what_is_not_known_is_left_out() -> None:
    """The middle of a sentence, where no other test looks."""
    bare = experiment("Cancelled", name="e", endpoint_status="")
    assert reasons.standing(bare) == "inference experiment 'e' is Cancelled"
    assert reasons.ended(bare) == "inference experiment 'e' has ended as Cancelled"
    assert reasons.cancelled(bare).endswith("serves now; it ended as Cancelled")
    assert reasons.armed(bare).endswith("; nothing was stopped")
    assert reasons.moment(None) == ""
    assert reasons.not_begun(bare).endswith("deploy again after it has started")
    assert ": deploy or delete again to continue waiting; last seen: nothing" in (
        reasons.out_of_time("e", "nothing", 3300, "")
    )
    assert reasons.out_of_time("e", "nothing", 3300, "").endswith("last seen: nothing")


def test_what_is_known_is_told() -> None:
    settling = experiment("Completed", name="e", endpoint_status="Updating")
    assert reasons.standing(settling).endswith(" is Completed, its endpoint Updating")
    assert reasons.out_of_time("e", "nothing", 3300, "away").endswith("last seen: nothing: away")
    assert reasons.contradicted(settling, ["one", "two"]).endswith("'fraud'; one, two")
    assert "returns CurrentInstanceCount 0 for" in reasons.instances_unknown(settling, 0)
    assert "returns no CurrentInstanceCount for" in reasons.instances_unknown(settling, None)
    assert reasons.unreadable_old_declaration("e").endswith(": roll it back, then deploy again")
    told = reasons.fewer_instances("shadow", 1, settling, 4)
    assert told.startswith("variant 'shadow' of inference experiment 'e' is to be promoted on 1 ")
    for sentence in (
        reasons.unchanged_as_far_as_known("e", ValueError("away")),
        reasons.cannot_hand_over("e", "nothing", "away"),
        reasons.aws_refused("e", "away", may_be_stopped=True),
    ):
        assert "inference experiment 'e'" in sentence
        assert sentence.endswith(" away")


def test_long_text_keeps_as_much_of_both_ends_as_fits() -> None:
    text = "".join(chr(0x4E00 + index) for index in range(reasons.MAX_QUOTED + 1))
    told = reasons.aws_refused("n", text, may_be_stopped=False)
    assert told.endswith(f": {text[:118]}...{text[-118:]}")
