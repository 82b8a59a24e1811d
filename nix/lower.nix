# A name in lower case: image names have no other.
let
  letters = text: builtins.filter (letter: builtins.isString letter && letter != "") (builtins.split "" text);
in
builtins.replaceStrings (letters "ABCDEFGHIJKLMNOPQRSTUVWXYZ") (letters "abcdefghijklmnopqrstuvwxyz")
