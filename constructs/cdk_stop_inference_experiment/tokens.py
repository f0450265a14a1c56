"""Recognises values that are only known at deployment."""

from __future__ import annotations

import sys

from aws_cdk import Token

_LOOKUP_DUMMY = "dummy-value-for-"
"""The start of what ``ssm.StringParameter.value_from_lookup`` returns before the lookup.

The CLI looks the value up and runs the app again, but only if the app did not fail. See
https://docs.aws.amazon.com/cdk/v2/guide/context.html
"""


def is_unresolved(value: object) -> bool:
    """Whether a value is a token or a string that contains one, so that synth cannot check it.

    The dummy of a context lookup counts as one. Only values that can be tokens are passed to jsii,
    which refuses arbitrary Python objects and is slow for strings. In a string, a token looks like
    ``${Token[...]}``.
    """
    if is_lookup_dummy(value):
        return True
    if isinstance(value, bool) or (isinstance(value, str) and "${" not in value):
        return False
    if isinstance(value, list):
        return all(isinstance(item, str) for item in value) and Token.is_unresolved(value)
    if isinstance(value, (int, float)):
        # JSON has no NaN and no infinity: jsii ends if it gets one. A number token is a float.
        return abs(value) <= sys.float_info.max and Token.is_unresolved(value)
    if isinstance(value, str) or (is_jsii_object(value) and hasattr(value, "resolve")):
        return Token.is_unresolved(value)
    return False


def is_jsii_object(value: object) -> bool:
    """Whether an object can be passed to jsii, which does not accept every Python object."""
    if isinstance(value, type):
        return False
    return hasattr(value, "__jsii_ref__") or hasattr(type(value), "__jsii_ifaces__")


def known_text(value: object) -> str | None:
    """The string if it is known at synth, else None."""
    return value if isinstance(value, str) and not is_unresolved(value) else None


def is_lookup_dummy(value: object) -> bool:
    """Whether a string contains the dummy of a value that is yet to be looked up."""
    return isinstance(value, str) and _LOOKUP_DUMMY in value
