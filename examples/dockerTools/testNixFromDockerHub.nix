# The same pull under a name that hangs on all its arguments, so that a change of how it is pulled pulls anew,
# where Nix would otherwise find the hash and ask nobody.
{ dockerTools, pulled, ... }:
let
  once = dockerTools.pullImage pulled;
  salt = builtins.substring 0 12 (builtins.hashString "sha256" (builtins.unsafeDiscardStringContext once.drvPath));
in
dockerTools.pullImage (pulled // { name = "${salt}-${once.name}"; })
