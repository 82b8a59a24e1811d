# Lamina: container images from Nix store paths.
#
#   nix-build -A examples.hello      an image, as an archive for docker load, podman, containerd, Skopeo, Mesos
#   nix-build -A lamina              the command
#   (import ./. { }).buildImage { name = "hello"; copyToRoot = pkgs.hello; }
#   (import ./. { inherit pkgs; }).dockerTools       in the place of pkgs.dockerTools
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

  recipe = import ./nix/lib/recipe.nix { inherit toolbox; };

  # The functions. `defaults` are those in which Lamina and dockerTools differ.
  functions = defaults: rec {
    buildImage = overridable (import ./nix/buildImage.nix { inherit toolbox recipe defaults; });
    buildLayer = overridable (import ./nix/buildLayer.nix { inherit toolbox; });
    buildLayeredImage = overridable (import ./nix/buildLayeredImage.nix { inherit toolbox streamLayeredImage defaults; });
    streamLayeredImage = overridable (import ./nix/streamLayeredImage.nix { inherit toolbox recipe defaults; });
    exportImage = overridable (import ./nix/exportImage.nix { inherit toolbox; });
    streamNixShellImage = overridable (import ./nix/streamNixShellImage.nix {
      inherit toolbox streamLayeredImage binSh usrBinEnv fakeNss;
    });
    buildNixShellImage = overridable (import ./nix/buildNixShellImage.nix { inherit toolbox streamNixShellImage defaults; });
    pullImage = overridable (import ./nix/pullImage.nix { inherit toolbox; });
    mergeImages = import ./nix/mergeImages.nix { inherit toolbox; };
    fakeNss = overridable (import ./nix/fakeNss.nix { inherit toolbox; }) { };
    shadowSetup = import ./nix/shadowSetup.nix { inherit toolbox; };
    tmp = import ./nix/tmp.nix { inherit buildLayer; };
    binSh = import ./nix/binSh.nix { inherit toolbox; };
    usrBinEnv = import ./nix/usrBinEnv.nix { inherit toolbox; };
    caCertificates = import ./nix/caCertificates.nix { inherit toolbox; };
  };
  overridable = toolbox.makeOverridable;

  public = functions {
    compressor = "none";         # of an archive
    inheritConfig = "docker";    # from a base
    streams = "directory";       # what an archive's attribute `stream` is: a package with a program, or the program
  };

  dockerTools = import ./nix/dockerTools.nix { inherit functions; } // {
    examples = import ./examples/dockerTools { inherit pulled dockerTools; pkgs = packages; };
  };
in
public // {
  inherit (toolbox) lamina;
  inherit dockerTools;
  pkgs = packages;
  examples = import ./examples { inherit pulled; pkgs = packages; lamina = public; } // {
    dockerTools = dockerTools.examples;
  };
}
