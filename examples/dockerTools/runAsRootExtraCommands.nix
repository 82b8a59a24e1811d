# Both kinds of scripts in one image, with text that has a meaning for a shell.
{ pkgs, dockerTools, ... }:
dockerTools.buildImage {
  name = "run-as-root-extra-commands";
  tag = "latest";
  copyToRoot = pkgs.coreutils;
  runAsRoot = ''
    (printf '%s\n' "it's \$ROOT's \"word\"") > by-root
  '';
  extraCommands = ''
    (printf '%s\n' "it's the \$BUILDER's \"word\"") > by-builder
  '';
  config.Env = [ "PATH=/bin" ];
}
