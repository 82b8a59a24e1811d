"""The library `lamina`: its public names, their documentation, and that it can be installed and type-checked."""

from __future__ import annotations

import argparse
import ast
import inspect
import json
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import lamina
from lamina.commands.main import COMMANDS, INTERNAL_COMMANDS
from lamina.errors import BadInput, BadUsage
from tests.support.archives import docker_save, oci_platforms, sample
from tests.support.recipes import base, recipe, root_layer, save, write_recipe
from tests.support.trees import make_tree

ROOT = Path(__file__).parents[2]
PACKAGE = Path(lamina.__file__).parent
FUNCTIONS = [name for name in lamina.__all__ if name.islower()]


def test_importing_the_library_imports_nothing_else() -> None:
    code = "import sys; before = set(sys.modules); import lamina; print(*sorted(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["lamina"]


def test_public_names_are_sorted_listed_and_there() -> None:
    assert lamina.__all__ == sorted(lamina.__all__)
    assert set(lamina.__all__) <= set(dir(lamina))
    for name in lamina.__all__:
        assert getattr(lamina, name).__name__ == name
    with pytest.raises(AttributeError, match="module 'lamina' has no attribute 'open_imges'"):
        getattr(lamina, "open_imges")  # noqa: B009


def test_names_for_type_checkers_are_those_of_the_running_library() -> None:
    """Type checkers see the imports, a running program the table."""
    tree = ast.parse((PACKAGE / "__init__.py").read_text())
    imports = {
        alias.name: node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names
    }
    assert sorted(imports) == lamina.__all__
    assert {name: f"lamina.{module}" for name, module in vars(lamina)["_MODULES"].items()} == imports


@pytest.mark.parametrize("name", lamina.__all__)
def test_a_public_name_is_documented(name: str) -> None:
    text = inspect.getdoc(getattr(lamina, name)) or ""
    assert text and text[0].isupper() and len(text) > 140
    if name in FUNCTIONS:
        assert "Raises BadInput" in text or "Raises BadUsage" in text
        _, *options = inspect.signature(getattr(lamina, name)).parameters  # the first line is about the first one
        assert [word for word in options if f"`{word}`" not in text] == []


def options_of_commands() -> set[str]:
    """Every long option of every command."""
    found: set[str] = set()
    for command in (*COMMANDS, *INTERNAL_COMMANDS):
        parser = argparse.ArgumentParser()
        command.module().add_arguments(parser)
        found |= {text for action in parser._actions for text in action.option_strings if text.startswith("--")}
    return found - {"--help"}


def texts(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def test_the_library_does_not_mention_options_of_the_command_line() -> None:
    """A text that is an option as a whole is an argument for another program."""
    options = options_of_commands()
    assert {"--to", "--for", "--name", "--keep-dirlinks"} <= options
    mentioned = {
        (path.relative_to(PACKAGE).as_posix(), word)
        for path in PACKAGE.rglob("*.py")
        if path.parent.name != "commands"
        for text in texts(path)
        for word in re.findall(r"(?<![\w-])--[a-z][a-z-]*", text)
        if word in options and text.split("=")[0] != word
    }
    assert mentioned == set()


# Opening


def test_a_recipe_is_selected_by_name_and_platform_like_an_archive(tmp_path: Path) -> None:
    path = write_recipe(recipe(names=[{"name": "app", "tag": "1"}], architecture="arm64"), tmp_path)
    for platform in (None, "arm64", "linux/arm64"):
        assert lamina.open_image(path, platform=platform, name="app", tag="1").config["architecture"] == "arm64"
    with pytest.raises(BadInput, match=r"contains no image for linux/amd64; it contains: linux/arm64"):
        lamina.open_image(path, platform="amd64")
    with pytest.raises(BadInput, match=r"contains no image other:\(any tag\); it contains: docker.io/library/app:1"):
        lamina.open_images(path, name="other")


def test_a_platform_selects_among_those_of_an_archive(tmp_path: Path) -> None:
    path = save(oci_platforms([sample(name, architecture=name) for name in ("amd64", "arm64")]), tmp_path / "it.tar")
    for platform in ("arm64", "linux/arm64"):
        [image] = lamina.open_images(str(path), platform=platform)
        assert image.config["architecture"] == "arm64"
    with pytest.raises(BadUsage, match=r"platform: 'windows/amd64' is not a platform for Linux"):
        lamina.open_images(path, platform="windows/amd64")


def test_a_recipe_can_be_the_base_of_a_recipe(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    below = write_recipe(recipe(root_layer(make_tree(first / "tree", {"a": b"a"})), config={"User": "7"}), first)
    above = recipe(root_layer(make_tree(second / "tree", {"b": b"b"})), base=base(below, "app", "1"))
    image = lamina.build_image(write_recipe(above, second))
    assert len(image.layers) == 2 and image.config["config"]["User"] == "7"
    lamina.write(image, tmp_path / "out.tar")
    assert lamina.verify(tmp_path / "out.tar").problems == ()


def test_a_recipe_that_is_its_own_base_is_refused(tmp_path: Path) -> None:
    path = write_recipe(recipe(base=base(tmp_path / "recipe.json")), tmp_path)
    with pytest.raises(BadInput, match="more than 16 recipes, each the base of the next"):
        lamina.build_image(path)


def test_a_recipe_may_start_with_white_space(tmp_path: Path) -> None:
    path = tmp_path / "image.json"
    path.write_text("\n  " + json.dumps(recipe()))
    assert lamina.open_image(path).names[0].familiar == "app:1"


def test_unknown_daemons_and_consumers_are_bad_usage(tmp_path: Path) -> None:
    image = lamina.build_image(write_recipe(recipe(), tmp_path))
    with pytest.raises(BadUsage, match="daemon: 'moby' is unknown; use one of: docker, podman, containerd"):
        lamina.load(image, "moby")
    path = save(docker_save([sample()]), tmp_path / "it.tar")
    with pytest.raises(BadUsage, match="consumers: 'moby' is not a consumer; write all, or some of: docker"):
        lamina.verify(path, consumers=["moby"])


# Types, and the installed package

SNIPPET = """\
from pathlib import Path

import lamina

images: list[lamina.Image] = lamina.open_images(Path("a.tar"), platform="arm64")
layer: lamina.Layer = images[0].layers[0]
size: int | None = layer.size
lamina.write(images, "b.tar", format="classic")
try:
    sent: int = lamina.load(lamina.build_image("image.json")).sent
except lamina.LaminaError as error:
    print(error.where, error.exit_status)
problems: tuple[str, ...] = lamina.verify("b.tar", consumers=["podman"]).problems
"""


def test_a_user_s_program_is_type_checked(tmp_path: Path) -> None:
    def errors(text: str) -> list[str]:
        (tmp_path / "program.py").write_text(text)
        command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(ROOT / ".mypy_cache"), "program.py"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
        return [line for line in done.stdout.splitlines() if ": error:" in line]

    assert errors(SNIPPET) == []
    [wrong] = errors(SNIPPET.replace('problems: tuple[str, ...] = lamina.verify("', 'problems: int = lamina.verify("'))
    assert "Incompatible types in assignment" in wrong
    [unknown] = errors("import lamina\nlamina.open_imges\n")
    assert 'Module has no attribute "open_imges"' in unknown


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(directory)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=120)
    [path] = directory.iterdir()
    return path


def test_the_wheel_contains_the_package_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert {name.partition("/")[0] for name in names} == {"lamina", f"lamina-{lamina.__version__}.dist-info"}
    assert "lamina/py.typed" in names
    own = {f"lamina/{path.relative_to(PACKAGE).as_posix()}" for path in PACKAGE.rglob("*.py")}
    assert own <= set(names)


def test_an_empty_environment_gets_the_library_and_the_command(wheel: Path, tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "env"], check=True, timeout=120)
    python = tmp_path / "env" / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", str(python)]
    subprocess.run([*pip, "install", "-q", "--no-index", "--no-deps", str(wheel)], check=True, timeout=300)
    quiet = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    code = "import lamina, importlib.util as u; print(lamina.__file__, u.find_spec('builder'), lamina.LaminaError)"
    done = subprocess.run([python, "-c", code], cwd=tmp_path, env=quiet, capture_output=True, text=True, check=True)
    assert done.stdout.startswith(str(tmp_path / "env")) and " None <class 'lamina.errors.LaminaError'>" in done.stdout
    command = [str(tmp_path / "env" / "bin" / "lamina"), "--version"]
    version = subprocess.run(command, cwd=tmp_path, env=quiet, capture_output=True, text=True, check=True)
    assert version.stdout == f"lamina {lamina.__version__}\n"
