# The certificates of the usual authorities, where programs of several distributions look for them.
{ pkgs, dockerTools, ... }:
dockerTools.buildImage {
  name = "image-with-certs";
  tag = "latest";
  copyToRoot = pkgs.buildEnv {
    name = "image-with-certs-root";
    paths = [ pkgs.coreutils dockerTools.caCertificates ];
  };
}
