# Lamina: container images from Nix store paths.
#
#   nix-build -A examples.hello      an image, as an archive for docker load, podman, containerd, Skopeo, Mesos
#   nix-build -A lamina              the command
#   (import ./. { }).buildImage { name = "hello"; copyToRoot = pkgs.hello; }
#   (import ./. { inherit pkgs; }).dockerTools       in the place of pkgs.dockerTools
#
# `pkgs` is nixpkgs; where there is none, a small set made of the distribution's packages (nix/host).
{ pkgs ? null
, runner ? null  # packages of the machine that the programs `load` and `stream` run on, if another one builds (macOS)
, system ? builtins.currentSystem
, pulled ? import ./examples/pulled.nix
}:
let
  nixpkgs = builtins.tryEval <nixpkgs>;

  packages =
    if pkgs != null then pkgs
    else if nixpkgs.success then import nixpkgs.value { inherit system; }
    else import ./nix/host { inherit system; };

  toolboxWith = replaced: import ./nix/toolbox { pkgs = packages; inherit runner replaced; };
  toolbox = toolboxWith { };

  public = removeAttrs (import ./nix/lib/functions.nix {
    inherit toolbox;
    defaults = {
      compressor = "none";         # of an archive
      inheritConfig = "docker";    # from a base
      foreign = "refused";         # packages for another processor than the image's
      streams = "directory";       # what an archive's attribute `stream` is: a package with a program, or the program
    };
  }) [ "buildImageAs" "buildLayeredImageAs" ];

  dockerTools = import ./nix/dockerTools.nix { pkgs = packages; inherit toolboxWith; } // {
    examples = import ./examples/dockerTools { inherit pulled dockerTools; pkgs = toolbox.packages; };
  };
in
public // {
  lamina = toolbox.onRunner.laminaWithServer;
  inherit dockerTools;
  pkgs = packages;
  examples = import ./examples { inherit pulled; pkgs = toolbox.packages; lamina = public; } // {
    dockerTools = dockerTools.examples;
  };
}
