"""Images whose script tries every way out of the wall, for builds with any Nix."""

from __future__ import annotations

from tests.support.builds import ROOT

VICTIM = 'pkgs.writeTextDir "etc/victim" "whole"'
"""A store path that the user who builds owns."""

WAYS_OUT = ROOT / "tests/support/ways_out.py"
ALL_WAYS = WAYS_OUT.read_text().count("@way")
_WITH_THE_MACHINES_ROOT = (
    "write_to_the_store new_file_in_the_store remount remount_the_path_itself bind_and_remount unmount_the_store "
    "another_user_namespace unmount_the_processes other_processes descriptors_of_a_process environment_of_a_process "
    "memory_of_a_process trace_a_process attach_to_a_process namespaces_of_a_process own_descriptors standard_input"
)

WALLS = {
    "runAsRoot": ('buildImage { name = "x"; runAsRoot = %s; }', ""),
    "fakechroot": ('buildLayeredImage { name = "x"; enableFakechroot = true; fakeRootCommands = %s; }', ""),
    "fakeRootCommands": ('buildLayeredImage { name = "x"; fakeRootCommands = %s; }', _WITH_THE_MACHINES_ROOT),
    "extraCommands": ('buildImage { name = "x"; runAsRoot = ":"; extraCommands = %s; }', _WITH_THE_MACHINES_ROOT),
}
"""Functions with a script, and the ways that it tries; all by default. The last two have the machine's root."""


def attack(wall: str) -> str:
    """A Nix expression whose build prints how many ways were tried and which led out, and fails."""
    function, ways = WALLS[wall]
    python = "${pkgs.python3.withPackages (_: [ ])}/bin/python3"
    script = (
        f"''echo \"$({python} ${{{WAYS_OUT}}} $NIX_STORE ${{{VICTIM}}}/etc/victim /etc/hosts {ways})\" >&2; exit 9''"
    )
    return f"lamina.{function % script}"


def check_log(wall: str, log: str) -> None:
    """Whether all ways were tried, and none led out."""
    count = len(WALLS[wall][1].split()) or ALL_WAYS
    assert f"tried {count}\n" in log, log[-2000:]
    names = [line.partition(":")[0].rpartition("> ")[2] for line in log.splitlines()]
    assert [name for name in names if f"def {name}(" in WAYS_OUT.read_text()] == []
