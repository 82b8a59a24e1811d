# The recipe of an image: a derivation of a few kB that refers to store paths and reads none of them.
#
# Everything that determines the image is in structured attributes, with the reference graph of the store paths in them.
# `lamina recipe` reads them (builder/lamina/recipe/derivation.py). Nix finds the store paths in the recipe, so it keeps
# the image's content as long as the recipe.
{ toolbox }:
{ name                     # of the image, with its registry
, tag                      # null: the hash of the recipe that the image would have without a tag
, config                   # the image's own `config` object, or null
, trees ? [ ]              # trees whose contents are at the root; later ones replace files of earlier ones
, links ? false            # symbolic links into the store instead of copies
, made ? null              # a layer that a derivation made of the trees, and that is used instead of them
, layers ? [ ]             # results of buildLayer, bottom first
, base ? null              # null, or { path; name; tag; }
, architecture
, created
, inheritConfig
, uid ? 0                  # owner of the files at the root
, gid ? 0
, keepDirlinks ? false
, storeStamp ? { }         # uid, gid and mtime of the store paths
, storePaths ? true        # whether the image contains the store paths that it refers to
, maxLayers ? null         # of the whole image, including the base's; null: one layer for all store paths
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

  # The derivation of the recipe, or of the layer with the database, which is made from the same attributes.
  derived = tag: suffix: options: { database ? null }: toolbox.derive ({
    name = "${file}-${suffix}";
    __structuredAttrs = true;
    # Building it takes a moment. It may still come from a cache, so that neither the builder nor the scripts' tools are
    # needed on this machine.
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

  # A tag must not depend on itself, so it is the hash of the same recipe without a tag, which is never built.
  hash = builtins.substring 0 32 (baseNameOf (builtins.unsafeDiscardStringContext (make null).outPath));
  imageTag = if tag == null then hash else tag;
in
make imageTag // { inherit imageTag; }
