"""Wrong arguments and wrong configs fail at evaluation, in a sentence about what the user wrote."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.builds import expression, nix, nix_error


def said(text: str) -> str:
    """The error of an expression that must not evaluate, without Nix' trace."""
    return nix_error(*expression(text))


def evaluated(text: str) -> Any:
    done = nix("nix-instantiate", "--eval", "--strict", "--json", *expression(text))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def warnings(text: str) -> list[str]:
    done = nix("nix-instantiate", *expression(text))
    assert done.returncode == 0, done.stderr
    return [line for line in done.stderr.splitlines() if line.startswith("trace: warning: ")]


ARGUMENTS = [
    # The name, for which Nix has an error of its own
    ("buildImage", 'name = "x:1"', 'buildImage, image "x:1": name is "x:1"; give the tag as tag = "1"'),
    ("buildLayeredImage", 'name = "r.example/x:v1.2"', 'give the tag as tag = "v1.2"'),
    ("streamLayeredImage", 'name = "x@sha256:00"', 'a name has no digest in it; write name = "x"'),
    ("buildImage", 'name = "two words"', 'name is "two words"; it takes the name of an image'),
    ("buildImage", 'name = ""', 'name is ""; it takes the name of an image'),
    ("buildImage", 'name = "-x"', 'name is "-x"; it takes'),
    ("buildImage", 'name = "a//b"', 'name is "a//b"; it takes'),
    ("buildImage", "name = 1", "buildImage: name is 1; it takes the name of an image"),
    ("buildImage", "name = pkgs.hello", 'buildImage: name is the derivation "hello-'),
    ("buildImage", 'name = "x"; tag = "a b"', 'buildImage, image "x": tag is "a b"; it takes a tag, or null'),
    ("buildImage", 'name = "x"; tag = 1.5', "tag is 1.5 (a number with a fraction); it takes a tag"),
    # Names of arguments
    ("buildImage", 'name = "x"; copyToRot = null', "there is no argument copyToRot; did you mean copyToRoot?"),
    ("buildImage", 'name = "x"; Tag = "1"', "there is no argument Tag; did you mean tag?"),
    ("buildImage", 'name = "x"; Cmd = [ ]', "there is no argument Cmd; write config.Cmd"),
    ("buildImage", 'name = "x"; entrypoint = [ ]', "there is no argument entrypoint; write config.Entrypoint"),
    ("buildImage", 'name = "x"; fakeRootCommands = ""', "there is no argument fakeRootCommands; here runAsRoot does"),
    ("buildImage", 'name = "x"; baseImage = null', "there is no argument baseImage; did you mean fromImage?"),
    (
        "buildLayeredImage",
        'name = "x"; copyToRoot = null',
        "there is no argument copyToRoot; it is called contents here",
    ),
    ("streamLayeredImage", 'name = "x"; runAsRoot = ""', "there is no argument runAsRoot; here fakeRootCommands"),
    ("streamLayeredImage", 'name = "x"; compressor = "gz"', "a stream is not compressed; buildLayeredImage has"),
    ("buildLayeredImage", 'name = "x"; maxLayer = 5', "there is no argument maxLayer; did you mean maxLayers?"),
    ("dockerTools.buildImageWithNixDb", 'name = "x"; uidd = 1', 'buildImageWithNixDb, image "x": there is no argument'),
    ("buildNixShellImage", "drv = pkgs.hello; cmd = 1", "there is no argument cmd; "),
    ("pullImage", 'imageName = "x"', 'pullImage, image "x": the argument imageDigest is missing'),
    # The function that was called
    (
        "buildLayeredImage",
        'name = "x"; maxLayers = 1',
        'buildLayeredImage, image "x": maxLayers is 1; it takes a whole',
    ),
    ("buildLayeredImage", 'name = "x"; uid = -1', 'buildLayeredImage, image "x": uid is -1; it takes a whole number'),
    ("dockerTools.buildLayeredImageWithNixDb", 'name = "x"; gid = "a"', "buildLayeredImageWithNixDb, image"),
    # Values
    ("buildImage", 'name = "x"; architecture = "x86_64"', 'architecture is "x86_64"; write "amd64"'),
    ("buildImage", 'name = "x"; architecture = "aarch64"', 'architecture is "aarch64"; write "arm64"'),
    ("buildImage", 'name = "x"; architecture = "AMD64"', 'architecture is "AMD64"; did you mean "amd64"?'),
    ("buildImage", 'name = "x"; architecture = "vax"', "it takes a processor in Go's words, one of 386, amd64"),
    ("buildImage", 'name = "x"; compressor = "gzip"', 'compressor is "gzip"; it takes one of "gz", "none", "zstd"'),
    ("buildImage", 'name = "x"; created = "yesterday"', 'created is "yesterday"; it takes an RFC 3339 time'),
    ("buildImage", 'name = "x"; created = null', "created is null; it takes an RFC 3339 time"),
    ("buildImage", 'name = "x"; copyToRoot = 1', "copyToRoot is 1; it takes a path or a derivation, or a list of such"),
    ("buildImage", 'name = "x"; copyToRoot = "/home/me"', "it is not in the Nix store; write the path without quotes"),
    ("buildLayeredImage", 'name = "x"; contents = [ "hello" ]', 'contents is [ "hello" ]; it takes a path'),
    ("buildImage", 'name = "x"; fromImage = "alpine"', 'fromImage is "alpine"; it takes a path or a derivation'),
    ("buildImage", 'name = "x"; uid = "alice"', 'uid is "alice"; it takes a whole number from 0 to 4294967295'),
    ("buildImage", 'name = "x"; uid = 4294967296', "uid is 4294967296; it takes a whole number"),
    ("buildImage", f'name = "x"; uid = "{"a" * 200}"', f'uid is "{"a" * 79}... (202 characters); it takes'),
    ("buildImage", 'name = "x"; config = [ ]', "config is [ ]; it takes an attribute set, or null"),
]


@pytest.mark.parametrize(("function", "given", "message"), ARGUMENTS)
def test_wrong_arguments(function: str, given: str, message: str) -> None:
    error = said(f"lamina.{function} {{ {given}; }}")
    assert message in error
    assert "called with" not in error and "illegal character" not in error


CONFIGS = [
    ('Cmd = "/bin/hello"', 'config.Cmd is "/bin/hello"; it takes a list of strings: [ "/bin/hello" ]'),
    ('Entrypoint = "x"', 'config.Entrypoint is "x"; it takes a list of strings: [ "x" ]'),
    ("Cmd = [ 1 ]", 'config.Cmd is [ 1 ]; each item is a string, and one is 1; write "1"'),
    ('Cmd = [ "serve" null ]', 'config.Cmd is [ "serve" null ]; each item is a string, and one is null'),
    ("Env = { A = 1; }", 'config.Env is { A = 1; }; it takes a list of strings, for example [ "HOME=/" ]'),
    ('Env = [ "NOEQUALS" ]', 'config.Env is [ "NOEQUALS" ]; "NOEQUALS" is no NAME=VALUE'),
    ('Env = [ "=x" ]', '"=x" is no NAME=VALUE'),
    ("User = 1000", 'config.User is 1000; it takes a string: "1000"'),
    ('User = "4294967296"', "numbers go up to 2147483647"),
    ('User = "0:2147483648"', "numbers go up to 2147483647"),
    ("Labels.a = 1", 'config.Labels.a is 1; it takes a string: "1"'),
    ("Labels = [ ]", "config.Labels is [ ]; it takes a set"),
    ('ExposedPorts = [ "80" ]', 'config.ExposedPorts is [ "80" ]; it takes a set: { "8080/tcp" = { }; }'),
    ('ExposedPorts."80" = true', 'config.ExposedPorts."80" is true; it takes an empty set: "80" = { };'),
    ('ExposedPorts."http" = { }', '"http" is no port, like 8080, 8080/tcp or 53/udp'),
    ('ExposedPorts."70000" = { }', '"70000" is no port'),
    ('ExposedPorts."80/tpc" = { }', '"80/tpc" is no port'),
    ('Volumes."/data" = true', 'config.Volumes."/data" is true; it takes an empty set: "/data" = { };'),
    ('Volumes = [ "/data" ]', 'config.Volumes is [ "/data" ]; it takes a set: { "/data" = { }; }'),
    ('Volumes."data" = { }', '"data" is no absolute path below /'),
    ('Volumes."/" = { }', '"/" is no absolute path below /'),
    ('Volumes."/a/../b" = { }', '"/a/../b" is no absolute path below /'),
    ('WorkingDir = "relative"', 'config.WorkingDir is "relative"; it takes an absolute path: "/relative"'),
    ("WorkingDir = 1", 'config.WorkingDir is 1; it takes a string: "1"'),
    (
        'Healthcheck.Interval = "2s"',
        'config.Healthcheck.Interval is "2s"; it takes nanoseconds, as a whole number: 2000000000',
    ),
    ('Healthcheck.Interval = "1m30s"', "it takes nanoseconds, as a whole number: 2000000000 are two seconds"),
    ("Healthcheck.Timeout = 30", "config.Healthcheck.Timeout is 30; it takes nanoseconds, 0 or at least 1000000"),
    ("Healthcheck.StartPeriod = -1", "config.Healthcheck.StartPeriod is -1; it takes nanoseconds"),
    (
        "Healthcheck.Interval = 2.5",
        "config.Healthcheck.Interval is 2.5 (a number with a fraction); it takes nanoseconds",
    ),
    ('Healthcheck.Test = "a"', 'config.Healthcheck.Test is "a"; it takes a list of strings: [ "a" ]'),
    ('Healthcheck.Test = [ "/bin/true" ]', 'its first item says what the others are: "CMD", "CMD-SHELL" or "NONE"'),
    ('Healthcheck.Retries = "3"', 'config.Healthcheck.Retries is "3"; it takes a whole number'),
    ('Healthcheck.test = [ "NONE" ]', "config.Healthcheck.test is not known; did you mean Test?"),
    ('Healthcheck = "x"', 'config.Healthcheck is "x"; it takes a set'),
    ('StopTimeout = "10"', 'config.StopTimeout is "10"; it takes a whole number'),
    ('StopSignal = "SIGTREM"', 'config.StopSignal is "SIGTREM"; it takes a signal, like "SIGTERM"'),
    ("StopSignal = 15", 'config.StopSignal is 15; it takes a string: "15"'),
    ('ArgsEscaped = "yes"', 'config.ArgsEscaped is "yes"; it takes true or false'),
    ("Tty = 1", "config.Tty is 1; it takes true or false"),
    ('OnBuild = "RUN x"', 'config.OnBuild is "RUN x"; it takes a list of strings: [ "RUN x" ]'),
    ('Shell = "/bin/sh"', 'config.Shell is "/bin/sh"; it takes a list of strings'),
    ("Hostname = 1", 'config.Hostname is 1; it takes a string: "1"'),
    ('cmd = [ "x" ]', "config.cmd is not known; did you mean Cmd?"),
    ('EntryPoint = [ "x" ]', "config.EntryPoint is not known; did you mean Entrypoint?"),
    ('Cmd = [ "a" ]; CMD = [ "b" ]', "config.CMD is not known; did you mean Cmd?"),
    ('exposedPorts."80" = { }', "config.exposedPorts is not known; did you mean ExposedPorts?"),
    ('Lables.a = "b"', "config.Lables is not known; did you mean Labels?"),
    ("Cmd = x: x", "config.Cmd is a function; it takes a list of strings"),
]


@pytest.mark.parametrize(("config", "message"), CONFIGS)
def test_wrong_configs(config: str, message: str) -> None:
    error = said(f'lamina.buildLayeredImage {{ name = "x"; config = {{ {config}; }}; }}')
    assert 'buildLayeredImage, image "x": ' in error
    assert message in error


def test_right_configs() -> None:
    config = """{
      User = "1000:users"; WorkingDir = "/srv"; StopSignal = "SIGRTMIN+3"; Hostname = "h"; Domainname = ""; Image = "";
      Env = [ "A=b" "EMPTY=" "LONG=${builtins.concatStringsSep "=" (builtins.genList (n: toString n) 20000)}" ];
      Cmd = [ pkgs.hello "x" { __toString = _: "made"; } ]; Entrypoint = [ ];
      OnBuild = null; Shell = [ "/bin/sh" "-c" ];
      ExposedPorts = { "80" = { }; "53/udp" = { }; "8000-8010/tcp" = { }; "81/tcp" = null; }; Volumes."/data" = { };
      Labels = { a = "b"; path = pkgs.hello; };
      Healthcheck = {
        Test = [ "CMD-SHELL" "true" ]; Interval = 2000000000; Timeout = 0; Retries = 3; StartInterval = null;
      };
      StopTimeout = 10; ArgsEscaped = false; Tty = true; MacAddress = ""; Memory = 0;
    }"""
    assert warnings(f'lamina.buildImage {{ name = "x"; config = {config}; }}') == []


def test_what_is_legal_and_hurts_is_warned_of_once() -> None:
    user = warnings('lamina.buildImage { name = "x"; config.User = "alice"; }')
    assert user == [
        'trace: warning: buildImage, image "x": config.User is "alice": where Kubernetes demands runAsNonRoot, '
        'it takes only numbers, like "1000"'
    ]
    [key] = warnings('lamina.streamLayeredImage { name = "x"; config.SomethingNew = 1; }')
    assert "config.SomethingNew is not a known key of an image's config; it is kept as it is" in key
    for fine in ("root", "0", "1000:users", "0:0"):
        assert warnings(f'lamina.buildImage {{ name = "x"; config.User = "{fine}"; }}') == []


TAKEN = [
    ("streamLayeredImage", 'mtime = "now"'),
    ("streamLayeredImage", 'created = "2024-01-02 03:04:05"'),
    ("streamLayeredImage", 'created = "last monday"'),
    ("streamLayeredImage", 'uid = "1000"; gid = "0100"'),
    ("buildImage", 'diskSize = "4096"; uid = "1000"'),
    ("buildImage", "tag = 1"),
    ("buildImage", "extraCommands = null; runAsRoot = null"),
    ("streamLayeredImage", "extraCommands = null; fakeRootCommands = null"),
    ("buildImage", 'extraCommands = pkgs.writeScript "x" "true"'),
    ("buildImage", 'runAsRoot = pkgs.writeScript "x" "true"'),
    ("buildImage", "copyToRoot = { __toString = _: pkgs.hello.outPath; }"),
    ("buildImage", "copyToRoot = [ [ pkgs.hello null ] [ ] ]"),
    ("buildImage", 'copyToRoot = "${pkgs.hello}/bin"'),
    ("buildLayeredImage", 'contents = "${pkgs.hello}/bin"'),
    ("buildImage", 'name = "localhost:5000/Team/app__x"'),
    ("buildImage", 'name = "[::1]"; architecture = "riscv64"'.replace("[::1]", "a.b-c_d")),
]


@pytest.mark.parametrize(("function", "given"), TAKEN)
def test_values_that_dockertools_takes(function: str, given: str) -> None:
    name = "" if "name =" in given else 'name = "x";'
    assert evaluated(f"(lamina.{function} {{ {name} {given}; }}).drvPath").endswith(".drv")


def test_every_function_says_what_it_takes() -> None:
    """`functionArgs` of all of them, those that hand arguments on too."""
    takes = evaluated(
        "builtins.mapAttrs (_: f: f.__functionArgs) { inherit (lamina) buildImage buildLayeredImage streamLayeredImage "
        "buildNixShellImage pullImage; inherit (lamina.dockerTools) buildLayeredImageWithNixDb; }"
    )
    assert takes["buildLayeredImage"]["name"] is False and takes["buildLayeredImage"]["contents"] is True
    assert takes["buildLayeredImageWithNixDb"] == takes["buildLayeredImage"]
    assert takes["buildNixShellImage"]["drv"] is False and "homeDirectory" in takes["buildNixShellImage"]
