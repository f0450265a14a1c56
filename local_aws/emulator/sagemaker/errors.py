"""The errors SageMaker answers with.

The codes are SageMaker's own. Messages follow AWS's wording where it is publicly known (validation
constraints, "Could not find …"); those of ConflictException and ResourceNotFound on an inference
experiment are modelled, so nothing should depend on their text.
"""

from __future__ import annotations

from typing import Any

__all__ = ["ApiError", "conflict", "not_found", "validation"]

# These shapes declare their member as "Message"; every other error is sent with "message".
_MODELLED = {"ConflictException", "ResourceInUse", "ResourceLimitExceeded", "ResourceNotFound"}


class ApiError(Exception):
    """An error that goes back to the caller as SageMaker's JSON 1.1 protocol words it."""

    def __init__(self, code: str, message: str, http_status: int = 400) -> None:
        """Keep the parts of the answer.

        Args:
            code: The error code, such as ``ConflictException``.
            message: The text for a person.
            http_status: The HTTP status; SageMaker answers 400 to client errors. Default: 400.
        """
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.http_status = http_status

    def to_json(self) -> dict[str, Any]:
        """Return the body of the answer."""
        member = "Message" if self.code in _MODELLED else "message"
        return {"__type": self.code, member: self.message}


def conflict(message: str) -> ApiError:
    """Return a ConflictException: the experiment's status does not allow the call now."""
    return ApiError("ConflictException", message)


def not_found(arn: str) -> ApiError:
    """Return a ResourceNotFound for an inference experiment."""
    return ApiError("ResourceNotFound", f"Inference experiment {arn} does not exist.")


def validation(message: str) -> ApiError:
    """Return a ValidationException for input that has the right form and a wrong meaning."""
    return ApiError("ValidationException", message)
