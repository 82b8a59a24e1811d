# A layer with /tmp and /var/tmp, to which everybody may write, for the argument `layers`. A tree in the store cannot
# contain them, because Nix removes such modes.
{ buildLayer }:
buildLayer {
  name = "tmp";
  extraCommands = "mkdir var; mkdir -m 1777 tmp var/tmp";
}
