# Counterparts of nixpkgs' examples of dockerTools, under the same names: they show the same, with our own contents.
# Each is one file. docs/generated/dockertools-tests.md lists the tests.
#
#   nix-build -A examples.dockerTools.bash
{ pkgs
, dockerTools
, pulled  # arguments of pullImage for the examples that pull
}:
let
  names = builtins.filter (name: name != null && name != [ "default" ])
    (map (builtins.match "(.*)\\.nix") (builtins.attrNames (builtins.readDir ./.)));

  examples = builtins.listToAttrs (map
    (match: rec {
      name = builtins.head match;
      value = import (./. + "/${name}.nix") { inherit pkgs dockerTools examples pulled; };
    })
    names);
in
examples
