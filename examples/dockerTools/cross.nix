# An image for another processor: of nixpkgs' packages for it, with the dockerTools of that package set. The
# distribution's packages are for this machine only; with them, the image contains a file.
{ pkgs, dockerTools, ... }:
let
  here = builtins.head (builtins.split "-" (pkgs.stdenv.hostPlatform.system or pkgs.system));
  other = if here == "aarch64"
    then { set = "gnu64"; architecture = "amd64"; }
    else { set = "aarch64-multiplatform"; architecture = "arm64"; };
  named = { name = "hello-cross"; tag = "latest"; };
in
if pkgs ? pkgsCross
then
  let crossPkgs = pkgs.pkgsCross.${other.set};
  in (import ../../default.nix { pkgs = crossPkgs; }).dockerTools.buildImage (named // { copyToRoot = crossPkgs.hello; })
else
  dockerTools.buildImage (named // {
    inherit (other) architecture;
    copyToRoot = pkgs.writeTextDir "hello" "a file needs no processor\n";
  })
