# The recipe of an image: a derivation of a few kB that names store paths and reads none of them.
#
# Everything that fixes the image goes in as structured attributes, with the reference graph of what it names
# (`lamina recipe` reads them: builder/derivation.py). Nix scans the recipe and so keeps the image's content.
{ toolbox }:
{ name            # of the image, with registry and all
, tag             # null: the hash of the recipe that the image would have without a tag
, config          # the image's own `config` object, or null
, trees           # paths that are laid over each other at the root
, made            # null, or a layer that a derivation made of the trees: then that is what lies at the root
, base            # null, or { path; name; tag; }
, architecture
, created
, inheritConfig   # "docker" or "env"
, uid
, gid
, keepDirlinks
}:
let
  file = baseNameOf name;
  configFile = toolbox.write "${file}-config.json" (builtins.toJSON config);

  make = tag: toolbox.derive {
    name = "${file}-image.json";
    __structuredAttrs = true;
    preferLocalBuild = true;
    allowSubstitutes = false;
    program = "${toolbox.lamina}/bin/lamina";
    args = [ "recipe" "-o" (placeholder "out") ];
    image = {
      names = [{ inherit name tag; }];
      inherit architecture created base;
      "inherit" = inheritConfig;
    };
    config = configFile;
    inherit made uid gid keepDirlinks;
    trees = if made == null then trees else [ ];
    exportReferencesGraph.closure = [ configFile ] ++ (if made == null then trees else [ made ]);
  };

  # An image's tag may not hang on itself, so it is taken from the same recipe without one, which is never built.
  hash = builtins.substring 0 32 (baseNameOf (builtins.unsafeDiscardStringContext (make null).outPath));
  imageTag = if tag == null then hash else tag;
in
make imageTag // { inherit imageTag; }
