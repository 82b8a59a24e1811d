# An image as one archive, with dockerTools' arguments: see docs/use/buildImage.md.
{ toolbox, recipe, defaults }:
let
  checks = import ./lib/arguments.nix "buildImage";
  names = import ./lib/names.nix;
  rootScript = import ./lib/root-script.nix { inherit toolbox; };
  runAsRootLayer = import ./lib/run-as-root.nix { inherit toolbox; };
  programs = import ./lib/programs.nix { inherit toolbox; };
  archive = import ./lib/archive.nix { inherit toolbox; };
  ownLayer = import ./lib/own-layer.nix { inherit toolbox; };
in
{ name                          # may have a registry before it; upper case becomes lower case
, tag ? null                    # null: a hash of what the image is made of
, fromImage ? null              # an archive or an OCI layout, of any tool, compressed or not
, fromImageName ? null          # which image of it, when there are several
, fromImageTag ? null
, copyToRoot ? null             # a directory, or a list: what lies in them goes to the root of the image
, contents ? null               # the same; dockerTools' older word
, keepContentsDirlinks ? false  # links to directories stay links
, runAsRoot ? null              # a shell script that runs as root in the image, on what the base has
, extraCommands ? ""            # a shell script that runs where the root of the image is
, layers ? [ ]                  # of buildLayer, below all else of this image
, config ? null                 # the image's `config` object
, inheritConfig ? defaults.inheritConfig  # what it takes over from the base: "docker", as FROM does; "env", only Env
, architecture ? toolbox.goArch
, created ? "1970-01-01T00:00:01Z"  # RFC 3339, or "now"
, uid ? 0                       # owner of all files
, gid ? 0
, compressor ? defaults.compressor  # of the whole archive: "none", "gz", "zstd"
, format ? null                 # of the archive: "universal", "docker-1.9", or "classic", for tools that read no links
, layout ? null                 # the older word for format
, meta ? { }
, includeNixDB ? false          # a database of the store paths in the image, for the Nix in it
, diskSize ? 1024               # dockerTools' virtual machine's; there is none
, buildVMMemorySize ? 512
}@arguments:

assert checks.arguments arguments {
  name = checks.string;
  tag = checks.nullOr checks.string;
  fromImage = checks.nullOr checks.path;
  fromImageName = checks.nullOr checks.string;
  fromImageTag = checks.nullOr checks.string;
  copyToRoot = checks.trees;
  contents = checks.trees;
  keepContentsDirlinks = checks.bool;
  runAsRoot = checks.nullOr checks.script;
  extraCommands = checks.script;
  layers = checks.listOf checks.path;
  config = checks.nullOr checks.set;
  inheritConfig = checks.among [ "docker" "env" ];
  architecture = checks.string;
  created = checks.time ", or \"now\"";
  uid = checks.natural;
  gid = checks.natural;
  compressor = checks.among archive.compressors;
  format = checks.nullOr (checks.among archive.formats);
  layout = checks.nullOr (checks.among archive.formats);
  meta = checks.set;
  includeNixDB = checks.bool;
  diskSize = checks.natural;
  buildVMMemorySize = checks.natural;
};
assert checks.notBoth "copyToRoot" copyToRoot "contents" contents;
assert checks.notBoth "format" format "layout" layout;
let
  trees = names.trees (checks.deprecated "contents" (contents != null) "copyToRoot does the same" [ copyToRoot contents ]);
  base = if fromImage == null then null else { path = "${fromImage}"; name = fromImageName; tag = fromImageTag; };
  made =
    if runAsRoot != null then runAsRootLayer {
      inherit name base trees runAsRoot extraCommands architecture uid gid;
      keepDirlinks = keepContentsDirlinks;
    }
    else if extraCommands == "" then null
    else rootScript {
      inherit name trees extraCommands uid gid;
      keepDirlinks = keepContentsDirlinks;
      nixDB = includeNixDB;
    };

  image = recipe {
    inherit name tag config trees made layers architecture created inheritConfig uid gid;
    keepDirlinks = keepContentsDirlinks;
    inherit base;
    storeStamp = { inherit uid gid; };
    nixDB = includeNixDB;
  };
in
archive.make {
  name = "docker-image-${baseNameOf name}";
  recipe = image;
  inherit compressor meta;
  format = archive.formatOf checks { inherit format layout; };
  passthru = programs { inherit name; recipe = image; } // {
    imageName = names.lower name;
    inherit (image) imageTag;
    buildArgs = arguments;
    layer = ownLayer { inherit name trees made uid gid; keepDirlinks = keepContentsDirlinks; };
  };
}
