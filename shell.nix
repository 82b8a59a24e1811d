# For work on Lamina itself: `nix-shell` where there is nixpkgs. Without it, `make setup` and `. dev/env.sh`.
{ pkgs ? import <nixpkgs> { } }:
pkgs.mkShell {
  packages = with pkgs; [
    (python3.withPackages (modules: with modules; [
      aiohttp attrs hatchling hypothesis jsonschema mypy pytest pytest-xdist python-magic zstandard
    ]))
    ruff
    shellcheck
    skopeo
  ];
}
