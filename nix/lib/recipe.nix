# The recipe of an image: a derivation of a few kB that names store paths and reads none of them.
#
# Everything that fixes the image goes in as structured attributes, with the reference graph of what it names
# (`lamina recipe` reads them: builder/lamina/recipe/derivation.py). Nix scans the recipe and so keeps the image's content.
{ toolbox }:
{ name                     # of the image, with registry and all
, tag                      # null: the hash of the recipe that the image would have without a tag
, config                   # the image's own `config` object, or null
, trees ? [ ]              # paths that are laid over each other at the root
, links ? false            # as symbolic links into the store, and not as copies
, made ? null              # a layer that a derivation made of the trees: then that is what lies at the root
, layers ? [ ]             # what buildLayer made, bottom first
, base ? null              # null, or { path; name; tag; }
, architecture
, created
, inheritConfig
, uid ? 0                  # owner of what lies at the root
, gid ? 0
, keepDirlinks ? false
, storeStamp ? { }         # uid, gid and mtime of the store paths
, storePaths ? true        # whether what the image refers to goes in
, maxLayers ? null         # of the whole image, the base's too; null: one for all store paths
, volatile ? [ ]           # store paths that change with every build of the image
, lock ? null              # the file of an earlier plan
, pipeline ? null          # dockerTools' layeringPipeline, as a list or a file
, oci ? null               # null, or { layerCompressor; layerLevel; annotations; }
, nixDB ? false            # whether a layer has a database of the store paths
}:
let
  inherit (toolbox) optionalAttrs;
  names = import ./names.nix;
  file = baseNameOf name;
  configFile = toolbox.write "${file}-config.json" (builtins.toJSON config);
  atRoot = if made == null then trees else [ made ];

  make = tag: derived tag "image.json" [ ]
    (optionalAttrs nixDB { database = derived "none" "nix-db.tar" [ "--database" ] { }; });

  # What `lamina recipe` makes of it all, and, of the same attributes, the layer with the database.
  derived = tag: suffix: options: { database ? null }: toolbox.derive ({
    name = "${file}-${suffix}";
    __structuredAttrs = true;
    # Made here in a moment; but where a cache has it, neither the builder nor what scripts ran with is needed here.
    preferLocalBuild = true;
    program = toolbox.laminaProgram;
    args = [ "recipe" ] ++ options ++ [ "-o" (placeholder "out") ];
    image = {
      names = [{ inherit name tag; }];
      inherit architecture created base;
      "inherit" = inheritConfig;
    } // optionalAttrs (oci != null) { inherit oci; };
    config = configFile;
    trees = if made == null then trees else [ ];
    inherit links made uid gid keepDirlinks storeStamp storePaths maxLayers volatile pipeline;
    lock = if lock == null then null else "${lock}";
    layers = map (layer: "${layer}") layers;
    exportReferencesGraph.closure = [ configFile ] ++ map names.storePath (atRoot ++ layers ++ (if nixDB then trees else [ ]))
      ++ (if database == null then [ ] else [ database ]);
  } // optionalAttrs nixDB { nixDB = true; registered = map names.storePath trees; }
    // optionalAttrs (database != null) { inherit database; });

  # An image's tag must not depend on itself, so it is taken from the same recipe without one, which is never built.
  hash = builtins.substring 0 32 (baseNameOf (builtins.unsafeDiscardStringContext (make null).outPath));
  imageTag = if tag == null then hash else tag;
in
make imageTag // { inherit imageTag; }
