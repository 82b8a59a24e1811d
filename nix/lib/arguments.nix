# Wrong arguments fail at evaluation. Messages name the function, the image, the argument, its value, and what to write.
let
  inherit (builtins) all any attrNames concatStringsSep elem filter functionArgs hasAttr isAttrs isBool isInt isList isPath
    isString match stringLength substring toJSON;
  show = import ./show.nix;
  inherit (show) shown;
  names = import ./names.nix;

  startsWith = start: text: substring 0 (stringLength start) text == start;

  # Values that Nix turns into the path of a file or program, as a store path.
  isDerivation = value: isAttrs value && (value ? outPath || value ? __toString);
  isPathLike = value: isPath value || isDerivation value || (isString value && startsWith "/" value);
  isTree = value: value == null || isPathLike value || (isList value && all isTree value);
  outside = value: isString value && startsWith "/" value && !startsWith "${builtins.storeDir}/" value;
  anyOutside = value: if isList value then any anyOutside value else outside value;

  isDigits = value: isString value && match "0*[0-9]{1,10}" value != null;
  isNatural = value: (isInt value || isDigits value)
    && (let number = names.number value; in number >= 0 && number < 4294967296);

  # The grammar of distribution/reference, as in lamina/oci/reference.py. Upper case in a name becomes lower case.
  label = "[a-z0-9]([a-z0-9-]*[a-z0-9])?";
  host = "${label}([.]${label})*(:[0-9]+)?";
  word = "[a-z0-9]+(([._]|__|-+)[a-z0-9]+)*";
  isImageName = value: isString value && stringLength value <= 255
    && match "(${host}/)?${word}(/${word})*" (names.lower value) != null;
  isTag = value: isString value && match "[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}" value != null;

  imageNameRemedy = value:
    let
      tagged = if isString value then match "(.*[^:/]):([A-Za-z0-9_][A-Za-z0-9_.-]*)" value else null;
      digest = isString value && match ".*@.*" value != null;
    in
    if digest then "a name has no digest in it; write name = ${toJSON (builtins.head (match "([^@]*)@.*" value))}"
    else if tagged != null && isImageName (builtins.head tagged)
    then "give the tag as tag = ${toJSON (builtins.elemAt tagged 1)}"
    else null;

  goArchitectures = [
    "386" "amd64" "arm" "arm64" "loong64" "mips" "mips64" "mips64le" "mipsle" "ppc64" "ppc64le" "riscv64" "s390x" "wasm"
  ];
  otherNames = {
    x86_64 = "amd64"; x86-64 = "amd64"; x64 = "amd64"; aarch64 = "arm64"; armv8 = "arm64"; i686 = "386"; i386 = "386"; x86 = "386";
    armv7l = "arm"; armv6l = "arm"; armhf = "arm"; armv7 = "arm"; powerpc64le = "ppc64le"; powerpc64 = "ppc64"; loongarch64 = "loong64";
  };
  architectureRemedy = value:
    if !isString value then null
    else if otherNames ? ${names.lower value} then "write ${toJSON otherNames.${names.lower value}}"
    else
      let near = show.nearest value goArchitectures;
      in if near == null then null else "did you mean ${toJSON near}?";
in
rec {
  kind = what: test: { inherit what test; remedy = _: null; };

  # Kinds of values, for `arguments` below.
  string = kind "a string" isString;
  natural = kind "a whole number from 0 to 4294967295" isNatural;
  positive = kind "a whole number from 1 on" (value: isInt value && value > 0);
  bool = kind "true or false" isBool;
  set = kind "an attribute set" isAttrs;
  list = kind "a list" isList;
  script = kind "a shell script: a string, or a program's path or derivation, or null"
    (value: value == null || isString value || isPathLike value);
  path = kind "a path or a derivation" isPathLike // {
    remedy = value: if outside value then "it is not in the Nix store; write the path without quotes" else null;
  };
  inStore = path // { test = value: isPathLike value && !outside value; };
  trees = {
    what = "a path or a derivation, or a list of such";
    test = value: isTree value && !anyOutside value;
    remedy = value: if anyOutside value then "it is not in the Nix store; write the path without quotes" else null;
  };
  tag = {
    what = "a tag, or null: up to 128 letters, digits, _ . and -, not starting with . or -";
    test = value: value == null || isInt value || isTag value;
    remedy = _: null;
  };
  imageName = {
    what = "the name of an image: letters, digits and single . _ - between them, with a registry before a slash or without";
    test = isImageName;
    remedy = imageNameRemedy;
  };
  pulledName = imageName // {
    test = value: isString value && match "[A-Za-z0-9]([A-Za-z0-9._/-]|:[0-9]+/)*" value != null;
  };
  storeName = kind "a name for a store path: letters, digits and + - . _ ? =, not starting with ."
    (value: isString value && match "[A-Za-z0-9+_?=-][A-Za-z0-9+._?=-]{0,210}" value != null);
  architecture = {
    what = "a processor in Go's words, one of ${concatStringsSep ", " goArchitectures}";
    test = value: elem value goArchitectures;
    remedy = architectureRemedy;
  };
  # A text for `date -d` of GNU; whether date accepts it is only known when the image is built.
  date = kind "a time: RFC 3339 like \"1970-01-01T00:00:01Z\", \"now\", or words that date -d takes"
    (value: isString value && match "[[:space:]]*" value == null);
  time = kind "an RFC 3339 time like \"1970-01-01T00:00:01Z\", or \"now\""
    (value: isString value
      && (value == "now" || match "@[0-9]+|[0-9]{4}-?[0-9]{2}-?[0-9]{2}(T[0-9:.+Z-]+)?" value != null));
  severalLayers = kind "a whole number above 1" (value: isInt value && value > 1);
  texts = kind "a set of strings" (value: isAttrs value && all isString (map (key: value.${key}) (attrNames value)));
  nullOr = inner: inner // { what = "${inner.what}, or null"; test = value: value == null || inner.test value; };
  listOf = inner: kind "a list, each item ${inner.what}" (value: isList value && all inner.test value);
  either = one: other: kind "${one.what}, or ${other.what}" (value: one.test value || other.test value);
  among = known: kind "one of ${concatStringsSep ", " (map toJSON known)}" (value: elem value known) // {
    remedy = value:
      let near = if isString value then show.nearest value known else null;
      in if near == null then null else "did you mean ${toJSON near}?";
  };
  matching = what: pattern: kind what (value: isString value && match pattern value != null);
  outsideOfStore = what: kind what (value: isString value && !builtins.hasContext value
    && !startsWith builtins.storeDir value);

  # The arguments that buildImage and streamLayeredImage have in common.
  image = {
    name = imageName;
    inherit tag;
    fromImage = nullOr path;
    fromImageName = nullOr string;
    fromImageTag = nullOr string;
    contents = trees;
    config = nullOr set;
    inheritConfig = among [ "docker" "env" ];
    inherit architecture;
    uid = natural;
    gid = natural;
    allowForeign = bool;
    layers = listOf path;
    extraCommands = script;
    includeNixDB = bool;
    meta = set;
  };

  # The checks of the function with the name `function`. `it` is the name of its result in errors, or null.
  of = { function, it ? null }: rec {
    who = if isString it then "${function}, image ${toJSON it}" else function;
    fail = message: throw "${who}: ${message}";
    warn = message: builtins.trace "warning: ${who}: ${message}";

    holds = argument: value: { what, test, remedy }:
      test value || (
        let more = remedy value;
        in fail "${argument} is ${shown value}; ${if more != null then more else "it takes ${what}"}"
      );

    # Checks each argument that was given.
    arguments = given: kinds:
      all (argument: holds argument given.${argument} kinds.${argument}) (filter (argument: given ? ${argument}) (attrNames kinds));

    notBoth = one: oneValue: other: otherValue:
      oneValue == null || otherValue == null || fail "${one} and ${other} mean the same; give one of them";

    deprecated = argument: isUsed: remedy: value:
      if isUsed then warn "${argument} is the older word; ${remedy}" value else value;

    # Checks that packages whose files go into the image are for its architecture. With `lenient`, another processor is only
    # a warning, because nixpkgs' own examples use one. Another system than Linux is always an error.
    ours = lenient: architecture: trees:
      let
        goArch = import ../toolbox/go-arch.nix;
        runs = { amd64 = [ "386" ]; arm64 = [ "arm" ]; };
        check = tree:
          let
            platform = tree.stdenv.hostPlatform;
            processor = goArch platform.system;
            isLinux = match ".*-linux" platform.system != null;
            fits = isLinux && (processor == architecture || elem processor (runs.${architecture} or [ ]));
            message = "${tree.name or "a package"} is for ${platform.system}, and the image for linux/${architecture}; "
              + "take the package from a package set for that machine, or set allowForeign = true";
          in
          # Results of runCommand and the like contain text and links, which fit any machine.
          !(isAttrs tree && tree ? stdenv.hostPlatform.system) || tree ? buildCommand || fits
          || (if lenient && isLinux then warn message true else fail message);
      in
      all check (names.flatten trees);
  };

  # The function with a check of its arguments' names. (Nix' own error would name the function's file.)
  # `hints`: for names of arguments that it does not have, the text that says what to write instead.
  known = name: hints: function:
    let
      takes = function.__functionArgs or (functionArgs function);
      configKeys = import ./config-keys.nix;

      hint = word:
        let
          near = show.nearest word (attrNames takes);
          key = show.nearest word configKeys.all;
          isKey = key != null && names.lower key == names.lower word;
        in
        if hints ? ${word} then hints.${word}
        else if isKey then "write config.${key}"
        else if near != null then "did you mean ${near}?"
        else "it takes ${concatStringsSep ", " (attrNames takes)}";

      checked = given:
        let
          it = if isAttrs given then given.name or given.imageName or null else null;
          self = of { function = name; inherit it; };
          unknown = filter (word: !(hasAttr word takes)) (attrNames given);
          missing = filter (word: !takes.${word} && !(hasAttr word given)) (attrNames takes);
        in
        if !isAttrs given then self.fail "the argument is ${shown given}; it takes an attribute set"
        else if unknown != [ ] then self.fail "there is no argument ${show.key (builtins.head unknown)}; ${hint (builtins.head unknown)}"
        else if missing != [ ] then self.fail "the argument ${builtins.head missing} is missing"
        else function given;
    in
    { __functor = _: checked; __functionArgs = takes; };
}
