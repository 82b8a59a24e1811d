# Wrong arguments fail at evaluation, with the function's and the argument's name and what it takes.
function:
let
  inherit (builtins) attrNames concatStringsSep elem isAttrs isBool isFunction isInt isList isPath isString toJSON;

  # A value as an error shows it; what has no short form, by its kind.
  shown = value:
    if isString value || isInt value || isBool value || value == null || builtins.isFloat value then toJSON value
    else if isPath value then toString value
    else if isAttrs value && value ? outPath then "the derivation ${toJSON (value.name or "without a name")}"
    else { set = "an attribute set"; list = "a list"; lambda = "a function"; }.${builtins.typeOf value};

  path = kind "a path or a derivation"
    (value: isPath value || (isString value && builtins.substring 0 1 value == "/") || (isAttrs value && value ? outPath));
  isTree = value: value == null || path.test value || (isList value && builtins.all isTree value);
  kind = what: test: { inherit what test; };
in
rec {
  # Kinds of values, for `arguments`.
  string = kind "a string" isString;
  natural = kind "a whole number from 0 to 4294967295" (value: isInt value && value >= 0 && value < 4294967296);
  positive = kind "a whole number from 1 on" (value: isInt value && value > 0);
  bool = kind "true or false" isBool;
  set = kind "an attribute set" isAttrs;
  list = kind "a list" isList;
  script = kind "a shell script, as a string" isString;
  inherit path;
  nullOr = inner: kind "${inner.what}, or null" (value: value == null || inner.test value);
  listOf = inner: kind "a list, each item ${inner.what}" (value: isList value && builtins.all inner.test value);
  trees = kind "a path or a derivation, or a list of such" isTree;
  either = one: other: kind "${one.what}, or ${other.what}" (value: one.test value || other.test value);
  among = known: kind "one of ${concatStringsSep ", " (map toJSON known)}" (value: elem value known);
  matching = what: pattern: kind what (value: isString value && builtins.match pattern value != null);
  outside = what: kind what (value: isString value && !builtins.hasContext value
    && builtins.substring 0 (builtins.stringLength builtins.storeDir) value != builtins.storeDir);
  time = extra: kind "an RFC 3339 time like \"1970-01-01T00:00:01Z\"${extra}"
    (value: isString value
      && (builtins.match "@[0-9]+|[0-9]{4}-?[0-9]{2}-?[0-9]{2}(T[0-9:.+Z-]+)?" value != null || (extra != "" && value == "now")));

  # Whether each of the arguments that were given is of its kind.
  arguments = given: kinds:
    builtins.all (argument: holds argument given.${argument} kinds.${argument}.test kinds.${argument}.what)
      (builtins.filter (argument: given ? ${argument}) (attrNames kinds));

  holds = argument: value: isRight: what:
    isRight value || throw "${function}: ${argument} is ${shown value}; it takes ${what}";

  notBoth = one: oneValue: other: otherValue:
    oneValue == null || otherValue == null || throw "${function}: ${one} and ${other} mean the same; give one of them";

  deprecated = argument: isUsed: remedy: value:
    if isUsed then builtins.trace "warning: ${function}: ${argument} is the older word; ${remedy}" value else value;
}
