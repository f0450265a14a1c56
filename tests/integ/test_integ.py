"""The scripts for a real account, on the local AWS: the same code, the endpoint by environment."""

from __future__ import annotations

import io
import os
import re
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from local_aws.cdk_cli import with_short_waits
from tests.waiting import eventually

from .__main__ import run_histories
from .conftest import ACCOUNT, Account
from .histories import HISTORIES
from .questions import QUESTIONS, page
from .run import INTERRUPTIONS, Run, Work, argument_parser, main

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]

INTEG = "tests.integ"
OBSERVE = "tests.integ.observe"
User = Callable[..., tuple[int, str]]


def test_every_history_goes_as_declared_with_the_real_cdk_cli(account: Account) -> None:
    code, printed = account.run(INTEG, "--account", ACCOUNT)
    assert code == 0, printed
    for history in HISTORIES.values():
        assert str(history.__doc__) in printed
    assert "left behind: nothing" in printed
    assert account.is_as_before(), account.left_behind()
    # What only the local AWS can tell: each experiment was stopped once.
    accepted = [
        call for call in account.aws.calls("StopInferenceExperiment") if call.error_code is None
    ]
    (prefix,) = set(re.findall(r"begin with (\S+),", printed))
    stopped = Counter(call.request["Name"].removeprefix(f"{prefix}-") for call in accepted)
    assert stopped == Counter(list(HISTORIES))


def test_every_question_is_answered(account: Account, tmp_path: Path) -> None:
    # One choice that the local AWS does not make by default, to see it contradicted.
    account.aws.configure(default_desired_state="Cancelled")
    output = tmp_path / "observations.md"
    code, printed = account.run(OBSERVE, "--account", ACCOUNT, f"--output={output}")
    account.aws.configure(default_desired_state="Completed")
    assert code == 0, printed
    written = output.read_text()
    assert "not observed" not in written, printed
    assert written.count("the local AWS; boto3 ") == len(QUESTIONS)
    assert re.findall(r"contradicts .*?(?=<br>| \|)", written) == [
        "contradicts `local_aws/settings.py, default_desired_state`, which assumes: Completed"
    ]
    assert "left behind: nothing" in printed
    assert account.is_as_before(), account.left_behind()


def test_an_interrupted_run_leaves_nothing_behind(account: Account) -> None:
    created = len(account.aws.calls("CreateInferenceExperiment"))
    process = account.begin(INTEG, "--account", ACCOUNT)
    # A stack is being created, the experiment is starting, and the CDK CLI is waiting.
    assert eventually(
        lambda: len(account.aws.calls("CreateInferenceExperiment")) > created, timeout_seconds=120
    )
    process.send_signal(signal.SIGTERM)
    printed, errors = process.communicate()
    assert process.returncode == 130, printed + errors
    assert "left behind: nothing" in printed
    assert account.is_as_before(), account.left_behind()


@pytest.fixture
def user(
    account: Account, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[User]:
    """A user whose shell this process is, which saves loading aws_cdk each time."""
    for name, value in with_short_waits(account.aws.environment()).items():
        monkeypatch.setenv(name, value)

    def run(*arguments: str, answer: str = "yes\n", work: Work = run_histories) -> tuple[int, str]:
        monkeypatch.setattr("sys.stdin", io.StringIO(answer))
        try:
            code = main(argument_parser(""), work, ["--poll-seconds=0.2", *arguments])
        except SystemExit as error:
            code = int(str(error.code))
        out, errors = capsys.readouterr()
        return code, out + errors

    handlers = {number: signal.getsignal(number) for number in INTERRUPTIONS}
    yield run
    for number, handler in handlers.items():
        signal.signal(number, handler)


def test_a_failing_run_says_why_and_leaves_nothing_behind(account: Account, user: User) -> None:
    account.aws.fail("CreateInferenceExperiment", "ResourceLimitExceeded", message="no quota")
    code, printed = user("--account", ACCOUNT)
    assert code == 1, printed
    assert "no quota" in printed
    assert "left behind: nothing" in printed
    assert account.is_as_before(), account.left_behind()


@pytest.mark.parametrize("number", INTERRUPTIONS)
def test_every_interruption_is_followed_by_the_clean_up(
    account: Account, user: User, number: signal.Signals
) -> None:
    def work(run: Run, _options: object) -> None:
        name = f"/aws/sagemaker/Endpoints/{run.plan.endpoint}"
        run.session.client("logs").create_log_group(logGroupName=name)
        os.kill(os.getpid(), number)
        run.wait(lambda: False, "the signal")

    code, printed = user("--account", ACCOUNT, work=work)
    assert code == 130
    assert "left behind: nothing" in printed
    assert account.is_as_before(), account.left_behind()


def test_a_clean_up_that_fails_says_how_to_repeat_it(account: Account, user: User) -> None:
    account.aws.fail("ListEndpoints", "ExpiredTokenException", message="it has expired")
    again = ("--account", ACCOUNT, "--clean-up", "stop-integ-0a1b2c3d")
    code, printed = user(*again)
    assert code == 1
    assert "it has expired" in printed
    assert f"remove it: python -m tests.integ {' '.join(again)}" in printed
    assert user(*again)[0] == 0


@pytest.mark.parametrize(
    ("arguments", "answer", "told"),
    [
        ((), "yes\n", "the following arguments are required: --account"),
        (("--account", "123456789012"), "yes\n", "and the credentials are of 000000000000"),
        (("--account", ACCOUNT), "y\n", "at most 2.40 USD"),
        (("--account", ACCOUNT), "", "Nothing was made."),
        (("--account", ACCOUNT, "--clean-up", "stop-integ-"), "yes\n", "no prefix of a run"),
    ],
)
def test_refuses_to_run_without_the_account_and_a_yes_to_the_price(
    account: Account, user: User, arguments: tuple[str, ...], answer: str, told: str
) -> None:
    code, printed = user(*arguments, answer=answer)
    assert code == 2
    assert told in printed
    assert account.is_as_before(), account.left_behind()


def test_the_committed_observations_were_not_made_on_the_local_aws() -> None:
    assert (ROOT / "docs" / "observations.md").read_text() == page({})


def test_each_assumption_names_a_place_that_exists() -> None:
    for question in QUESTIONS:
        for assumption in question.assumptions:
            file, _, words = assumption.place.partition(", ")
            name = words.rpartition(".")[2] or words
            assert name in (ROOT / file).read_text(), assumption.place


def test_the_instructions_fit_on_ten_lines() -> None:
    text = (ROOT / "tests" / "integ" / "README.md").read_text()
    assert len([line for line in text.splitlines() if line.strip()]) <= 10
