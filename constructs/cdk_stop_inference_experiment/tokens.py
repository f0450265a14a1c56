"""Telling the values that only the deployment knows."""

from __future__ import annotations

from aws_cdk import Token


def is_unresolved(value: object) -> bool:
    """Whether a value is, or holds in its text, a token; what passes cannot be checked at synth.

    Only what can be a token is handed to jsii, which refuses arbitrary Python objects and takes
    its time over each text. In a text, a token stands as ``${Token[...]}``.
    """
    if isinstance(value, bool) or (isinstance(value, str) and "${" not in value):
        return False
    if isinstance(value, list):
        return all(isinstance(item, str) for item in value) and Token.is_unresolved(value)
    if isinstance(value, (str, int, float)) or hasattr(value, "resolve"):
        return Token.is_unresolved(value)
    return False


def known_text(value: object) -> str | None:
    """The text where synth knows it, else None."""
    return value if isinstance(value, str) and not is_unresolved(value) else None
