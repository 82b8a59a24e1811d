# A layer of one's own, for the `layers` of an image: a derivation by itself, so Nix caches it, substitutes it and
# builds it elsewhere. See docs/use/layeredImages.md.
{ toolbox, function ? "buildLayer" }:
let
  kinds = import ./lib/arguments.nix;
  names = import ./lib/names.nix;
  rootScript = import ./lib/root-script.nix { inherit toolbox; };
in
{ name ? "layer"
, paths ? [ ]           # store paths that go in, with all that they refer to
, copyToRoot ? [ ]      # directories: what lies in them goes to the root of the image
, extraCommands ? ""    # a shell script that runs where the root is
, uid ? 0               # owner of what lies at the root
, gid ? 0
, allowForeign ? false  # packages that were built for another system or processor may go in
, rules ? [ ]           # [{ pattern = "/home/alice(/.*)?"; uid; gid; mode = "0700"; }]: the last that fits a path counts
, maxLayers ? null      # more than one layer for the paths; null: one
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
  wanted = map names.storePath paths;
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
  paths = wanted;
  trees = if made == null then trees else [ ];
  inherit made rules maxLayers;
  exportReferencesGraph.closure = wanted ++ (if made == null then map names.storePath trees else [ made ]);
  passthru.sbomPackages = [ paths copyToRoot ];
} // owner)
