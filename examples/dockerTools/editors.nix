# Several packages at the root. Without a tag, the tag is a hash of the inputs.
{ pkgs, dockerTools, ... }:
dockerTools.buildImage {
  name = "editors";
  copyToRoot = pkgs.buildEnv {
    name = "image-root";
    paths = [ pkgs.bash pkgs.coreutils pkgs.ed pkgs.nano ];
    pathsToLink = [ "/bin" ];
  };
}
