# Names, paths and values as callers give them, in the form that recipes take.
let
  inherit (builtins) concatMap filter isInt isList isString split stringLength substring;

  letters = text: filter (letter: isString letter && letter != "") (split "" text);
  flat = value: if isList value then concatMap flat value else if value == null then [ ] else [ value ];
in
rec {
  # A name in lower case: image names have no upper case.
  lower = builtins.replaceStrings (letters "ABCDEFGHIJKLMNOPQRSTUVWXYZ") (letters "abcdefghijklmnopqrstuvwxyz");

  # One directory or a list of directories, as a flat list. Inner lists are flattened and nulls left out, as Nix does
  # with a derivation's attributes.
  flatten = flat;
  trees = value: map (tree: "${tree}") (flat value);

  # The store path that contains a path: for "/nix/store/HASH-hello/bin" it is "/nix/store/HASH-hello". The string keeps
  # its context (dependencies).
  storePath = path:
    let
      store = stringLength builtins.storeDir + 1;
      below = builtins.unsafeDiscardStringContext (substring store (-1) "${path}");
      name = builtins.head (split "/" below);
    in
    substring 0 (store + stringLength name) "${path}";

  # The base of an image: one of the images in a file, or null.
  base = file: name: tag: if file == null then null else { path = "${file}"; inherit name tag; };

  # Values that dockerTools takes in more than one form.
  number = value: if isString value then builtins.fromJSON (withoutZeros value) else value;
  withoutZeros = text: builtins.elemAt (builtins.match "0*([0-9]+)" text) 0;
  text = value: if isInt value then toString value else value;
  script = value: if value == null then "" else "${value}";
}
