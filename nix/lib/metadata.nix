# Metadata of packages that their store paths do not contain: licenses, CPE, package URLs, and vendored packages.
# `packages` are derivations. The metadata of all their build inputs is collected too, because only the build of the image
# finds out which of these packages the image contains. No package is built for it, and it is evaluated only if used.
{ toolbox }:
{ name, packages }:
let
  inherit (builtins) attrValues concatMap filter genericClosure head isAttrs isList isString map toJSON tryEval
    unsafeDiscardStringContext;

  isDerivation = value: isAttrs value && value.type or null == "derivation" && value ? outPath;
  path = package: unsafeDiscardStringContext package.outPath;

  # The derivations in a value of a derivation's attributes.
  within = value:
    if isDerivation value then outputs value ++ listed value
    else if isList value then concatMap within value
    else if isAttrs value && !(value ? outPath) then concatMap within (attrValues value)
    else [ ];
  # Packages that a derivation's attributes contain only as strings, as in buildLayer and nixpkgs' buildEnv.
  listed = package: concatMap (list: if isList list then concatMap within list else [ ]) [
    (package.sbomPackages or [ ])
    (let tried = tryEval (package.paths or [ ]); in if tried.success then tried.value else [ ])
  ];
  outputs = package:
    if package ? outputs then map (output: package.${output} or package) package.outputs else [ package ];

  keyed = package: { key = path package; inherit package; };
  usable = filter (package: (tryEval package.outPath).success);
  all = genericClosure {
    startSet = map keyed (usable (concatMap within packages));
    operator = { package, ... }:
      let parts = tryEval (attrValues (package.drvAttrs or { }));
      in map keyed (usable (if parts.success then concatMap within (filter isAny parts.value) else [ ]));
  };
  isAny = value: let tried = tryEval value; in tried.success && (isList tried.value || isAttrs tried.value);

  text = value:
    let tried = tryEval value;
    in if tried.success && isString tried.value then unsafeDiscardStringContext tried.value else "";
  licenses = value:
    if isList value then concatMap licenses value
    else if isString value then [ [ "" value ] ]
    else if isAttrs value then [ [ (text (value.spdxId or "")) (text (value.fullName or value.shortName or "")) ] ]
    else [ ];

  about = { key, package }:
    let
      meta = let tried = tryEval (package.meta or { }); in if tried.success && isAttrs tried.value then tried.value else { };
      identifiers = let it = tryEval (meta.identifiers or { }); in if it.success && isAttrs it.value then it.value else { };
      vendored = package.bombonVendoredSbom or null;
      known = tryEval (licenses (meta.license or [ ]));
    in
    {
      path = key;
      name = text (package.pname or "");
      version = text (package.version or "");
      output = text (package.outputName or "");
      description = text (meta.description or "");
      homepage = text (let first = meta.homepage or ""; in if isList first then head (first ++ [ "" ]) else first);
      licenses = if known.success then known.value else [ ];
      cpe = text (identifiers.cpe or "");
      purl = text (identifiers.purl or "");
      # This is the only thing that is built for the metadata.
      vendored = if vendored == null then null else "${vendored}";
    };
in
toolbox.write "${name}-metadata.json" (toJSON { version = 1; packages = map about all; })
