# Nix, in an image whose database lists the store paths.
{ pkgs, dockerTools, ... }:
dockerTools.buildImageWithNixDb {
  name = "nix";
  tag = "latest";
  copyToRoot = pkgs.buildEnv {
    name = "image-root";
    paths = [ pkgs.bashInteractive pkgs.coreutils pkgs.nix ];
    pathsToLink = [ "/bin" ];
  };
  config.Env = [
    "NIX_PAGER=cat"
    # Nix asks who it works for.
    "USER=nobody"
  ];
}
