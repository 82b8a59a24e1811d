# Values, names and sentences for messages.
let
  inherit (builtins) attrNames concatStringsSep genList isAttrs isList length stringLength substring toJSON;

  most = 80;
  # The whole text, or its beginning with its length.
  cut = text:
    if stringLength text <= most then text
    else "${substring 0 most text}... (${toString (stringLength text)} characters)";

  take = count: list: if length list <= count then list else genList (builtins.elemAt list) count;
  joined = show: list: concatStringsSep " " (map show (take 6 list) ++ (if length list > 6 then [ "..." ] else [ ]));

  key = name: if builtins.match "[A-Za-z_][A-Za-z0-9_'-]*" name != null then name else toJSON name;

  # A value in Nix' syntax. Only `depth` levels of nested values are shown.
  value = depth: it:
    let kind = builtins.typeOf it; in
    if kind == "path" then toString it
    else if kind == "lambda" then "a function"
    else if isAttrs it && it ? outPath then "the derivation ${toJSON (it.name or (toString it))}"
    else if isAttrs it && it ? __toString then toJSON (toString it)
    else if isList it then
      if it == [ ] then "[ ]" else if depth == 0 then "[ ... ]" else "[ ${joined (value (depth - 1)) it} ]"
    else if isAttrs it then
      if it == { } then "{ }"
      else if depth == 0 then "{ ... }"
      else "{ ${joined (name: "${key name} = ${value (depth - 1) it.${name}};") (attrNames it)} }"
    else if kind == "float" then "${toJSON it} (a number with a fraction)"
    else toJSON it;

  letters = builtins.filter (letter: builtins.isString letter && letter != "");
  characters = text: letters (builtins.split "" text);

  # The Levenshtein distance: how many characters to insert, remove or replace to turn one word into the other.
  distance = one: other:
    let
      rows = characters one;
      columns = characters other;
      next = above: letter:
        builtins.foldl'
          (row: column:
            let
              index = length row - 1;
              replaced = builtins.elemAt above index + (if builtins.elemAt columns index == letter then 0 else 1);
              removed = builtins.elemAt above (index + 1) + 1;
              inserted = builtins.elemAt row index + 1;
              smaller = a: b: if a < b then a else b;
            in
            row ++ [ (smaller replaced (smaller removed inserted)) ])
          [ (builtins.head above + 1) ]
          columns;
      final = builtins.foldl' next (genList (index: index) (length columns + 1)) rows;
    in
    builtins.elemAt final (length columns);

  inherit (import ./names.nix) lower;
in
{
  inherit key;
  shown = it: cut (value 2 it);

  # The word of `known` that is most similar to `word`, or null if none is similar enough.
  nearest = word: known:
    let
      same = builtins.filter (other: lower other == lower word) known;
      allowed = if stringLength word < 5 then 1 else if stringLength word < 9 then 2 else 3;
      scored = map (other: { inherit other; far = distance (lower word) (lower other); }) known;
      better = best: it: if best == null || it.far < best.far then it else best;
      best = builtins.foldl' better null scored;
    in
    if same != [ ] then builtins.head same
    else if best != null && best.far <= allowed then best.other
    else null;
}
