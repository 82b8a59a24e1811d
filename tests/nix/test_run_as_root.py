"""runAsRoot, exportImage and enableFakechroot in Nix' sandbox, and what real daemons make of the results."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.archives import Piece, Sample, docker_save, folder, layer_of, tar_of
from tests.support.builds import expression, nix, nix_build, nix_error
from tests.support.consumers.base import check
from tests.support.consumers.docker import Docker
from tests.support.consumers.podman import Podman
from tests.support.walls import VICTIM, WALLS, attack, check_log

GLIBC = """lamina.buildImage { name = "glibc"; tag = "1"; config.Env = [ "PATH=/bin:/sbin" ];
  copyToRoot = [ pkgs.bash pkgs.coreutils pkgs.shadow (pkgs.writeTextDir "etc/motd" "hello") ];
  extraCommands =
    "mkdir -p media/usb home tmp; touch etc/shadow etc/group; echo root:x:0:0::/:/bin/sh > etc/passwd"; }"""

BASES = {"alpine": "", "glibc": GLIBC, "scratch": "null"}
"""Musl, glibc with a store of its own, and nothing at all."""

ADD_USER = {
    "alpine": "adduser -D -u 1234 alice",
    "glibc": "useradd -u 1234 -U -m alice",
    "scratch": """
      mkdir -p etc media home/alice && touch etc/motd && chown 1234:1234 home/alice
      echo 'alice:x:1234:1234::/:' > etc/passwd""",
}

SCRIPT = """
  %s
  mkdir -p /srv/data /usr/bin
  echo data > /srv/data/file
  chown -R 1000:1000 /srv/data
  cp ${pkgs.coreutils}/bin/id /usr/bin/suid-id && chmod 4755 /usr/bin/suid-id
  cp ${pkgs.gnugrep}/bin/grep /usr/bin/cap-grep
  ${pkgs.python3.withPackages (_: [ ])}/bin/python3 -c '
import os
os.setxattr("/usr/bin/cap-grep", "security.capability", bytes.fromhex("0100000200040000" + "00" * 12))'
  rm /etc/motd
  rm -r /media && ln -s srv/data /media
  mknod -m 666 /srv/null c 1 3
  [ "$(stat -c %%u:%%g:%%a /usr/bin/suid-id)" = 0:0:4755 ]
  [ "$(stat -c %%u /srv/data/file)" = 1000 ]
"""

CHECK = """
  stat -c %u:%g:%a:%n /srv/data /srv/data/file /home/alice
  grep -c alice: /etc/passwd
  stat -c %t:%T:%F /srv/null
  readlink /media
  [ -e /etc/motd ] && echo motd
  grep -o '^[a-z]*' /media/file
  /usr/bin/suid-id -u
  /usr/bin/cap-grep CapEff /proc/self/status
"""
SEEN = """1000:1000:755:/srv/data
1000:1000:644:/srv/data/file
1234:1234:%s:/home/alice
1
1:3:character special file
srv/data
data
0
CapEff:\t0000000000000400
"""
"""CAP_NET_BIND_SERVICE alone: by its file, since nobody else gives it to a user who is not root."""


def image(base: str, arguments: str) -> tuple[str, ...]:
    return expression(f'lamina.buildImage {{ name = "rooted"; tag = "1"; fromImage = {base}; {arguments} }}')


def rooted(kind: str, request: pytest.FixtureRequest) -> tuple[str, ...]:
    base = str(request.getfixturevalue("alpine")) if kind == "alpine" else f"({BASES[kind]})"
    return image(
        base,
        f"""runAsRoot = ''{SCRIPT % ADD_USER[kind]}'';
        config = {{
          User = "1000";
          Env = [ "PATH=${{pkgs.coreutils}}/bin:${{pkgs.gnugrep}}/bin" ];
          Cmd = [ "${{pkgs.bash}}/bin/bash" "-c" ''{CHECK}'' ];
        }};""",
    )


@pytest.mark.parametrize("kind", BASES)
def test_what_the_script_did_is_in_the_image(
    kind: str, request: pytest.FixtureRequest, dockerd: Docker, podman: Podman
) -> None:
    """In Docker and podman, as a user who is not root; and a second build gives the same bytes."""
    words = rooted(kind, request)
    archive = nix_build(*words)
    home = {"alpine": "2755", "glibc": "755", "scratch": "755"}[kind]
    for consumer in (dockerd, podman):
        [name] = consumer.load(archive)
        done = consumer.run(name)
        assert (done.stdout, done.stderr) == (SEEN % home, "")
        consumer.remove(name)
    [made] = [path for path in requisites(words) if path.endswith("-rooted-layer.tar")]
    again = nix("nix-store", "--realise", "--check", made)
    assert again.returncode == 0, again.stderr


def requisites(words: tuple[str, ...]) -> list[str]:
    text = words[1].replace("in lamina.buildImage", "in (lamina.buildImage", 1) + ").recipe"
    recipe = nix_build("-E", text)
    return nix("nix-store", "--query", "--references", recipe).stdout.split()


def layer_members(words: tuple[str, ...]) -> dict[str, tarfile.TarInfo]:
    [made] = [path for path in requisites(words) if path.endswith("-rooted-layer.tar")]
    with tarfile.open(made) as layer:
        return {member.name: member for member in layer}


@pytest.fixture
def base(tmp_path: Path) -> Callable[..., Path]:
    """An archive with the layers given, as docker saves it."""

    def saved(*layers: bytes) -> Path:
        path = tmp_path / "base.tar"
        path.write_bytes(tar_of(docker_save([Sample(layers)])))
        return path

    return saved


def test_only_what_changed_is_in_the_layer(base: Callable[..., Path]) -> None:
    """Reading, touching and writing the same again change nothing; times are no content."""
    pieces = [
        folder("d"),
        Piece("d/x", b"1"),
        Piece("d/y", b"2"),
        folder("e"),
        Piece("e/z", b"3"),
        Piece("same", b"s\n"),
        Piece("other", b"s\n"),
    ]
    script = """cat /d/x; touch /d/x; echo s > /same; echo t > /other; touch -d @0 /other
      rm /d/y; rm -r /e; mkdir /e; chown 0:0 /d; mv /d/x /t; mv /t /d/x"""
    found = layer_members(image(str(base(tar_of(pieces))), f"runAsRoot = ''{script}'';"))
    assert sorted(found) == ["d", "d/.wh.y", "e", "e/.wh.z", "other"]


def test_owners_of_the_base_are_kept(base: Callable[..., Path]) -> None:
    """A file that the script changes keeps the owner that it has in the base, which the script sees."""
    info = tarfile.TarInfo("owned")
    info.uid, info.gid, info.mode, info.size = 33, 44, 0o6750, 1
    layer = tar_of([Piece("p", b"1")])[:-1024] + info.tobuf() + b"x" + bytes(511 + 1024)
    script = '[ "$(stat -c %u:%g:%a /owned)" = 33:44:6750 ]; echo more >> /owned'
    found = layer_members(image(str(base(layer)), f"runAsRoot = ''{script}'';"))
    owned = found.pop("owned")
    assert (owned.uid, owned.gid, owned.mode, owned.size, found) == (33, 44, 0o6750, 6, {})


def test_copy_to_root_and_extra_commands(base: Callable[..., Path]) -> None:
    """What is copied to the root lies there when the script runs; extraCommands run in the layer's root."""
    arguments = """copyToRoot = pkgs.writeTextDir "etc/copied" "x";
      runAsRoot = "cat /etc/copied /below; echo y >> /etc/copied; rm /gone /again; touch /mine; chown 5 /mine";
      extraCommands = "[ ! -e below ]; cat etc/copied; echo z > again; chmod 2755 etc; [ $(stat -c %u mine) = 5 ]";"""
    below = layer_of({"below": b"", "gone": b"", "again": b""})
    found = layer_members(image(str(base(below)), arguments))
    assert sorted(found) == [".wh.gone", "again", "etc", "etc/copied", "mine"]
    assert (found["etc/copied"].size, found["etc"].mode, found["mine"].uid) == (3, 0o2755, 5)


def test_what_is_copied_to_the_root_lands_where_the_base_keeps_its_directories(base: Callable[..., Path]) -> None:
    linked = tar_of([folder("usr"), folder("usr/bin"), Piece("usr/bin/old", b"x"), Piece("bin", link="usr/bin")])
    script = "[ -e /bin/old ]; [ -L /bin ]; cat /usr/bin/new"
    arguments = f'copyToRoot = pkgs.writeTextDir "bin/new" "new"; runAsRoot = "{script}";'
    assert sorted(layer_members(image(str(base(linked)), arguments))) == ["usr", "usr/bin", "usr/bin/new"]


def test_a_base_of_sixty_layers(base: Callable[..., Path], tmp_path: Path) -> None:
    path = base(*(layer_of({f"file-{n}": str(n).encode(), "top": str(n).encode()}) for n in range(60)))
    script = "[ $(ls / | grep -c file-) = 60 ]; [ $(cat /top) = 59 ]; rm /file-7"
    arguments = f"runAsRoot = ''export PATH=$PATH:${{pkgs.gnugrep}}/bin; {script}'';"
    assert list(layer_members(image(str(path), arguments))) == [".wh.file-7"]
    built = f'lamina.buildImage {{ name = "rooted"; tag = "1"; fromImage = {path}; {arguments} }}'
    with tarfile.open(nix_build(*expression(f"lamina.exportImage {{ fromImage = {built}; }}"))) as plain:
        names = {member.name for member in plain}
        top = plain.extractfile("./top")
        assert top and top.read() == b"59"
    assert names == {".", "./top"} | {f"./file-{n}" for n in range(60) if n != 7}


def test_a_hostile_base(base: Callable[..., Path]) -> None:
    """Links that lead out stay links: what is mounted and unpacked goes nowhere else."""
    lower = tar_of([Piece("out", link="/build"), Piece("proc", link="/build/x")])
    said = nix_error(*image(str(base(lower)), 'runAsRoot = "true";'))
    assert "lamina: /proc: no directory in the image" in said
    lower, upper = tar_of([Piece("out", link="../../../../build")]), layer_of({"out/x": b"1"})
    assert layer_members(image(str(base(lower, upper)), 'runAsRoot = "[ -f /out/x ] && touch /y";')).keys() == {"y"}


def test_a_script_that_fails() -> None:
    said = nix_error(*image("null", 'runAsRoot = "echo on its output; echo errors too >&2; exit 7";'))
    for text in ("on its output", "errors too", "runAsRoot: the script failed with exit status 7", "exit code 7"):
        assert text in said
    said = nix_error(*image("null", "runAsRoot = ''false\necho reached'';"))
    assert "exit code 1" in said and "reached" not in said


DESTROY = f"""
  victim=${{{VICTIM}}}
  if rm -rf $victim/etc || chmod u+w $victim || echo x >> $victim/etc/victim || echo x > $NIX_STORE/new; then
    exit 9
  fi
"""


@pytest.mark.parametrize(
    "arguments",
    [
        f"buildImage {{ name = \"x\"; runAsRoot = ''{DESTROY}''; }}",
        f"buildImage {{ name = \"x\"; runAsRoot = \":\"; extraCommands = ''{DESTROY}''; }}",
        f"buildLayeredImage {{ name = \"x\"; fakeRootCommands = ''{DESTROY}''; }}",
        f"buildLayeredImage {{ name = \"x\"; enableFakechroot = true; fakeRootCommands = ''{DESTROY}''; }}",
    ],
)
def test_no_script_can_change_the_store(arguments: str) -> None:
    """Its root may do everything to what this user owns, and on a machine of one user that is the store."""
    nix_build(*expression(f"lamina.{arguments}"))
    victim = nix_build(*expression(VICTIM))
    assert (victim / "etc/victim").read_text() == "whole"


@pytest.mark.parametrize("wall", WALLS)
def test_no_way_leads_out_of_a_script(wall: str) -> None:
    """In Nix's own sandbox. What the scripts with the machine's root see is the sandbox's, which is Nix's wall."""
    check_log(wall, nix_error(*expression(attack(wall))))


def test_export_image(dockerd: Docker, tmp_path: Path) -> None:
    """The same files, owners and modes as `docker export` of a container gives; devices and links too."""
    script = "mkdir /d; echo x > /d/f; ln /d/f /d/g; chown 7:8 /d/f; chmod 4750 /d/f; mknod /d/n b 8 1; ln -s f /d/l"
    words = f'lamina.buildImage {{ name = "rooted"; tag = "1"; runAsRoot = "{script}"; config.Cmd = [ "x" ]; }}'
    [name] = dockerd.load(nix_build(*expression(words)))
    container = check(dockerd.docker("create", name)).strip()
    check(dockerd.docker("export", "--output", tmp_path / "theirs.tar", container))
    check(dockerd.docker("rm", container))
    ours = nix_build(*expression(f"lamina.exportImage {{ fromImage = {words}; }}"))
    with tarfile.open(tmp_path / "theirs.tar") as theirs, tarfile.open(ours) as plain:
        expected, found = (
            {about(member, archive) for member in archive if member.name.lstrip("./").startswith("d")}
            for archive in (theirs, plain)
        )
        assert plain.getnames()[:3] == [".", "./d", "./d/f"]
        assert {member.mtime for member in plain} == {315532800}
    assert found == {item for item in expected if item[0] == "d" or item[0].startswith("d/")}
    assert len(found) == 5


def about(member: tarfile.TarInfo, archive: tarfile.TarFile) -> tuple[Any, ...]:
    name = member.name.removeprefix("./")
    first = archive.getmember(member.linkname) if member.islnk() else member
    device = (first.devmajor, first.devminor) if first.isdev() else ()
    link = first.linkname if first.issym() else ""
    return name, first.type, link, first.uid, first.gid, first.mode & 0o7777, device


def test_fakechroot(dockerd: Docker) -> None:
    """dockerTools' own use: absolute paths, and owners by programs of the image."""
    layered = """lamina.buildLayeredImage { name = "chrooted"; tag = "1"; contents = [ pkgs.bash pkgs.coreutils ];
      enableFakechroot = true;
      fakeRootCommands = "/bin/mkdir -p /home/alice; /bin/chown 12345:12345 /home/alice; [ -e /proc/self/exe ]";
      config.Cmd = [ "/bin/stat" "-c" "%u:%g" "/home/alice" "/" ]; }"""
    [name] = dockerd.load(nix_build(*expression(layered)))
    assert dockerd.run(name).stdout == "12345:12345\n0:0\n"


def test_evaluation() -> None:
    """Nothing of a base is read before it is built, and arguments that nobody knows are refused."""
    assert "there is no argument colour" in nix_error(
        *expression("lamina.exportImage { fromImage = null; colour = 1; }")
    )
    assert 'exportImage, image "x": fromImage is null; it takes a path' in nix_error(
        *expression('lamina.exportImage { fromImage = null; name = "x"; }')
    )
    assert 'buildImage, image "rooted": runAsRoot is 1; it takes a shell script' in nix_error(
        *image("null", "runAsRoot = 1;")
    )
    done = nix("nix-instantiate", "--eval", "--json", *image("null", 'runAsRoot = "exit 1";'), "-A", "imageTag")
    assert json.loads(done.stdout) == "1"
