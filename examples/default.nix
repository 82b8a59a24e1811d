# Every example, by name: one file each.
{ pkgs, lamina }:
let
  example = file: import file { inherit pkgs lamina examples; };
  examples = {
    hello = example ./hello.nix;
  };
in
examples
