"""Times in images, recipes and command lines: RFC 3339, and the forms that dockerTools accepts."""

from __future__ import annotations

import contextlib
import datetime
import re

from lamina.errors import BadInput
from lamina.oci.strict_json import expect

_HOUR_24 = r"(?as)\d{4}-?(?:\d\d-?\d\d|W\d\d(?:-?\d)?).24"
"""A date and the hour 24, which Python accepts from 3.14 on, and Go does not."""

_RFC3339 = r"(?a)\d{4}-\d\d-\d\dT(?!24)\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)"


def check_timestamp(value: object, what: str, where: object) -> str:
    """`value`, which must be an RFC 3339 time: all readers of `created` require that. Raises BadInput."""
    text = expect(value, str, what, where)
    if is_timestamp(text):
        return text
    raise BadInput(where, f"{what} is {text!r:.60}, not an RFC 3339 time", "write it like 1970-01-01T00:00:01Z")


def is_timestamp(value: object) -> bool:
    """Whether it is a text that is an RFC 3339 time."""
    if isinstance(value, str) and re.fullmatch(_RFC3339, value):
        with contextlib.suppress(ValueError):
            datetime.datetime.fromisoformat(value)
            return True
    return False


def any_time(text: str, what: str, where: object) -> str:
    """A time as RFC 3339: from RFC 3339, `now`, or, as in dockerTools, `@SECONDS` and other forms of ISO 8601.

    Raises BadInput: none of these.
    """
    with contextlib.suppress(BadInput):
        return check_timestamp(text, what, where)
    with contextlib.suppress(ValueError, OverflowError):
        if text == "now":
            moment = datetime.datetime.now(datetime.UTC)
        elif text.startswith("@"):
            moment = datetime.datetime.fromtimestamp(int(text[1:]), datetime.UTC)
        else:
            moment = _moment(text)
        zoned = moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)
        return zoned.astimezone(datetime.UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return check_timestamp(text, what, where)


def seconds(text: str, what: str, where: object) -> int:
    """The same times in seconds since 1970, for a tar header. Raises BadInput: none of these, or before 1970."""
    result = int(datetime.datetime.fromisoformat(any_time(text, what, where)).timestamp())
    if result < 0:
        raise BadInput(where, f"{what} is {text}", "a tar header holds no time before 1970")
    return result


def _moment(text: str) -> datetime.datetime:
    """The time in a form of ISO 8601. Raises ValueError: none of the forms that all versions of Python accept."""
    if re.match(_HOUR_24, text):
        raise ValueError("hour 24")
    return datetime.datetime.fromisoformat(text)
