# The same pull, under a name that depends on all its arguments. So Nix pulls again if the way of pulling changes;
# otherwise it would find the hash and download nothing.
{ dockerTools, pulled, ... }:
let
  once = dockerTools.pullImage pulled;
  salt = builtins.substring 0 12 (builtins.hashString "sha256" (builtins.unsafeDiscardStringContext once.drvPath));
in
dockerTools.pullImage (pulled // { name = "${salt}-${once.name}"; })
