# An image for two platforms, in an OCI layout. `lamina push` pushes both under one name.
{ pkgs, lamina, ... }:
let
  # On a builder for each platform this would be `pkgs` of that platform. A page is the same for both.
  image = architecture: lamina.buildImage {
    name = "platforms";
    tag = "1.0";
    inherit architecture;
    copyToRoot = pkgs.writeTextDir "index.html" "for ${architecture}\n";
  };
in
lamina.buildIndex {
  images = map image [ "amd64" "arm64" ];
  format = "oci-layout";
  layerCompressor = "zstd";
}
