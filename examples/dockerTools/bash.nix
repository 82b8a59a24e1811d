# A shell, some tools, and nothing else.
{ pkgs, dockerTools, ... }:
dockerTools.buildImage {
  name = "bash";
  tag = "latest";
  copyToRoot = pkgs.buildEnv {
    name = "image-root";
    paths = [ pkgs.bashInteractive pkgs.coreutils ];
    pathsToLink = [ "/bin" ];
  };
}
