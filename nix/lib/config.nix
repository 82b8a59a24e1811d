# An image's `config` object: everything that a consumer would refuse, or would read in two ways, is refused here.
# The same rules for recipes that Nix did not make are in lamina/oci/config.py.
#
#   check (of arguments.nix) -> config -> config
check:
let
  inherit (builtins) all any attrNames elem filter head isAttrs isBool isInt isList isPath isString length match
    stringLength substring toJSON toString;
  show = import ./show.nix;
  inherit (show) shown key;
  names = import ./names.nix;
  keys = import ./config-keys.nix;

  fail = place: value: remedy: check.fail "config.${place} is ${shown value}; ${remedy}";

  isText = value: isString value || isPath value || (isAttrs value && (value ? outPath || value ? __toString));
  # The string in the JSON document. A path becomes a store path.
  textOf = value: if isPath value then "${value}" else toString value;
  quoted = value: if isText value then toJSON (textOf value) else toJSON (shown value);

  text = place: value: isText value || fail place value "it takes a string${
    if isInt value then ": \"${toString value}\"" else ""
  }";
  flag = place: value: isBool value || fail place value "it takes true or false";
  whole = place: value: isInt value || fail place value "it takes a whole number";

  texts = place: example: value:
    if !isList value then fail place value "it takes a list of strings${if isText value then ": [ ${quoted value} ]" else example}"
    else
      let wrong = filter (item: !isText item) value; in
      wrong == [ ] || fail place value "each item is a string, and one is ${shown (head wrong)}${
        if isInt (head wrong) then "; write \"${toString (head wrong)}\"" else ""
      }";

  # A set whose values are empty sets, as Go writes a set of strings.
  marks = place: example: value:
    if !isAttrs value then fail place value "it takes a set: { ${example} = { }; }"
    else all
      (name: value.${name} == { } || value.${name} == null
        || fail "${place}.${key name}" value.${name} "it takes an empty set: ${key name} = { };")
      (attrNames value);

  named = place: value: what: test: all (name: test name || fail place value "${toJSON name} is ${what}") (attrNames value);

  port = name:
    let parts = match "([0-9]{1,5})(-([0-9]{1,5}))?(/(tcp|udp|sctp|TCP|UDP|SCTP))?" name;
      isPort = digits: digits == null || (let number = names.number digits; in number <= 65535);
    in parts != null && isPort (builtins.elemAt parts 0) && isPort (builtins.elemAt parts 2);

  volume = name: match "/.*[^/.].*" name != null && !(any (part: part == "..") (filter isString (builtins.split "/" name)));

  # Go's durations of one unit, in nanoseconds.
  nanoseconds = value:
    let
      parts = if isString value then match "([0-9]{1,9})(ns|us|ms|s|m|h)" value else null;
      units = { ns = 1; us = 1000; ms = 1000000; s = 1000000000; m = 60000000000; h = 3600000000000; };
    in
    if parts == null then null else names.number (head parts) * units.${builtins.elemAt parts 1};
  duration = place: value:
    if !isInt value then fail place value "it takes nanoseconds, as a whole number: ${
      let found = nanoseconds value; in toString (if found == null then 2000000000 else found)
    }${if nanoseconds value == null then " are two seconds" else ""}"
    else if value < 0 || (value > 0 && value < 1000000)
    then fail place value "it takes nanoseconds, 0 or at least 1000000 (a millisecond): 1000000000 is a second"
    else true;

  healthcheck = value:
    let
      field = name:
        let place = "Healthcheck.${name}"; in
        if value.${name} == null then true
        else if name == "Test" then texts place ", for example [ \"CMD\" \"/bin/true\" ]" value.Test && testKind value.Test
        else if name == "Retries" then
          (isInt value.Retries && value.Retries >= 0) || fail place value.Retries "it takes a whole number"
        else duration place value.${name};
      testKind = test:
        test == [ ] || elem (textOf (head test)) [ "NONE" "CMD" "CMD-SHELL" ]
        || fail "Healthcheck.Test" test "its first item says what the others are: \"CMD\", \"CMD-SHELL\" or \"NONE\"";
    in
    if !isAttrs value then fail "Healthcheck" value "it takes a set: { Test = [ \"CMD\" \"/bin/true\" ]; }"
    else known "Healthcheck." keys.healthcheck value && all field (filter (name: elem name keys.healthcheck) (attrNames value));

  # A variable of the environment: a name, `=`, and a value.
  # `split` instead of `match`, which fails for long values.
  variable = value: item:
    let parts = builtins.split "=" (textOf item); in
    (length parts > 1 && head parts != "") || fail "Env" value "${quoted item} is no NAME=VALUE";

  signals = [
    "ABRT" "ALRM" "BUS" "CHLD" "CLD" "CONT" "FPE" "HUP" "ILL" "INT" "IO" "IOT" "KILL" "PIPE" "POLL" "PROF" "PWR" "QUIT" "SEGV"
    "STKFLT" "STOP" "SYS" "TERM" "TRAP" "TSTP" "TTIN" "TTOU" "UNUSED" "URG" "USR1" "USR2" "VTALRM" "WINCH" "XCPU" "XFSZ"
  ];
  signal = value:
    let name = match "(SIG)?([A-Z0-9]+)" value;
    in value == "" || match "[0-9]{1,2}" value != null || match "(SIG)?RT(MIN|MAX)([+-][0-9]{1,2})?" value != null
    || (name != null && elem (builtins.elemAt name 1) signals)
    || fail "StopSignal" value "it takes a signal, like \"SIGTERM\"";

  # A user number from 2^31 on is another user for some runtimes.
  user = value:
    let
      parts = filter (part: isString part && match "[0-9]+" part != null) (builtins.split ":" value);
      tooLarge = digits: stringLength digits > 10 || names.number digits >= 2147483648;
    in
    all (digits: !tooLarge digits || fail "User" value "numbers go up to 2147483647: runtimes would take it for root") parts;

  # Checks of values whose type is right.
  inner = {
    Env = value: all (variable value) value;
    ExposedPorts = value: named "ExposedPorts" value "no port, like 8080, 8080/tcp or 53/udp" port;
    Volumes = value: named "Volumes" value "no absolute path below /" volume;
    WorkingDir = value: textOf value == "" || substring 0 1 (textOf value) == "/"
      || fail "WorkingDir" value "it takes an absolute path: ${toJSON "/${textOf value}"}";
    StopSignal = value: signal (textOf value);
    User = value: user (textOf value);
  };

  outer = name: value:
    if elem name keys.texts then text name value
    else if elem name keys.lists then texts name (examples.${name} or ", for example [ \"/bin/sh\" ]") value
    else if elem name keys.flags then flag name value
    else if elem name keys.numbers then whole name value
    else if name == "ExposedPorts" then marks name "\"8080/tcp\"" value
    else if name == "Volumes" then marks name "\"/data\"" value
    else if name == "Healthcheck" then healthcheck value
    else if name == "Labels" then
      if !isAttrs value then fail name value "it takes a set: { key = \"value\"; }"
      else all (label: text "Labels.${key label}" value.${label}) (attrNames value)
    else true;
  examples.Env = ", for example [ \"HOME=/\" ]";

  # An unknown key that is near to a known one is an error: readers that compare keys with case, and those that compare
  # without, would see two images. Any other unknown key is kept, with a warning: a newer Docker may know it.
  known = place: takes: set:
    let
      wrong = filter (name: !elem name takes) (attrNames set);
      meant = name: show.nearest name takes;
      refused = filter (name: meant name != null) wrong;
    in
    refused == [ ] || check.fail "config.${place}${key (head refused)} is not known; did you mean ${meant (head refused)}?";

  unknown = config: filter (name: !elem name keys.all) (attrNames config)
    ++ (if isAttrs (config.Healthcheck or null)
    then map (name: "Healthcheck.${name}") (filter (name: !elem name keys.healthcheck) (attrNames config.Healthcheck)) else [ ]);

  warned = config:
    let
      strange = unknown config;
      userName = config.User or null;
      isName = isString userName && match "[0-9]*(:.*)?" userName == null && match "root(:.*)?" userName == null;
      one = if strange == [ ] then (value: value)
        else check.warn "config.${head strange} is not a known key of an image's config; it is kept as it is";
      other = if !isName then (value: value)
        else check.warn "config.User is ${toJSON userName}: where Kubernetes demands runAsNonRoot, it takes only numbers, like \"1000\"";
    in
    one (other config);

  isRight = config:
    let
      given = filter (name: config.${name} != null) (attrNames config);
    in
    known "" keys.all config
    && all (name: outer name config.${name} && (!(inner ? ${name}) || inner.${name} config.${name})) given;
in
config: if config == null then null else assert isRight config; warned config
