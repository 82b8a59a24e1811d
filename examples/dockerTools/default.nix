# nixpkgs' examples of dockerTools, under its names: what each shows is nixpkgs', what is in it is Lamina's. One file
# each, whose name is the example's. docs/generated/dockertools-tests.md tells what is tested of which.
#
#   nix-build -A examples.dockerTools.bash
{ pkgs
, dockerTools
, pulled  # what a registry holds for the pulled ones: arguments of pullImage
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
