"""The scripts for a real account, on the local AWS: the same code, the endpoint by environment."""

from __future__ import annotations

import io
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
from .run import INTERRUPTIONS, main

pytestmark = pytest.mark.slow

INTEG = "tests.integ"
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

    def run(*arguments: str, answer: str = "yes\n") -> tuple[int, str]:
        monkeypatch.setattr("sys.stdin", io.StringIO(answer))
        try:
            code = main("", run_histories, ["--poll-seconds=0.2", *arguments])
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


@pytest.mark.parametrize(
    ("arguments", "answer", "told"),
    [
        ((), "yes\n", "the following arguments are required: --account"),
        (("--account", "123456789012"), "yes\n", "and the credentials are of 000000000000"),
        (("--account", ACCOUNT), "y\n", "at most 1.60 USD"),
        (("--account", ACCOUNT), "", "Nothing was made."),
        (("--account", ACCOUNT, "--clean-up", "fraud"), "yes\n", "no prefix of a run"),
    ],
)
def test_refuses_to_run_without_the_account_and_a_yes_to_the_price(
    account: Account, user: User, arguments: tuple[str, ...], answer: str, told: str
) -> None:
    code, printed = user(*arguments, answer=answer)
    assert code == 2
    assert told in printed
    assert account.is_as_before(), account.left_behind()


def test_the_instructions_fit_on_ten_lines() -> None:
    text = (Path(__file__).parent / "README.md").read_text()
    assert len([line for line in text.splitlines() if line.strip()]) <= 10
