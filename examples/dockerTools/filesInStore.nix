# A store path that is a file and not a directory, in the image and in its database.
{ pkgs, dockerTools, ... }:
dockerTools.buildLayeredImageWithNixDb {
  name = "file-in-store";
  tag = "latest";
  contents = [ pkgs.coreutils pkgs.nix ];
  config.Env = [ "PATH=/bin" "USER=nobody" ];
  config.Cmd = [
    "${pkgs.coreutils}/bin/cat"
    "${pkgs.writeText "data-in-a-file" "some data\n"}"
  ];
}
