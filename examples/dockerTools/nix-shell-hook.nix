# The derivation's hook runs when the shell starts. Here it also ends the shell.
{ pkgs, dockerTools, ... }:
dockerTools.streamNixShellImage {
  name = "nix-shell-hook";
  tag = "latest";
  drv = pkgs.mkShell {
    shellHook = ''
      echo "the hook ran before anything else"
      exit
    '';
  };
}
