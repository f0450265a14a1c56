"""What nobody has published about AWS, what depends on it, and the answers' page.

Only questions whose answer the code or the local AWS assumes, and which no recording answers: see
docs/aws/undocumented.md for those.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["QUESTIONS", "Answer", "Assumption", "Question", "page"]

Facts = Mapping[str, Any]
_STOPPING = "local_aws/emulator/sagemaker/stopping.py"
_SETTINGS = "local_aws/settings.py"
_HANDLER = "lambda/cdk_stop_inference_experiment_handler"


@dataclass(frozen=True)
class Assumption:
    """What a place assumes the answer to be.

    Attributes:
        place: A file of this repository, and what to look for in it.
        what: The assumption.
        holds: Whether what was observed agrees.
    """

    place: str
    what: str
    holds: Callable[[Facts], bool]


@dataclass(frozen=True)
class Question:
    """A question, and where it is asked.

    Attributes:
        name: Its short name.
        text: The question.
        meanwhile: What the library does as long as nobody knows.
        assumptions: What depends on the answer, or models one.
    """

    name: str
    text: str
    meanwhile: str
    assumptions: tuple[Assumption, ...]


@dataclass(frozen=True)
class Answer:
    """What was observed.

    Attributes:
        text: In words.
        facts: For the assumptions.
        when: ISO 8601.
        where: The region, or the local AWS.
        versions: Of the SDKs.
        request_ids: Of AWS's answers.
    """

    text: str
    facts: Facts
    when: str
    where: str
    versions: str
    request_ids: tuple[str, ...] = ()


def _is(name: str, *values: object) -> Callable[[Facts], bool]:
    return lambda facts: facts[name] in values


QUESTIONS = (
    Question(
        "default-state",
        "In which state does an experiment end if the stop names none?",
        "both states are accepted: an early conclusion shows as Cancelled ([documented][describe])",
        (
            Assumption(
                f"{_SETTINGS}, default_desired_state", "Completed", _is("status", "Completed")
            ),
        ),
    ),
    Question(
        "promoted-instances",
        "On which instances does a promotion run without DesiredModelVariants?",
        "an outcome names the instances",
        (
            Assumption(
                f"{_STOPPING}, _as_desired",
                "those of the shadow in the experiment",
                lambda facts: facts["count"] == facts["shadow"],
            ),
        ),
    ),
    Question(
        "endpoint-event",
        "When does the endpoint's event come, relative to the experiment's end?",
        "without an event, or if the end shows more than 45 s after it, an answer is up to a "
        "minute late",
        (
            Assumption(
                f"{_HANDLER}/runtime/waiting.py, EVENT_SECONDS",
                "at most 45 s before a describe shows the end, else an answer is late",
                lambda facts: facts["came"] and facts["behind"] <= 45,
            ),
            Assumption(f"{_SETTINGS}, endpoint_events_copies", "it comes", _is("came", True)),
        ),
    ),
    Question(
        "status-reason",
        "Is StatusReason the stop's Reason, word for word?",
        "if not, an end of ours is taken for somebody else's",
        (
            Assumption(
                f"{_HANDLER}/lifecycle/stop_request.py, digest_in", "it is", _is("same", True)
            ),
            Assumption(f"{_STOPPING}, stop", "it is", _is("same", True)),
        ),
    ),
    Question(
        "after-an-end",
        "What are the variants' statuses, and FailureReason, after an end?",
        "a contradiction is only a warning",
        (
            Assumption(
                f"{_STOPPING}, _apply",
                "Deleted for the removed variant, InService for the promoted one, no FailureReason",
                lambda facts: (
                    (facts["production"], facts["shadow"], facts["failure"])
                    == ("Deleted", "InService", None)
                ),
            ),
            Assumption(
                f"{_HANDLER}/lifecycle/end.py, contradictions",
                "Deleted or Deleting for the removed variant, any other for the promoted one",
                lambda facts: (
                    facts["production"] in ("Deleted", "Deleting")
                    and facts["shadow"] not in ("Deleted", "Deleting")
                ),
            ),
        ),
    ),
    Question(
        "shadow-mode-after-an-end",
        "Does ShadowModeConfig still name both variants after an end?",
        "if not, the variants' statuses are not compared with an outcome",
        (
            Assumption(
                "local_aws/emulator/sagemaker/experiments.py, describe", "yes", _is("both", True)
            ),
        ),
    ),
    Question(
        "undo-without-rollback",
        "Which request restores a resource whose update failed with rollback disabled?",
        "the function reads the stack's events, which show every combination",
        (
            Assumption(
                f"{_SETTINGS}, undo_of_failed_update",
                "an Update, while the stack is UPDATE_IN_PROGRESS",
                lambda facts: facts["undone"] == ["Update in UPDATE_IN_PROGRESS"],
            ),
        ),
    ),
    Question(
        "old-properties-of-the-retry",
        "After an update that failed with rollback disabled, which old properties does the next "
        "update have?",
        "the same",
        (
            Assumption(
                f"{_SETTINGS}, old_properties_after_failure",
                "those before the failed update",
                _is("old", "stable"),
            ),
        ),
    ),
)

_TITLE = """# Observations

What nobody has published about AWS, so that the local AWS can only assume it. In a real account,
`python -m tests.integ.observe` answers these questions and writes this page; [the
instructions](../tests/integ/README.md) fit on ten lines. [What AWS does not
document](aws/undocumented.md) has what others have recorded, and what this script does not ask.

| question | until it is answered | observed in a real account |
| --- | --- | --- |
"""

_SOURCES = """
[describe]: https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_DescribeInferenceExperiment.html
"""


def page(answers: Mapping[str, Answer]) -> str:
    """Return the page of the answers, by the questions' names."""
    return _TITLE + "".join(_row(question, answers) for question in QUESTIONS) + _SOURCES


def _row(question: Question, answers: Mapping[str, Answer]) -> str:
    observed = _observed(question, answers.get(question.name)).replace("|", "\\|")
    return f"| {question.text} | {question.meanwhile} | {observed} |\n"


def _observed(question: Question, answer: Answer | None) -> str:
    if answer is None:
        return "not observed"
    lines = [f"**{answer.text}**", f"{answer.when}, {answer.where}; {answer.versions}"]
    if answer.request_ids:
        lines.append(f"request ids: {', '.join(answer.request_ids)}")
    lines += [
        f"contradicts `{assumption.place}`, which assumes: {assumption.what}"
        for assumption in question.assumptions
        if not assumption.holds(answer.facts)
    ]
    return "<br>".join(" ".join(line.split()) for line in lines)
