# Names and paths as callers give them, in the form that recipes take.
let
  letters = text: builtins.filter (letter: builtins.isString letter && letter != "") (builtins.split "" text);
  flat = value:
    if builtins.isList value then builtins.concatMap flat value else if value == null then [ ] else [ value ];
in
{
  # A name in lower case: image names have no upper case.
  lower = builtins.replaceStrings (letters "ABCDEFGHIJKLMNOPQRSTUVWXYZ") (letters "abcdefghijklmnopqrstuvwxyz");

  # One directory or a list of directories, as a flat list of paths. Inner lists are flattened and nulls left out, as
  # Nix does with a derivation's attributes.
  trees = value: map (tree: "${tree}") (flat value);
}
