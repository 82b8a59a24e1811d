"""An error is one line that nothing in the input can break or colour."""

from __future__ import annotations

import pytest

from lamina.errors import BadInput, BadUsage, LaminaError, printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain text, grüße", "plain text, grüße"),
        ("a\nb\r\t", r"a\nb\r\t"),
        ("\x1b[31mred\x9b", r"\x1b[31mred\x9b"),
        ("right\u202eto left", r"right\u202eto left"),
        ("line\u2028end", r"line\u2028end"),
        ("raw\udcff", r"raw\udcff"),
    ],
)
def test_what_could_steer_a_terminal_is_escaped(text: str, shown: str) -> None:
    assert printable(text) == shown
    assert str(BadInput("where", text)) == f"where: {shown}"


def test_an_error_says_where_what_and_what_to_do() -> None:
    error = BadInput("f.tar", "cut short", "pull it again")
    assert str(error) == "f.tar: cut short; pull it again"
    assert (error.where, error.what, error.remedy) == ("f.tar", "cut short", "pull it again")


def test_the_exit_status_tells_input_from_usage() -> None:
    assert (LaminaError.exit_status, BadInput.exit_status, BadUsage.exit_status) == (1, 1, 2)
