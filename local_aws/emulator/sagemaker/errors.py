"""SageMaker's errors.

The codes are SageMaker's. Messages follow AWS's wording if it is publicly known (validation
constraints, "Could not find …"); those of ConflictException and ResourceNotFound for an inference
experiment are modelled, so nothing may depend on their text.
"""

from __future__ import annotations

from typing import Any

__all__ = ["ApiError", "conflict", "not_found", "validation"]

# These shapes have a member "Message"; every other error has "message".
_MODELLED = {"ConflictException", "ResourceInUse", "ResourceLimitExceeded", "ResourceNotFound"}


class ApiError(Exception):
    """An error, returned to the caller in SageMaker's JSON 1.1 protocol."""

    def __init__(self, code: str, message: str, http_status: int = 400) -> None:
        """Store the parts of the answer.

        Args:
            code: The error code, such as ``ConflictException``.
            message: The message for the user.
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
    """Return a ValidationException for input that is well-formed but invalid."""
    return ApiError("ValidationException", message)
