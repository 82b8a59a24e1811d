# What callers give as one directory or as a list: a flat list of paths. Lists in it are opened and nulls left out, as
# Nix does with a derivation's attributes.
let
  flat = value: if builtins.isList value then builtins.concatMap flat value else if value == null then [ ] else [ value ];
in
value: map (tree: "${tree}") (flat value)
