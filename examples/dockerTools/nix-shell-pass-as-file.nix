# An attribute in passAsFile is a file in the image too.
{ pkgs, dockerTools, ... }:
dockerTools.streamNixShellImage {
  name = "nix-shell-pass-as-file";
  tag = "latest";
  drv = pkgs.mkShell {
    poem = "too long for a variable\n";
    passAsFile = [ "poem" ];
  };
  command = ''cat "$poemPath"'';
}
