# An image as one archive, with dockerTools' arguments: see docs/use/buildImage.md.
{ toolbox, recipe, defaults, function ? "buildImage" }:
let
  kinds = import ./lib/arguments.nix;
  names = import ./lib/names.nix;
  rootScript = import ./lib/root-script.nix { inherit toolbox; };
  runAsRootLayer = import ./lib/run-as-root.nix { inherit toolbox; };
  programs = import ./lib/programs.nix { inherit toolbox; };
  archive = import ./lib/archive.nix { inherit toolbox; };
  ownLayer = import ./lib/own-layer.nix { inherit toolbox; };
in
{ name                          # may have a registry before it; upper case becomes lower case
, tag ? null                    # null: a hash of the inputs
, fromImage ? null              # an archive or an OCI layout, of any tool, compressed or not
, fromImageName ? null          # which image of the base, if there are several
, fromImageTag ? null
, copyToRoot ? null             # a directory, or a list: their contents are copied to the root of the image
, contents ? null               # the same; dockerTools' older name
, keepContentsDirlinks ? false  # symlinks to directories stay symlinks
, runAsRoot ? null              # a shell script that runs as root in the image, with the files of its base
, extraCommands ? ""            # a shell script that runs in the root directory of the image
, allowForeign ? false          # allow packages that were built for another system or processor
, layers ? [ ]                  # results of buildLayer, below the other layers of this image
, config ? null                 # the image's `config` object
, inheritConfig ? defaults.inheritConfig  # from the base's config: "docker" takes every field, as FROM does; "env" takes only Env
, architecture ? toolbox.goArch
, created ? "1970-01-01T00:00:01Z"  # RFC 3339, or "now"
, uid ? 0                       # owner of all files
, gid ? 0
, compressor ? defaults.compressor  # of the whole archive: "none", "gz", "zstd"
, format ? null                 # "universal", "docker-1.9", "classic" (for tools that read no links), "oci-archive", "oci-layout"
, layerCompressor ? null        # of layers in OCI formats and registries: "gz", "zstd", "zstd:chunked", "none"; null: gz
, layerLevel ? null             # its level
, annotations ? { }             # of the manifest; "descriptor:KEY" is for its descriptor in the index
, layout ? null                 # the older name of format
, meta ? { }
, includeNixDB ? false          # a database of the store paths in the image, for the Nix in it
, diskSize ? 1024               # ignored: dockerTools' virtual machine does not exist here
, buildVMMemorySize ? 512
}@arguments:
let
  check = kinds.of { inherit function; it = name; };
in
assert check.arguments arguments (kinds.image // archive.ociKinds kinds // {
  copyToRoot = kinds.trees;
  keepContentsDirlinks = kinds.bool;
  runAsRoot = kinds.script;
  created = kinds.time;
  compressor = kinds.among archive.compressors;
  format = kinds.nullOr (kinds.among archive.formats);
  layout = kinds.nullOr (kinds.among archive.formats);
  diskSize = kinds.natural;
  buildVMMemorySize = kinds.natural;
});
assert check.notBoth "copyToRoot" copyToRoot "contents" contents;
assert check.notBoth "format" format "layout" layout;
assert allowForeign || check.ours (defaults.foreign == "warned" && arguments ? architecture) architecture [ copyToRoot contents ];
let
  trees = names.trees (check.deprecated "contents" (contents != null) "copyToRoot does the same" [ copyToRoot contents ]);
  base = names.base fromImage fromImageName fromImageTag;
  owner = { uid = names.number uid; gid = names.number gid; };
  commands = names.script extraCommands;
  keepDirlinks = keepContentsDirlinks;

  made =
    if runAsRoot != null then runAsRootLayer ({
      inherit name base trees architecture keepDirlinks;
      runAsRoot = names.script runAsRoot;
      extraCommands = commands;
    } // owner)
    else if commands == "" then null
    else rootScript ({
      inherit name trees keepDirlinks;
      based = base != null;
      extraCommands = commands;
      nixDB = includeNixDB;
    } // owner);

  image = recipe ({
    inherit name trees made layers architecture created inheritConfig keepDirlinks base;
    tag = names.text tag;
    config = import ./lib/config.nix check config;
    storeStamp = owner;
    nixDB = includeNixDB;
    oci = archive.ociOf check { inherit layerCompressor layerLevel annotations; };
  } // owner);
in
archive.make {
  name = "docker-image-${baseNameOf name}";
  recipe = image;
  inherit compressor meta;
  format = archive.formatOf check { inherit format layout; };
  position = builtins.unsafeGetAttrPos "name" arguments;
  passthru = programs { inherit name; recipe = image; packages = [ copyToRoot contents config layers ]; } // {
    imageName = names.lower name;
    inherit (image) imageTag;
    inherit fromImage;
    baseJson = toolbox.write "${baseNameOf name}-config.json"
      (builtins.toJSON { inherit created config architecture; os = "linux"; });
    buildArgs = arguments;
    layer = ownLayer ({ inherit name trees made keepDirlinks; } // owner);
  };
}
