"""What AWS does not document, what the code and the local AWS assume, and the answers' page."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["QUESTIONS", "Answer", "Assumption", "Question", "page"]

Facts = Mapping[str, Any]
_STOPPING = "local_aws/emulator/sagemaker/stopping.py"
_SETTINGS = "local_aws/settings.py"
_HANDLER = "lambda/cdk_stop_inference_experiment_handler"
_RECORDINGS = "../tests/recordings"


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
        entry: Words of its entry in docs/aws/undocumented.md.
        assumptions: What depends on the answer, or models one.
        recorded: What others have published about it, and where; empty if nobody has.
    """

    name: str
    text: str
    entry: str
    assumptions: tuple[Assumption, ...] = ()
    recorded: str = ""


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
        "stop-from-created",
        "Can an experiment in status Created be stopped?",
        "whether an experiment in status Created can be stopped",
        (Assumption(f"{_SETTINGS}, stop_accepted_from", "it can", _is("accepted", True)),),
        "AWS's own handler of the native resource deletes one in Created without a stop, and stops "
        "only a Running one ([its code][handler])",
    ),
    Question(
        "arn-case",
        "Do ARNs keep the case of an experiment's name?",
        "whether ARNs keep the case of an experiment's name",
        (
            Assumption(
                "local_aws/emulator/sagemaker/arns.py, Scope.arn", "they do", _is("kept", True)
            ),
        ),
    ),
    Question(
        "default-state",
        "In which state does an experiment end if the stop names none?",
        "in which state an experiment ends if none is declared",
        (
            Assumption(
                f"{_SETTINGS}, default_desired_state", "Completed", _is("status", "Completed")
            ),
        ),
        "an early conclusion shows as Cancelled ([documented][describe]); no stop is recorded",
    ),
    Question(
        "promoted-instances",
        "On which instances does a promotion run without DesiredModelVariants?",
        "on which instances a promotion runs without `desired_model_variants`",
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
        "whether the update of the endpoint that a stop makes sends the event of an endpoint's",
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
        "whether StatusReason is the stop's Reason, word for word",
        (
            Assumption(
                f"{_HANDLER}/lifecycle/stop_request.py, digest_in", "it is", _is("same", True)
            ),
            Assumption(f"{_STOPPING}, stop", "it is", _is("same", True)),
        ),
    ),
    Question(
        "last-modified",
        "Which changes of an experiment change its LastModifiedTime?",
        "which changes of an experiment change its LastModifiedTime",
        (
            Assumption(
                "local_aws/emulator/sagemaker/lifecycle.py, set_status",
                "each change of the status",
                lambda facts: facts["unchanged"] == [],
            ),
        ),
    ),
    Question(
        "after-an-end",
        "What are the variants' statuses, and FailureReason, after an end?",
        "how the variants' statuses behave after an end",
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
        "whether `ShadowModeConfig` still names both variants after an end",
        (
            Assumption(
                "local_aws/emulator/sagemaker/experiments.py, describe", "yes", _is("both", True)
            ),
        ),
    ),
    Question(
        "revert-drift",
        "What does 'cdk deploy --revert-drift' do to an endpoint after a promotion?",
        "what `cdk deploy --revert-drift` does to an endpoint after a promotion",
        (Assumption("local_aws/README.md, --revert-drift", "nothing", _is("reverted", False)),),
    ),
    Question(
        "retain-and-promote",
        "What does Retain of production together with Promote of the shadow do?",
        "what happens with Retain together with Promote",
        (
            Assumption(
                f"{_STOPPING}, _sorted_out",
                "it is accepted, and the shadow takes production's place",
                lambda facts: facts["accepted"] and facts["serving"] == "only the shadow",
            ),
        ),
    ),
    Question(
        "cancelled-and-promote",
        "What does a promotion with DesiredState Cancelled do?",
        "with Cancelled together with Promote",
        (
            Assumption(
                f"{_STOPPING}, stop",
                "it is accepted, ends as Cancelled, and the shadow takes production's place",
                lambda facts: (
                    facts["accepted"]
                    and (facts["status"], facts["serving"]) == ("Cancelled", "only the shadow")
                ),
            ),
        ),
    ),
    Question(
        "response-url",
        "Which signature does CloudFormation's ResponseURL have?",
        "which signature CloudFormation's ResponseURL has",
        (
            Assumption(
                "local_aws/emulator/responses.py, X-Amz-Date",
                "Signature Version 4, with a date, for 7200 s",
                lambda facts: (
                    facts["X-Amz-Algorithm"] == "AWS4-HMAC-SHA256"
                    and "X-Amz-Date" in facts
                    and facts["X-Amz-Expires"] == "7200"
                ),
            ),
        ),
        "Signature Version 4 with X-Amz-Date, for 7200 or 7199 s, in every one that was published "
        "since 2020, such as in [aws/aws-cdk issue 17546][url]; none is from GovCloud",
    ),
    Question(
        "undo-without-rollback",
        "Which request restores a resource whose update failed with rollback disabled?",
        "which requests a custom resource gets when a failed resource is restored with rollback",
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
        "Which old properties has the update after one that failed with rollback disabled?",
        "which properties of a failed update become the next update's old",
        (
            Assumption(
                f"{_SETTINGS}, old_properties_after_failure",
                "those before the failed update",
                _is("old", "stable"),
            ),
        ),
    ),
    Question(
        "event-properties",
        "Which ResourceProperties does the event of a failed update have?",
        "what the ResourceProperties of a custom resource's",
        (
            Assumption(
                f"{_HANDLER}/lifecycle/history.py, History.deployed",
                "those of the failed update",
                _is("properties", "failed"),
            ),
            Assumption(
                "local_aws/emulator/stack_events.py", "the same", _is("properties", "failed")
            ),
        ),
        "those of the failed update; the undo's events have the old ones "
        f"([recorded]({_RECORDINGS}/nested-update-fails-and-rolls-back.json))",
    ),
    Question(
        "event-before-request",
        "How long before its request is a resource's *_IN_PROGRESS event written?",
        "how long before its request a resource's `*_IN_PROGRESS` event is written",
        (
            Assumption(
                f"{_HANDLER}/lifecycle/history.py, OWN_EVENT_SECONDS",
                "not more than three seconds",
                lambda facts: facts["seconds"] <= 3,
            ),
        ),
        "0 to 1 s, at most 1.85 s, in 31 requests of which events and logs were published",
    ),
    Question(
        "event-shown",
        "How soon does DescribeStackEvents show a resource's *_IN_PROGRESS event?",
        "how soon DescribeStackEvents shows it",
        (
            Assumption(
                f"{_HANDLER}/lifecycle/situation.py, DOUBT_SECONDS",
                "within a minute",
                lambda facts: facts["seconds"] <= 60,
            ),
        ),
        f"within a second ([recorded]({_RECORDINGS}/ansible-basic-s3-stack.json))",
    ),
    Question(
        "logged-object",
        "Do Lambda's runtimes write an object that is logged as an object?",
        "whether Lambda's runtimes write an object that is logged as an object",
        (Assumption("docs/reference/logs.md, Insights", "they do", _is("object", True)),),
    ),
    Question(
        "nested-failure",
        "Which status has the root stack while a stack below it rolls itself back?",
        "which status a root stack has while a stack below it rolls back",
        (
            Assumption(
                f"{_SETTINGS}, nested_failure_seconds",
                "UPDATE_ROLLBACK_IN_PROGRESS",
                _is("root", "UPDATE_ROLLBACK_IN_PROGRESS"),
            ),
        ),
        "UPDATE_IN_PROGRESS for 5.9 s, then UPDATE_ROLLBACK_IN_PROGRESS, before anything in the "
        f"nested stack is undone ([recorded]({_RECORDINGS}/nested-update-fails-and-rolls-back.json)"
        f"); 13 s a level [elsewhere]({_RECORDINGS}/nested-failure-travels-up.json)",
    ),
    Question(
        "nested-rollback",
        "Which status has a nested stack while its root rolls back?",
        "which status a root stack has while a stack below it rolls back",
        (
            Assumption(
                "local_aws/emulator/nested_stacks.py",
                "UPDATE_ROLLBACK_IN_PROGRESS",
                _is("nested", "UPDATE_ROLLBACK_IN_PROGRESS"),
            ),
        ),
        "UPDATE_ROLLBACK_IN_PROGRESS "
        f"([recorded]({_RECORDINGS}/nested-siblings-told-to-roll-back.json))",
    ),
    Question(
        "nested-without-rollback",
        "How is a nested stack restored whose update failed, in a root without rollback?",
        "or while it restores a nested stack without rollback",
        (
            Assumption(
                f"{_SETTINGS}, nested_undo",
                "it rolls itself back",
                _is("nested", "UPDATE_ROLLBACK_IN_PROGRESS"),
            ),
        ),
    ),
    Question(
        "iam-propagation",
        "How long does IAM need to propagate a new policy?",
        "how long IAM needs to propagate a new policy",
        (
            Assumption(
                f"{_HANDLER}/lifecycle/decision.py, IAM_PROPAGATION_SECONDS",
                "60 s at most",
                lambda facts: facts["seconds"] <= 60,
            ),
        ),
    ),
    Question(
        "composite-alarms",
        "With a permission for named alarms, does DescribeAlarms deny composite alarms?",
        "whether DescribeAlarms denies composite alarms, or returns none",
        (
            Assumption(
                "local_aws/README.md, DescribeAlarms for composite alarms",
                "AccessDenied",
                _is("denied", True),
            ),
        ),
    ),
)

_TITLE = """# Observations

What AWS does where its documentation is silent: the questions of
[What AWS does not document](aws/undocumented.md). The public record is what others have published.
`python -m tests.integ.observe` runs in a real account and writes this page;
[the instructions](../tests/integ/README.md) fit on ten lines.

| question | the public record | observed in a real account |
| --- | --- | --- |
"""

_SOURCES = """
[describe]: https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_DescribeInferenceExperiment.html
[handler]: https://github.com/aws-cloudformation/aws-cloudformation-resource-providers-sagemaker
[url]: https://github.com/aws/aws-cdk/issues/17546
"""


def page(answers: Mapping[str, Answer]) -> str:
    """Return the page of the answers, by the questions' names."""
    return _TITLE + "".join(_row(question, answers) for question in QUESTIONS) + _SOURCES


def _row(question: Question, answers: Mapping[str, Answer]) -> str:
    observed = _observed(question, answers.get(question.name)).replace("|", "\\|")
    return f"| {question.text} | {question.recorded or 'nothing'} | {observed} |\n"


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
