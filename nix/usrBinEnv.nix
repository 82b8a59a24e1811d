# A tree with /usr/bin/env, for `copyToRoot` and `contents`.
{ toolbox }:
import ./lib/links.nix { inherit toolbox; } "usr-bin-env" { "usr/bin/env" = "${toolbox.files.coreutils}/bin/env"; }
