"""Nix-shell images: what stands in their config, and the shell of a derivation that has no stdenv."""

from __future__ import annotations

import gzip
import json
import subprocess
from typing import Any

import pytest

from tests.support.builds import expression, nix_build, nix_error

PLAIN = """derivation {
  name = "plain";
  inherit (pkgs) system;
  builder = "${pkgs.bash}/bin/bash";
  args = [ "-c" "echo it's $word > $out" ];
  outputs = [ "out" "doc" ];
  word = "built";
  PATH = "${pkgs.coreutils}/bin";
  buildInputs = [ pkgs.hello ];
  shellHook = "echo hooked; hello";
  yes = true;
  no = false;
  nothing = null;
  __ignoreNulls = true;
  several = [ 1 [ "two" ] ./tests/support/builds.py ];
  long = "too long";
  passAsFile = [ "long" ];
}"""


def config_of(arguments: str) -> dict[str, Any]:
    recipe = nix_build(*expression(f"(lamina.streamNixShellImage {{ {arguments} }}).recipe"))
    parsed: dict[str, Any] = json.loads(recipe.read_bytes())["config"]
    return parsed


def environment(config: dict[str, Any]) -> dict[str, str]:
    return dict(variable.split("=", 1) for variable in config["Env"])


def test_the_environment_is_the_derivations() -> None:
    variables = environment(config_of(f"drv = {PLAIN};"))
    assert (variables["yes"], variables["no"], variables["word"]) == ("1", "", "built")
    one, two, path = variables["several"].split()
    assert (one, two) == ("1", "two")
    assert path.startswith("/nix/store/")
    assert path.endswith("-builds.py")
    assert variables["out"].endswith("-plain")
    assert variables["doc"].endswith("-plain-doc")
    assert variables.keys().isdisjoint({"long", "args", "nothing", "__ignoreNulls"})
    with open(variables["longPath"]) as file:
        assert file.read() == "too long"
    assert variables["HOME"] == variables["PWD"] == variables["NIX_BUILD_TOP"] == "/build"


def test_what_is_built_there_is_not_there_yet() -> None:
    """The image holds what the derivation needs, and none of its outputs."""
    recipe = nix_build(*expression("(lamina.streamNixShellImage { drv = pkgs.hello; }).recipe"))
    parsed = json.loads(recipe.read_bytes())
    held = {path["path"] for layer in parsed["layers"] if layer["kind"] == "store" for path in layer["paths"]}
    assert environment(parsed["config"])["out"] not in held
    assert any("-libc6-" in path for path in held)
    assert any(path.endswith("-host-bootstrap") for path in held)


def test_a_derivation_without_stdenv() -> None:
    """Its hook runs, and its inputs and its own PATH are to be found."""
    config = config_of(f'drv = {PLAIN}; run = "type -P buildDerivation cat hello";')
    done = subprocess.run(
        config["Cmd"], env=environment(config), capture_output=True, text=True, timeout=60, check=True
    )
    hooked, greeting, *programs = done.stdout.splitlines()
    assert (hooked, greeting) == ("hooked", "Hello, world!")
    assert [path.rpartition("/")[2] for path in programs] == ["buildDerivation", "cat", "hello"]


def test_who_works_there() -> None:
    config = config_of('drv = pkgs.hello; uid = 7; gid = 8; homeDirectory = "/home/x"; shell = "/opt/bash";')
    assert (config["User"], config["WorkingDir"]) == ("7:8", "/build")
    assert config["Cmd"][:2] == ["/opt/bash", "--rcfile"]
    variables = environment(config)
    assert variables["HOME"] == "/home/x"
    assert variables["PATH"].startswith("/opt:/nix/store/")


def test_the_archive() -> None:
    """It is named by the derivation, whatever the image is called, and holds what the program writes."""
    archive = nix_build(*expression('lamina.dockerTools.buildNixShellImage { drv = pkgs.hello; name = "other"; }'))
    assert archive.name.endswith(".tar.gz")
    assert archive.name[33:].startswith("hello-")
    assert "-env.tar" in archive.name
    program = nix_build(
        *expression('(lamina.dockerTools.buildNixShellImage { drv = pkgs.hello; name = "other"; }).stream')
    )
    streamed = subprocess.run([program], capture_output=True, timeout=60, check=True)
    assert gzip.decompress(archive.read_bytes()) == streamed.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ('drv = pkgs.hello; command = "a"; run = "b";', "there are run and command; give one of them"),
        (
            'drv = pkgs.runCommand "x" { __structuredAttrs = true; } "";',
            'drv is the derivation "x"; it takes a derivation without __structuredAttrs',
        ),
        ('drv = "hello";', "it takes a derivation without __structuredAttrs"),
        ("", "streamNixShellImage: the argument drv is missing"),
    ],
)
def test_wrong_arguments(arguments: str, said: str) -> None:
    assert said in nix_error(*expression(f"lamina.streamNixShellImage {{ {arguments} }}"))
