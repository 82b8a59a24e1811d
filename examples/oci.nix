# An OCI archive with zstd layers, as registries, podman and Skopeo read it. `.digest` is what a push gives the image.
{ pkgs, lamina, ... }:
lamina.buildImage {
  name = "oci";
  tag = "1.0";
  format = "oci-archive";
  layerCompressor = "zstd";
  annotations."org.opencontainers.image.title" = "hello";
  config.Cmd = [ "${pkgs.hello}/bin/hello" ];
}
