"""What a failed AWS call means, as types. No other module needs to know botocore's errors."""

from __future__ import annotations

from typing import ClassVar

from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError, ParamValidationError
from botocore.exceptions import ConnectionError as BotoConnectionError
from botocore.parsers import ResponseParserError

from ..lifecycle.situation import Kind, NotReadable
from ..lifecycle.words import shortened

MAX_TEXT = 500
"""Of an error's text; botocore takes a whole page of a proxy for the message."""


class AwsError(Exception):
    """An AWS call failed.

    Attributes:
        kind: What that means for what was to be read.
        may_be_done: AWS may have carried out the call anyway: its answer was lost.
    """

    kind: ClassVar[Kind] = Kind.REFUSED

    def __init__(self, why: str, *, may_be_done: bool = False) -> None:
        super().__init__(shortened(why, MAX_TEXT))
        self.may_be_done = may_be_done

    @property
    def as_not_readable(self) -> NotReadable:
        """The same as a value."""
        return NotReadable(self.kind, str(self))


class Refused(AwsError):
    """AWS would refuse the call again."""


class NotSent(Refused):
    """The SDK did not send the call: no state of what it names can be the cause."""


class Transient(AwsError):
    """A later attempt may succeed."""

    kind = Kind.TRANSIENT


class Throttled(Transient):
    """Too many calls: a later attempt may succeed, a fast one makes it worse."""


class Denied(AwsError):
    """IAM denies the call; it may not know a new policy yet."""

    kind = Kind.DENIED


class Conflict(Transient):
    """The state of the experiment or of its endpoint does not allow the call at this moment."""


class Gone(Refused):
    """AWS does not know what the call names."""


_THROTTLED = frozenset(
    {
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "RequestThrottledException",
        "RequestThrottled",
        "TooManyRequestsException",
        "RequestLimitExceeded",
        "SlowDown",
    }
)
_TRANSIENT = frozenset({"RequestTimeout", "RequestTimeoutException", "ServiceUnavailable"})
_DENIED = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"})
_GONE = frozenset({"ResourceNotFound", "ResourceNotFoundException"})
_GONE_WORDS = ("not found", "does not exist", "could not find")
_CHANGING_WORDS = ("in-progress", "in progress", "being updated", "inprogress")


_NOT_PARSED = (ResponseParserError, AttributeError, KeyError, UnicodeDecodeError)
"""What botocore raises for a response that is not AWS's, such as the text of a proxy: KeyError for
XML of another kind, AttributeError for a list in JSON. Anything else is an error of this package.
"""

CALL_FAILED = (ClientError, BotoCoreError, *_NOT_PARSED)
"""What a call by botocore raises if it fails."""


def error_of(error: Exception) -> AwsError:
    """The type of a failed call, from one of :data:`CALL_FAILED`."""
    if not isinstance(error, ClientError):
        text = f"{type(error).__name__}: {error}"
        is_lost = isinstance(error, HTTPClientError | BotoConnectionError)
        if is_lost or not isinstance(error, BotoCoreError):
            return Transient(text, may_be_done=True)
        if isinstance(error, ParamValidationError):
            text += "; deploy properties that this release of the library makes"
        return NotSent(text)
    details = error.response.get("Error", {})
    code, message = str(details.get("Code", "")), str(details.get("Message", ""))
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    text = ": ".join(filter(None, (error.operation_name, code, message)))
    if code in _THROTTLED or status == 429:
        return Throttled(text)
    if code in _TRANSIENT or status >= 500:
        return Transient(text, may_be_done=True)
    if code in _DENIED:
        return Denied(text)
    # SageMaker also says as a ValidationException that an endpoint is in a change, and older calls
    # that a resource does not exist.
    is_invalid = code in ("ValidationException", "ValidationError")
    if code == "ConflictException" or (is_invalid and _has(message, _CHANGING_WORDS)):
        return Conflict(text)
    if code in _GONE or (is_invalid and _has(message, _GONE_WORDS)):
        return Gone(text)
    return Refused(text)


def _has(message: str, words: tuple[str, ...]) -> bool:
    return any(word in message.lower() for word in words)
