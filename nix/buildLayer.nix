# A layer for the argument `layers` of an image. It is a derivation of its own, so Nix can cache it, substitute it and
# build it on another machine. See docs/use/layeredImages.md.
{ toolbox, function ? "buildLayer" }:
let
  kinds = import ./lib/arguments.nix;
  names = import ./lib/names.nix;
  rootScript = import ./lib/root-script.nix { inherit toolbox; };
in
{ name ? "layer"
, paths ? [ ]           # store paths to include, with their closures
, copyToRoot ? [ ]      # directories: their contents are copied to the root of the image
, extraCommands ? ""    # a shell script that runs in the root directory of the layer
, uid ? 0               # owner of the files at the root
, gid ? 0
, allowForeign ? false  # allow packages that were built for another system or processor
, rules ? [ ]           # [{ pattern = "/home/alice(/.*)?"; uid; gid; mode = "0700"; }]: the last that matches a path applies
, maxLayers ? null      # greatest number of layers for the paths; null: one
}@arguments:
let
  check = kinds.of { inherit function; it = null; };
in
assert check.arguments arguments {
  name = kinds.storeName;
  paths = kinds.listOf kinds.inStore;
  copyToRoot = kinds.trees;
  extraCommands = kinds.script;
  uid = kinds.natural;
  gid = kinds.natural;
  allowForeign = kinds.bool;
  rules = kinds.listOf kinds.set;
  maxLayers = kinds.nullOr kinds.positive;
};
assert allowForeign || check.ours false toolbox.goArch [ paths copyToRoot ];
let
  trees = names.trees copyToRoot;
  storePaths = map names.storePath paths;
  owner = { uid = names.number uid; gid = names.number gid; };
  commands = names.script extraCommands;
  made =
    if commands == "" then null
    else rootScript ({ inherit name trees; extraCommands = commands; based = true; } // owner);
in
toolbox.derive ({
  name = "${name}.json";
  __structuredAttrs = true;
  program = toolbox.laminaProgram;
  args = [ "recipe" "--layers" "-o" (placeholder "out") ];
  paths = storePaths;
  trees = if made == null then trees else [ ];
  inherit made rules maxLayers;
  exportReferencesGraph.closure = storePaths ++ (if made == null then map names.storePath trees else [ made ]);
  passthru.sbomPackages = [ paths copyToRoot ];
} // owner)
