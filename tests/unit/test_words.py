"""The messages in CloudFormation: complete, whatever the names and AWS's own text."""

from __future__ import annotations

import inspect
import re
from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.situations import at_deadline, away, experiment, properties, update

from cdk_stop_inference_experiment_handler.contract.declaration import Comparison
from cdk_stop_inference_experiment_handler.lifecycle import words
from cdk_stop_inference_experiment_handler.lifecycle.situation import Kind, Situation

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
MOMENT = words.moment(1e9)
STANDING = words.status(LONGEST)
ASKED = update(properties(Name=NAME), properties(Name=NAME), seen=experiment(name=NAME))
TRIED = replace(ASKED, progress=replace(ASKED.progress, tried=True))
UNSEEN = replace(ASKED, described=away(Kind.TRANSIENT))
LATE = at_deadline(ASKED)
ENDING = replace(LATE, described=experiment("Stopping", name=NAME))
OVER = replace(LATE, described=experiment("Completed", name=NAME))
UNSETTLED = replace(LATE, described=replace(LONGEST, endpoint_status="Updating"))
FAILURES = [
    words.absent(NAME, "ap-southeast-1"),
    words.unknown_variants(["a" * 63, "b" * 63], LONGEST),
    words.not_a_shadow(VARIANT, LONGEST),
    words.not_a_pair(LONGEST),
    words.instances_unknown(ASKED, LONGEST, CAUSE),
    words.instances_unknown(TRIED, LONGEST, CAUSE),
    words.gate(NAME, {"verdict": "inconclusive", "why": CAUSE, "from": MOMENT, "to": MOMENT}),
    words.gate(
        NAME,
        {
            "verdict": "failed",
            "why": CAUSE,
            "from": MOMENT,
            "to": MOMENT,
            "samplingPercentage": 50.0,
        },
    ),
    words.too_late(VARIANT, LONGEST),
    words.not_armed_before(LONGEST, may_stop_on_create=True),
    words.not_begun(LONGEST),
    words.with_refusal(words.not_begun(LONGEST), CAUSE),
    words.with_refusal(words.unknown_variants(["a" * 63, "b" * 63], LONGEST), CAUSE),
    words.cancelled(LONGEST),
    words.endpoint_failed(LONGEST),
    words.unsettled(LONGEST),
    words.gone_while_waiting(NAME),
    words.out_of_time(LATE, CAUSE),
    words.out_of_time(replace(LATE, described=away(Kind.TRANSIENT)), CAUSE),
    words.out_of_time(replace(LATE, progress=TRIED.progress), CAUSE),
    words.out_of_time(ENDING, CAUSE),
    words.out_of_time(UNSETTLED, CAUSE),
    words.cannot_hand_over(NAME, STANDING, CAUSE),
    words.aws_refused(TRIED, CAUSE),
    words.aws_refused(ASKED, CAUSE),
    words.aws_refused(UNSEEN, CAUSE),
    words.unreadable_old_declaration(ASKED, CAUSE),
    words.unreadable_old_declaration(TRIED, CAUSE),
    words.unreadable_old_declaration(UNSEEN, CAUSE),
    words.unreadable_old_declaration(ENDING, CAUSE),
    words.not_readable(ASKED, CAUSE),
    words.not_readable(TRIED, CAUSE),
    words.not_readable(ENDING, CAUSE),
    words.doomed(ASKED),
    words.doomed(TRIED),
    words.closed(ASKED),
    words.closed(TRIED),
    words.own_event_missing(ASKED),
    words.own_event_missing(TRIED),
    words.unclear(ASKED, "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS"),
    words.unclear(TRIED, "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS"),
    words.parent_at_rest(ASKED),
    words.parent_at_rest(TRIED),
    words.overtaken(ASKED),
    words.overtaken(TRIED),
    words.overtaken(UNSEEN),
    words.overtaken(ENDING),
]
TABLE = (Path(__file__).parents[2] / "docs" / "reference" / "errors.md").read_text("utf-8")
DAY_AFTER = Path(__file__).parents[2] / "docs" / "guide" / "day-after.md"
DOCUMENTED = re.findall(r"^\| `(.+?)` \|", TABLE.split("\n## ")[1], re.MULTILINE)[:-1]
"""The messages in the table of errors; the last one is the validation's."""
P99 = Comparison("ModelLatency", "p99", max_ratio=1.1)
ERRORS = Comparison("Invocation5XXErrors", max_increase=0.0005)
RATES = {"production": 5e-4, "shadow": 6e-4, "bound": 1e-3, "upper": 1.2e-3, "hours": 60}
NEEDED = {"requests": 40_000, "hours": 20, "at": "2026-12-02T14:15:00Z"}
UNCERTAIN = words.judged_rate(ERRORS, RATES, "inconclusive")
EVIDENCE = [
    f"inconclusive: {words.too_few_requests(1, 2, 3)}",
    f"inconclusive: {words.too_few_hours(7, 48)}",
    f"inconclusive: {words.too_young(1e9)}",
    f"inconclusive: {words.no_hour('p99', 1000)}",
    f"inconclusive: {words.wrong_sample_ratio(1e6, 4e5, 50)}",
    f"inconclusive: {words.with_forecast(UNCERTAIN, NEEDED)}",
    f"inconclusive: {words.with_forecast(UNCERTAIN, {'productionBreaksBound': True}, 'Metric')}",
    f"inconclusive: {words.judged_rate(ERRORS, {**RATES, 'shadow': None}, 'inconclusive')}",
    f"inconclusive: {words.judged_hours(P99, {'hours': 0, 'hoursFailed': 0}, 'inconclusive')}",
    f"inconclusive: {words.judged_hours(P99, {'hours': 60, 'hoursFailed': 30}, 'inconclusive')}",
    f"failed: {words.judged_rate(ERRORS, RATES, 'failed')}",
    f"failed: {words.judged_hours(P99, {'hours': 60, 'hoursFailed': 50}, 'failed')}",
    f"inconclusive: {words.instances_differ('ml.m5.xlarge', 'ml.c5.large')}",
    f"failed: {words.out_of_bound(P99, {'shadow': 3e4, 'production': 1e4, 'bound': 2e4}, 1e9)}",
    f"error: {words.alarm('errors', '')}",
    f"error: {words.not_measured('ModelLatency', VARIANT)}",
    f"error: {words.NO_PAIR}",
]
OTHERS = [
    words.armed(LONGEST),
    words.armed(LONGEST) + words.on_other_instances(("ml.m5.xlarge", "ml.c5.large")),
    words.stop(LONGEST),
    words.stop_accepted(LONGEST),
    words.status(experiment("Stopping", name=NAME, endpoint_status="Updating")),
    words.ended(LONGEST),
    words.absent_on_delete(NAME),
    words.unchanged(NAME),
    words.not_in_stop_on(ASKED, "Delete"),
    words.undone(ASKED),
    words.held_by_another(ASKED, ["Other"]),
    words.not_held("never-created"),
    words.gate(NAME, {"verdict": "successful", "why": ""}),
    words.fewer_instances(1, LONGEST, 4),
    words.another_arn(LONGEST, "arn"),
    words.undone(ASKED, LONGEST),
    words.ended_as_before(LONGEST),
    words.shows_as_cancelled(LONGEST),
    words.contradicted(LONGEST, ["'shadow' is InService"]),
    words.ended(LONGEST) + words.promotion_unknown(VARIANT, LONGEST),
    words.ended(LONGEST) + words.failure_unknown(LONGEST),
    words.not_begun_on_delete(LONGEST),
    words.holders_unknown(ASKED, CAUSE),
]


def pattern(documented: str) -> str:
    return ".*".join(re.escape(part) for part in documented.split("…"))


@pytest.mark.parametrize("sentence", FAILURES)
def test_a_sentence_stays_under_1024_characters(sentence: str) -> None:
    assert len(sentence) <= 1024


@pytest.mark.parametrize("sentence", FAILURES)
def test_a_sentence_names_the_experiment(sentence: str) -> None:
    assert f"'{NAME}'" in sentence


@pytest.mark.parametrize("documented", DOCUMENTED)
def test_what_the_table_of_errors_quotes_is_said(documented: str) -> None:
    assert [said for said in FAILURES if re.search(pattern(documented), said)]


@pytest.mark.parametrize("sentence", FAILURES)
def test_every_failure_is_in_the_table_of_errors(sentence: str) -> None:
    assert [one for one in DOCUMENTED if re.search(pattern(one), sentence)]


@pytest.mark.parametrize(("section", "sentences"), [(2, EVIDENCE), (3, OTHERS)])
def test_every_other_sentence_has_an_entry_of_its_own(section: int, sentences: list[str]) -> None:
    entries = re.findall(r"^\| `(.+?)` \|", TABLE.split("\n## ")[section], re.MULTILINE)
    found = {
        max((one for one in entries if re.match(pattern(one), said)), key=len, default=said)
        for said in sentences
    }
    assert found == set(entries)
    assert len(found) == len(sentences)


def test_every_sentence_is_looked_up_above() -> None:
    public = {name for name in vars(words) if name.islower() and name[0] != "_"}
    sentences = {name for name in public if inspect.isfunction(getattr(words, name))}
    here = Path(__file__).read_text("utf-8")
    assert {name for name in sentences if f"words.{name}(" not in here} == set()


def test_what_aws_refused_says_what_is_left_where_that_was_seen() -> None:
    left = f"inference experiment '{NAME}' was left as it is: "
    assert words.aws_refused(ASKED, CAUSE).startswith(left)
    assert not words.aws_refused(UNSEEN, CAUSE).startswith(left)


@pytest.mark.parametrize("length", [words.MAX_QUOTED, words.MAX_QUOTED + 1])
def test_text_of_aws_is_shortened_in_its_middle_only_where_it_is_long(length: int) -> None:
    text = "".join(chr(0x4E00 + index) for index in range(length))
    said = words.aws_refused(ASKED, text)
    is_long = length > words.MAX_QUOTED
    assert said.endswith(f": {text[:118]}...{text[-118:]}" if is_long else f": {text}")
    assert said.endswith(f": {words.shortened(text)}")


def test_an_end_without_a_reason_says_so_unless_its_schedule_ended_it() -> None:
    seen = experiment("Completed", completion_time=2e9)
    for scheduled_end, why in (
        (None, "; SageMaker gives no reason"),
        (2e9 + 1, "; SageMaker gives no reason"),
        (2e9, ", by its schedule, which ended it at 2033-05-18T03:33:20Z"),
    ):
        said = words.too_late("shadow", seen, scheduled_end)
        assert said.endswith(f" has already ended as Completed at 2033-05-18T03:33:20Z{why}")
    by_hand = replace(seen, status_reason="no traffic")
    assert words.ended(by_hand, 2e9).endswith(", because 'no traffic'")


def test_a_promotion_says_before_and_after_how_to_go_back() -> None:
    seen = replace(LONGEST, endpoint_config_name="c" * 63)
    after = words.ended(seen) + words.serves(VARIANT, seen)
    before = words.way_back(experiment("Running"))
    assert f"variant '{VARIANT}' serves production now, by endpoint configuration 'ccc" in after
    assert len(after) <= 1024
    assert "a new endpoint configuration for model 'fraud-v1'" in before
    title = DAY_AFTER.read_text("utf-8").partition("\n")[0].removeprefix("# ")
    for said in (before, after):
        assert said.endswith(f"see the page '{title}'")
    assert words.serves(None, seen) == ""


def test_what_is_not_known_is_left_out() -> None:
    """The middle of a sentence, where no other test looks."""
    bare = experiment("Cancelled", name="e", endpoint_status="")
    assert words.status(bare) == "inference experiment 'e' is Cancelled"
    assert words.ended(bare) == (
        "inference experiment 'e' has ended as Cancelled; SageMaker gives no reason"
    )
    assert words.armed(bare).endswith("; nothing was stopped")
    assert words.moment(None) == ""
    assert words.not_begun(bare).endswith("deploy again after it has started")
    assert words.with_refusal("it is Created", "") == "it is Created"
    assert "shadows none" in words.not_a_pair(replace(bare, shadows=()))


def test_what_others_have_done_is_not_denied() -> None:
    """What this delivery knows of itself is not all that is true of the experiment."""
    unseen = "this delivery did not stop inference experiment"
    for said, in_short in ((words.overtaken, False), (words.doomed, False), (_held, True)):
        assert "was not stopped" in said(ASKED)
        for seen, status in ((ENDING, "Stopping"), (OVER, "Completed")):
            assert (f"', which is {status}" if in_short else f"' is {status}, its ") in said(seen)
            assert "not stop" not in said(seen)
        assert ("which this delivery did not stop" if in_short else unseen) in said(UNSEEN)


def _held(s: Situation) -> str:
    return words.held_by_another(s, ["Twin"])


def test_names_are_quoted_and_none_is_said_to_be_none() -> None:
    assert words.quoted(["a", "", "b"]) == "'a', 'b'"
    assert words.quoted([]) == "none"
