# A program on an image from a registry. Upper case in its name becomes lower case.
{ pkgs, dockerTools, examples, ... }:
dockerTools.buildImage {
  name = "onTopOfPulledImage";
  tag = "latest";
  fromImage = examples.nixFromDockerHub;
  copyToRoot = pkgs.buildEnv {
    name = "image-root";
    paths = [ pkgs.hello ];
    pathsToLink = [ "/bin" ];
  };
  config.Cmd = [ "${pkgs.hello}/bin/hello" ];
}
