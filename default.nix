# Lamina: container images from Nix store paths.
#
#   nix-build -A examples.hello      an image, as an archive for docker load, podman, containerd, Skopeo, Mesos
#   nix-build -A lamina              the command
#   (import ./. { }).buildImage { name = "hello"; copyToRoot = pkgs.hello; }
#
# `pkgs` is nixpkgs; where there is none, a small set made of the distribution's packages (nix/host).
{ pkgs ? null
, system ? builtins.currentSystem
, pulled ? import ./examples/pulled.nix
}:
let
  nixpkgs = builtins.tryEval <nixpkgs>;

  packages =
    if pkgs != null then pkgs
    else if nixpkgs.success then import nixpkgs.value { inherit system; }
    else import ./nix/host { inherit system; };

  toolbox = import ./nix/toolbox { pkgs = packages; };

  recipe = import ./nix/recipe.nix { inherit toolbox; };

  public = rec {
    buildImage = import ./nix/buildImage.nix { inherit toolbox recipe; };
    buildLayer = import ./nix/buildLayer.nix { inherit toolbox; };
    buildLayeredImage = import ./nix/buildLayeredImage.nix { inherit toolbox streamLayeredImage; };
    streamLayeredImage = import ./nix/streamLayeredImage.nix { inherit toolbox recipe; };
    pullImage = import ./nix/pullImage.nix { inherit toolbox; };
  };
in
public // {
  inherit (toolbox) lamina;
  pkgs = packages;
  examples = import ./examples { inherit pulled; pkgs = packages; lamina = public; };
}
