# A layer of one's own, for the `layers` of an image: a derivation by itself, so Nix caches it, substitutes it and
# builds it elsewhere. See docs/use/layeredImages.md.
{ toolbox }:
let
  checks = import ./lib/arguments.nix "buildLayer";
  names = import ./lib/names.nix;
  rootScript = import ./lib/root-script.nix { inherit toolbox; };
in
{ name ? "layer"
, paths ? [ ]           # store paths that go in, with all that they refer to
, copyToRoot ? [ ]      # directories: what lies in them goes to the root of the image
, extraCommands ? ""    # a shell script that runs where the root is
, uid ? 0               # owner of what lies at the root
, gid ? 0
, rules ? [ ]           # [{ pattern = "/home/alice(/.*)?"; uid; gid; mode = "0700"; }]: the last that fits a path counts
, maxLayers ? null      # more than one layer for the paths; null: one
}@arguments:

assert checks.arguments arguments {
  name = checks.string;
  paths = checks.listOf checks.path;
  copyToRoot = checks.trees;
  extraCommands = checks.script;
  uid = checks.natural;
  gid = checks.natural;
  rules = checks.listOf checks.set;
  maxLayers = checks.nullOr checks.positive;
};
let
  trees = names.trees copyToRoot;
  wanted = map (path: "${path}") paths;
  made =
    if extraCommands == "" then null
    else rootScript { inherit name trees extraCommands uid gid; };
in
toolbox.derive {
  name = "${name}.json";
  __structuredAttrs = true;
  program = toolbox.laminaProgram;
  args = [ "recipe" "--layers" "-o" (placeholder "out") ];
  paths = wanted;
  trees = if made == null then trees else [ ];
  inherit made uid gid rules maxLayers;
  exportReferencesGraph.closure = wanted ++ (if made == null then trees else [ made ]);
}
