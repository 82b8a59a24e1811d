# An image for another processor: its programs come from nixpkgs' packages for that processor. The distribution's
# packages are this machine's alone; with them the image holds a file.
{ pkgs, dockerTools, ... }:
let
  here = builtins.head (builtins.split "-" (pkgs.stdenv.hostPlatform.system or pkgs.system));
  other = if here == "aarch64"
    then { set = "gnu64"; architecture = "amd64"; }
    else { set = "aarch64-multiplatform"; architecture = "arm64"; };
in
dockerTools.buildImage {
  name = "hello-cross";
  tag = "latest";
  inherit (other) architecture;
  copyToRoot =
    if pkgs ? pkgsCross then pkgs.pkgsCross.${other.set}.hello
    else pkgs.writeTextDir "hello" "a file needs no processor\n";
}
