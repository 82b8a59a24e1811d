"""Image names: whatever people write, each spelling of a name is that name again."""

from __future__ import annotations

from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamina.errors import BadInput
from lamina.image.image import Image
from lamina.media.choice import Candidate, choose
from lamina.oci.reference import Reference, parse_reference

_component = st.from_regex(r"[a-z0-9]{1,8}([._]|__|-{1,3})?[a-z0-9]{1,8}", fullmatch=True)
_registry = st.none() | st.sampled_from(
    ["docker.io", "localhost", "localhost:5000", "quay.io", "a.b-c.d:1", "index.docker.io"]
)
_tag = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}", fullmatch=True)


@st.composite
def spellings(draw: st.DrawFn) -> str:
    registry = draw(_registry)
    # What looks like a registry may stand anywhere in a name.
    first = st.sampled_from(["localhost", "foo.bar", "library", "docker.io"])
    parts = [draw(first | _component), *draw(st.lists(_component, max_size=3))]
    name = "/".join([registry, *parts] if registry else parts)
    return f"{name}:{draw(_tag)}" if draw(st.booleans()) else name


@given(spellings())
def test_its_spellings_are_one_name(text: str) -> None:
    reference = parse_reference(text, "it")
    assert parse_reference(reference.qualified, "it") == reference
    assert parse_reference(reference.familiar, "it") == reference
    assert parse_reference(f"{reference.qualified_name.upper()}:{reference.tag}", "it") == reference


@given(st.text(max_size=300))
def test_whatever_the_text_it_is_a_name_or_refused(text: str) -> None:
    try:
        reference = parse_reference(text, "it")
    except BadInput as error:
        assert "\n" not in str(error)
    else:
        assert parse_reference(reference.qualified, "it") == reference
        assert len(reference.qualified_name) <= 255


def _same(image: Image) -> Image:
    return image


@given(st.lists(spellings(), min_size=1, max_size=5), st.data())
def test_a_name_chooses_every_image_that_has_it_and_no_other(written: list[str], draw: st.DataObject) -> None:
    images = [Image({"number": number}, (), ()) for number in range(len(written))]
    candidates = [Candidate((text,), partial(_same, image)) for text, image in zip(written, images, strict=True)]
    wanted: Reference = parse_reference(draw.draw(st.sampled_from(written)), "it")
    name = draw.draw(st.sampled_from([wanted.qualified_name, wanted.familiar_name]))
    fitting = [image for text, image in zip(written, images, strict=True) if parse_reference(text, "it") == wanted]
    if len(fitting) == 1:
        assert choose(candidates, name, wanted.tag, "it") is fitting[0]
    else:
        with pytest.raises(BadInput, match=f"contains {len(fitting)} images that match"):
            choose(candidates, name, wanted.tag, "it")
