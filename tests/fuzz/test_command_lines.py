"""Whatever the words of a command line: an exit status of 0, 1 or 2, and lines that say what is wrong."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.command_lines import FILES, ODD, TRIED, check, command_line, run, vocabulary, workplace

words = st.sampled_from(FILES) | st.sampled_from(ODD) | st.text(max_size=6)


@pytest.mark.parametrize("name", [command.name for command in TRIED])
def test_an_answer_to_any_words(name: str) -> None:
    own = st.sampled_from(vocabulary(name))

    @settings(max_examples=15, deadline=None)
    @given(st.lists(own | words, max_size=6))
    def try_it(line: list[str]) -> None:
        command_line("\n".join([name, *line]).encode(errors="surrogateescape"))

    try_it()


@settings(max_examples=20, deadline=None)
@given(st.lists(st.sampled_from([command.name for command in TRIED]) | words, max_size=4))
def test_any_first_word(line: list[str]) -> None:
    command_line("\n".join(line).encode(errors="surrogateescape"))


def test_words_reach_the_commands() -> None:
    """Or errors of the parser would be all that is seen."""
    with workplace():
        for line in (["inspect", "docker.tar"], ["build", "recipe.json", "-o", "out.tar"], ["verify", "-"]):
            status, printed, errors = run(line)
            assert (status, errors) == (0, ""), (line, errors)
            assert printed or line[0] == "build"
        assert run(["inspect", "gone"])[0] == 1
        assert run(["inspect"])[0] == 2


@pytest.mark.parametrize(
    "answer", [(3, "", ""), (1, "", ""), (1, "", "Traceback\n"), (2, "", "x\n"), (0, "", "\x1b\n")]
)
def test_an_answer_that_is_none_is_seen(answer: tuple[int, str, str]) -> None:
    with pytest.raises(AssertionError):
        check(["inspect"], *answer)
