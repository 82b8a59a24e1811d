# A tree with /bin/sh, for `copyToRoot` and `contents`.
{ toolbox }:
import ./lib/links.nix { inherit toolbox; } "bin-sh" { "bin/sh" = "${toolbox.files.bash}/bin/bash"; }
