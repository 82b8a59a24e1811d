# The usual authorities' certificates, at the places where programs of several distributions look for them.
{ pkgs, dockerTools, ... }:
dockerTools.buildImage {
  name = "image-with-certs";
  tag = "latest";
  copyToRoot = pkgs.buildEnv {
    name = "image-with-certs-root";
    paths = [ pkgs.coreutils dockerTools.caCertificates ];
  };
}
