# On a base with compressed layers: an OCI archive with gzip layers, as registries store them. In the new image the
# layers are plain, as in all images of Lamina.
{ pkgs, lamina, examples, ... }:
let
  base = pkgs.runCommand "busybox.oci.tar" { nativeBuildInputs = [ pkgs.skopeo ]; } ''
    export HOME=$TMPDIR
    skopeo --insecure-policy --tmpdir="$TMPDIR" copy docker-archive:${examples.busybox} oci-archive:$out:busybox
  '';
in
lamina.buildImage {
  name = "compressed-base";
  tag = "latest";
  fromImage = base;
  config.Cmd = [ "${pkgs.hello}/bin/hello" ];
}
