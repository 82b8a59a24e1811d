# Several packages at the root, and no tag: a hash of what the image is made of is the tag.
{ pkgs, dockerTools, ... }:
dockerTools.buildImage {
  name = "editors";
  copyToRoot = pkgs.buildEnv {
    name = "image-root";
    paths = [ pkgs.bash pkgs.coreutils pkgs.ed pkgs.nano ];
    pathsToLink = [ "/bin" ];
  };
}
