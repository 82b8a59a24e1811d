# On a base whose layers are compressed, as every registry keeps them: an OCI archive with gzip layers. In the new
# image they are plain, as in every image of Lamina's.
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
