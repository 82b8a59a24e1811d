"""extraCommands, fakeRootCommands and runAsRoot run as dockerTools' do, and cannot reach the code around them."""

from __future__ import annotations

import pytest

from tests.support.builds import ROOT, expression, nix, nix_build, nix_error
from tests.support.files import Entry, exported

FUNCTIONS = {
    "buildImage": ("buildImage", "extraCommands"),
    "streamLayeredImage": ("streamLayeredImage", "extraCommands"),
    "fakeRootCommands": ("streamLayeredImage", "fakeRootCommands"),
    "fakechroot": ("streamLayeredImage", "enableFakechroot = true; fakeRootCommands"),
}


def image(kind: str, script: str) -> tuple[str, ...]:
    function, argument = FUNCTIONS[kind]
    return expression(f"(lamina.{function} {{ name = \"scripted\"; {argument} = ''\n{script}\n''; }}).recipe")


def made(kind: str, script: str) -> dict[str, Entry]:
    return exported(nix_build(*image(kind, script)))


SETTINGS = """
  owner=alice; time=3; packing=x; lamina=1; bash=bin/bash; chroot=/srv; trees=; contents=; out=; IFS=:
  mkdir() { false; }
  tar() { false; }
  trap 'touch trapped' EXIT
  trap : ERR
  set +e -f -u
  shopt -u nullglob
  umask 077
  cd ..
  cd /
  PATH=
  exec > /dev/null 2>&1
"""
ENDINGS = ["exit 0", "return 0", ":"]


@pytest.mark.parametrize("kind", FUNCTIONS)
@pytest.mark.parametrize("ending", ENDINGS)
def test_what_a_script_sets_ends_with_it(kind: str, ending: str) -> None:
    files = made(kind, f"echo hello > first\n{SETTINGS}\n{ending}")
    assert files["first"].data == b"hello\n"


@pytest.mark.parametrize("kind", FUNCTIONS)
def test_shell_options_are_stdenv_s(kind: str) -> None:
    script = """
      [ -z "$DEBUG" ] || echo debugging
      for file in nope/*.conf; do echo "$file" >> list; done
      shopt -q nullglob && shopt -q inherit_errexit && touch options
      case $- in *u*) ;; *) touch unset ;; esac
    """
    files = made(kind, script)
    assert "list" not in files
    assert {"options", "unset"} <= set(files)


@pytest.mark.parametrize(
    ("kind", "script", "said"),
    [
        ("buildImage", "touch a\nfalse | true\ntouch survived", "extraCommands: exit status 1 in line 2"),
        ("streamLayeredImage", "x=$(false; echo y)", "exit status 1 in line 1: x=$(false; echo y)"),
        ("fakeRootCommands", "f() {\n  ls /nope\n}\nf", "fakeRootCommands: exit status 2 in line 2: ls /nope"),
        ("fakechroot", "false | true", "fakeRootCommands: exit status 1 in line 1"),
        ("buildImage", "no-such-command", "line 1: no-such-command: command not found"),
    ],
)
def test_a_failing_command_is_shown_with_its_line(kind: str, script: str, said: str) -> None:
    function, argument = FUNCTIONS[kind]
    text = f'(lamina.{function} {{ name = "scripted"; {argument} = {nix_string(script)}; }}).recipe'
    assert said in nix_error(*expression(text))


def nix_string(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$").replace("\n", "\\n") + '"'


def test_run_as_root_numbers_lines_as_the_user_does() -> None:
    wrong = nix_error(*expression('lamina.buildImage { name = "x"; runAsRoot = "true\\nfalse"; }'))
    assert "runAsRoot: exit status 1 in line 2: false" in wrong


def test_extra_commands_after_run_as_root() -> None:
    """Of dockerTools' options there is only `-e`."""
    script = '[ -z "$NOT_SET" ]; for x in no/*; do echo "$x" > list; done; false | true; exit 0'
    text = f'lamina.buildImage {{ name = "x"; runAsRoot = "touch /root-file"; extraCommands = {nix_string(script)}; }}'
    files = exported(nix_build(*expression(f"({text}).recipe")))
    assert files["list"].data == b"no/*\n"
    assert "root-file" in files


def test_variables_that_scripts_find() -> None:
    """dockerTools' own, and none of ours that a script could take for unset."""
    script = "compgen -e > names; echo $contents > trees; echo $SOURCE_DATE_EPOCH > time"
    text = f'lamina.buildImage {{ name = "x"; copyToRoot = pkgs.hello; extraCommands = "{script}"; }}'
    files = exported(nix_build(*expression(f"({text}).recipe")))
    names = set(files["names"].data.decode().split())
    ours = {
        "lamina",
        "bash",
        "packing",
        "owner",
        "places",
        "time",
        "trees",
        "chroot",
        "fakeRoot",
        "fakeroot",
        "options",
    }
    assert not names & ours
    assert files["trees"].data.decode().strip().endswith("-hello-2.10-3")
    assert files["time"].data == b"315532800\n"


@pytest.mark.parametrize("kind", FUNCTIONS)
def test_scripts_find_their_shell(kind: str) -> None:
    """As with stdenv; without it, bash takes the shell of the user who builds, which is /noshell in the sandbox."""
    files = made(kind, "compgen -e SHELL > exported\n\"$SHELL\" -c 'echo $BASH_VERSION' > version")
    assert files["exported"].data == b"SHELL\n"
    assert files["version"].data.startswith(b"5.")


STDENV = f"""
let
  host = (import {ROOT} {{ }}).pkgs;
  lamina = import {ROOT} {{ pkgs = import {ROOT}/tests/nix/stdenv.nix {{ inherit host; }}; }};
in
"""


@pytest.mark.parametrize("kind", FUNCTIONS)
def test_with_nixpkgs_scripts_have_stdenv(kind: str) -> None:
    """A stand-in for nixpkgs with a stdenv whose setup defines a function: scripts find it."""
    function, argument = FUNCTIONS[kind]
    script = 'substituteInStandIn > file; [ -z \\"$NOT_SET\\" ]'
    text = f'{STDENV} (lamina.{function} {{ name = "scripted"; {argument} = "{script}"; }}).recipe'
    assert exported(nix_build("-E", text))["file"].data == b"from the stand-in's setup\n"


def test_only_scripts_need_stdenv() -> None:
    text = f'{STDENV} (lamina.buildImage {{ name = "plain"; copyToRoot = host.hello; }}).recipe.drvAttrs ? stdenv'
    made = nix_build("-E", f'{STDENV} (lamina.buildImage {{ name = "plain"; copyToRoot = host.hello; }}).recipe')
    assert made.exists()
    assert nix("nix-instantiate", "--eval", "-E", text).stdout.strip() == "false"
