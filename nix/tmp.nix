# A layer with /tmp and /var/tmp, which everybody may write to: for the argument `layers`. A tree in the store cannot hold
# them, because Nix takes such modes away.
{ buildLayer }:
buildLayer {
  name = "tmp";
  extraCommands = "mkdir var; mkdir -m 1777 tmp var/tmp";
}
