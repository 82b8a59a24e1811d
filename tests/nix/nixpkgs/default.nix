# Stands for nixpkgs where there is none: the attributes that Lamina takes from it, with nixpkgs' names and shapes,
# so that what it would be given can be evaluated. None of it is meant to be built.
{ system ? "x86_64-linux"
, host ? system  # the machine that the packages are for: another one in pkgsCross
, ...
}:
let
  linux = builtins.replaceStrings [ "darwin" ] [ "linux" ] system;
  fake = name: attributes: derivation { inherit name system host; builder = "/nothing"; }
    // { stdenv.hostPlatform.system = host; } // attributes;
  packages = names: builtins.listToAttrs (map (name: { inherit name; value = fake name { }; }) names);

  lib = {
    makeBinPath = paths: builtins.concatStringsSep ":" (map (path: "${path}/bin") paths);
    licenses.mit.spdxId = "MIT";
  };

  python3Packages = packages [ "aiohttp" "attrs" "hatchling" "python-magic" "zstandard" ] // {
    # The arguments that nixpkgs' function knows and Lamina uses; any other fails here.
    buildPythonApplication =
      { pname, version, src, pyproject, nativeBuildInputs, propagatedBuildInputs, doCheck, postInstall, meta }:
      assert pyproject && builtins.all (input: input ? outPath) (nativeBuildInputs ++ propagatedBuildInputs);
      fake "${pname}-${version}" { inherit pname version meta; drvAttrs = { inherit src doCheck postInstall; }; };
  };
in
packages [
  "bash" "bzip2" "cacert" "coreutils" "diffutils" "fakeroot" "file" "findutils" "gawk" "gnugrep" "gnused" "gnutar" "gzip" "hello"
  "redis" "nginx" "busybox" "python3" "skopeo" "xz" "ruff" "shellcheck"
  "bashInteractive" "curl" "ed" "jq" "nano" "nix" "shadow"
] // {
  inherit lib python3Packages;
  stdenv = { buildPlatform.system = system; hostPlatform.system = host; };
  buildPackages = import ./. { inherit system; };
  # On macOS: the packages for a Linux builder.
  pkgsLinux = import ./. { system = linux; };
  pkgsCross.aarch64-multiplatform = import ./. { inherit system; host = "aarch64-linux"; };
  go = fake "go" { GOARCH = if builtins.match "aarch64-.*" host != null then "arm64" else "amd64"; };
  writeText = name: text: builtins.toFile name (builtins.unsafeDiscardStringContext text);
  writeShellScriptBin = name: text: fake name { inherit text; };
  writeTextDir = name: text: fake (baseNameOf name) { inherit text; };
  buildEnv = { name, paths, pathsToLink ? [ "/" ] }: fake name { inherit paths pathsToLink; buildCommand = ""; };
  mkShell = attributes: fake "nix-shell" { drvAttrs = attributes // { builder = "/nothing"; }; };
  runCommand = name: env: script: fake name { buildCommand = script; };
}
