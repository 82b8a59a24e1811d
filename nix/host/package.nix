# One distribution package -> one store path.
{ bootstrap, settings, system, deb }:
name: { version, dependencies, debs }:
let
  # A store path's name must not contain every character of a version, and needs no epoch.
  storeVersion = builtins.replaceStrings [ "~" ] [ "-" ] (builtins.elemAt (builtins.match "([0-9]+:)?(.*)" version) 1);
in
bootstrap.build "${name}-${storeVersion}" ./relocate.py {
  inherit dependencies;
  inherit (bootstrap) patchelf;
  debs = map deb debs;
  multiarch = "${system}-gnu";
  links = settings.links.${name} or { };
  drop = settings.drop.${name} or [ ];
  edits = settings.edit.${name} or { };
} // {
  inherit dependencies;
  pname = name;
  version = storeVersion;
  meta = { };
}
