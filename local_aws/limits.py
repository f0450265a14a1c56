"""What AWS accepts, for the local AWS and for the loopback of the tests: said once.

EventBridge's limits are the API reference's (PutRule, PutTargets, Target) and its user guide's
("Setting a schedule pattern for scheduled rules"). Lambda's are the developer guide's ("Lambda
quotas", "How Lambda handles errors with asynchronous invocation"). What CloudFormation accepts as
an answer is its user guide's ("Custom resource request and response reference"). Only the standard
library is imported: the emulator has an environment of its own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

__all__ = [
    "ASYNC_RETRY_MINUTES",
    "MAX_INPUT_CHARACTERS",
    "MAX_POLICY_BYTES",
    "MAX_RESPONSE_BYTES",
    "MAX_RULE_NAME_CHARACTERS",
    "AnswerError",
    "is_rate",
    "is_rule_name",
    "parsed_answer",
]

MAX_RULE_NAME_CHARACTERS = 64
MAX_INPUT_CHARACTERS = 8192
MAX_POLICY_BYTES = 20_480
MAX_RESPONSE_BYTES = 4096
ASYNC_RETRY_MINUTES = (1, 2)
"""After how many minutes Lambda invokes a function again that raised or was killed."""
_NAME = re.compile(rf"[\.\-_A-Za-z0-9]{{1,{MAX_RULE_NAME_CHARACTERS}}}")
_RATE = re.compile(r"rate\((\d+) (minute|hour|day)(s?)\)")
_COPIED = ("StackId", "RequestId", "LogicalResourceId")


class AnswerError(ValueError):
    """An answer that CloudFormation does not accept; the message is the local AWS's own."""


def is_rule_name(name: str) -> bool:
    """Return whether a rule, or a target, can have a name."""
    return _NAME.fullmatch(name) is not None


def is_rate(expression: str) -> bool:
    """Return whether a schedule is a rate: one minute, or several minutes."""
    rate = _RATE.fullmatch(expression)
    return rate is not None and int(rate[1]) > 0 and (int(rate[1]) == 1) == (rate[3] == "")


def parsed_answer(body: bytes, event: Mapping[str, Any]) -> dict[str, Any]:
    """Return the answer to a request of CloudFormation.

    Raises:
        AnswerError: It is too long, no JSON object, of another request, or without a status.
    """
    if len(body) > MAX_RESPONSE_BYTES:
        raise AnswerError("Response object is too long.")
    try:
        answer = json.loads(body)
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise AnswerError("Invalid response: it is no JSON object.")
    wrong = [name for name in _COPIED if answer.get(name) != event[name]]
    if wrong:
        raise AnswerError(f"Invalid response: {', '.join(wrong)} not as in the request.")
    if answer.get("Status") not in ("SUCCESS", "FAILED"):
        raise AnswerError("Invalid response: Status must be SUCCESS or FAILED.")
    return answer
