# The functions of nixpkgs' lib that image expressions use.
let
  inherit (builtins) concatStringsSep filter hasAttr head isAttrs isList length map stringLength substring;
in
rec {
  inherit (builtins)
    all any attrNames attrValues concatLists concatMap concatStringsSep elem elemAt filter foldl' fromJSON genList
    hasAttr head intersectAttrs isAttrs isBool isFunction isInt isList isString length listToAttrs mapAttrs match
    pathExists readFile replaceStrings stringLength substring tail toJSON;

  id = value: value;
  const = value: _: value;
  min = a: b: if a < b then a else b;
  max = a: b: if a > b then a else b;

  optional = condition: value: if condition then [ value ] else [ ];
  optionals = condition: values: if condition then values else [ ];
  optionalString = condition: text: if condition then text else "";
  optionalAttrs = condition: attributes: if condition then attributes else { };

  # Lists
  toList = value: if isList value then value else [ value ];
  flatten = value: if isList value then builtins.concatMap flatten value else [ value ];
  take = count: values: builtins.genList (builtins.elemAt values) (min count (length values));
  last = values: builtins.elemAt values (length values - 1);
  range = from: to: if from > to then [ ] else builtins.genList (index: from + index) (to - from + 1);
  imap0 = function: values: builtins.genList (index: function index (builtins.elemAt values index)) (length values);
  unique = builtins.foldl' (kept: value: if builtins.elem value kept then kept else kept ++ [ value ]) [ ];
  remove = unwanted: filter (value: value != unwanted);

  # Attribute sets
  genAttrs = names: function: builtins.listToAttrs (map (name: nameValuePair name (function name)) names);
  nameValuePair = name: value: { inherit name value; };
  mapAttrs' = function: attributes: builtins.listToAttrs (mapAttrsToList function attributes);
  mapAttrsToList = function: attributes: map (name: function name attributes.${name}) (builtins.attrNames attributes);
  filterAttrs = keep: attributes:
    removeAttrs attributes (filter (name: !keep name attributes.${name}) (builtins.attrNames attributes));
  attrByPath = path: default: attributes:
    if path == [ ] then attributes
    else if isAttrs attributes && hasAttr (head path) attributes
    then attrByPath (builtins.tail path) default attributes.${head path}
    else default;
  recursiveUpdate = old: new: old // builtins.mapAttrs
    (name: value: if isAttrs value && isAttrs (old.${name} or null) then recursiveUpdate old.${name} value else value)
    new;

  # Strings
  concatStrings = concatStringsSep "";
  concatMapStrings = function: values: concatStrings (map function values);
  concatMapStringsSep = separator: function: values: concatStringsSep separator (map function values);
  hasPrefix = prefix: text: substring 0 (stringLength prefix) text == prefix;
  hasSuffix = suffix: text:
    stringLength text >= stringLength suffix
    && substring (stringLength text - stringLength suffix) (stringLength suffix) text == suffix;
  removePrefix = prefix: text:
    if hasPrefix prefix text then substring (stringLength prefix) (stringLength text) text else text;
  removeSuffix = suffix: text:
    if hasSuffix suffix text then substring 0 (stringLength text - stringLength suffix) text else text;
  hasInfix = infix: text: length (splitString infix text) > 1;
  splitString = separator: text: filter builtins.isString (builtins.split (escapeRegex separator) text);
  escapeRegex = builtins.replaceStrings
    [ "\\" "^" "$" "." "|" "?" "*" "+" "(" ")" "[" "]" "{" "}" ]
    [ "\\\\" "\\^" "\\$" "\\." "\\|" "\\?" "\\*" "\\+" "\\(" "\\)" "\\[" "\\]" "\\{" "\\}" ];
  escapeShellArg = value: "'${builtins.replaceStrings [ "'" ] [ "'\\''" ] (toString value)}'";
  escapeShellArgs = concatMapStringsSep " " escapeShellArg;

  # Packages
  isDerivation = value: isAttrs value && value.type or null == "derivation";
  isStorePath = value: hasPrefix "${builtins.storeDir}/" (toString value);
  getName = package: package.pname or (builtins.parseDrvName package.name).name;
  getVersion = package: package.version or (builtins.parseDrvName package.name).version;
  getBin = package: package.bin or package;
  getLib = package: package.lib or package;
  getExe = package: getExe' package (package.meta.mainProgram or (getName package));
  getExe' = package: program: "${getBin package}/bin/${program}";
  makeSearchPath = directory: packages:
    concatMapStringsSep ":" (package: "${package}/${directory}") (filter (package: package != null) packages);
  makeBinPath = packages: makeSearchPath "bin" (map getBin packages);
  makeLibraryPath = packages: makeSearchPath "lib" (map getLib packages);

  # Modules and functions
  functionArgs = function: function.__functionArgs or (builtins.functionArgs function);
  setFunctionArgs = function: arguments: { __functor = _: function; __functionArgs = arguments; };
  warn = message: builtins.trace "warning: ${message}";
  warnIf = condition: message: if condition then warn message else id;
  throwIf = condition: message: if condition then throw message else id;
  assertMsg = condition: message: if condition then true else throw message;
  importJSON = path: builtins.fromJSON (builtins.readFile path);
}
