# A program that writes an image's archive to its standard output, with dockerTools' arguments: see
# docs/use/layeredImages.md. Nothing of the image lies in the store a second time.
{ toolbox, recipe, defaults }:
let
  checks = import ./lib/arguments.nix "streamLayeredImage";
  names = import ./lib/names.nix;
  rootScript = import ./lib/root-script.nix { inherit toolbox; };
  programs = import ./lib/programs.nix { inherit toolbox; };
in
{ name
, tag ? null                    # null: a hash of what the image is made of
, fromImage ? null
, fromImageName ? null
, fromImageTag ? null
, contents ? [ ]                # directories: what lies in them is linked to from the root of the image
, config ? null
, inheritConfig ? defaults.inheritConfig  # what it takes over from the base: see buildImage
, architecture ? toolbox.goArch
, created ? "1970-01-01T00:00:01Z"
, mtime ? "1970-01-01T00:00:01Z"  # of all files: RFC 3339
, uid ? 0                       # owner of the store paths
, gid ? 0
, uname ? "root"                # taken and not used: archives carry numbers alone
, gname ? "root"
, maxLayers ? 100               # of the whole image, the base's too
, volatile ? [ ]                # packages that change with every build: they go into the top layer
, lock ? null                   # the file that `lamina plan --lock` wrote: layers stay as they were
, layeringPipeline ? null       # dockerTools' operations on the closure, as a list or a file of JSON
, layers ? [ ]                  # of buildLayer
, extraCommands ? ""            # a shell script that runs where the root of the image is
, fakeRootCommands ? ""         # the same, seeming to be root
, enableFakechroot ? false      # fakeRootCommands with the image's root as their root directory
, includeStorePaths ? true      # false: the image expects the store to be mounted
, includeNixDB ? false          # a database of the store paths in the image, for the Nix in it
, passthru ? { }
, meta ? { }
, debug ? false                 # taken and not used: `lamina plan --explain` tells more
}@arguments:

assert checks.arguments arguments {
  name = checks.string;
  tag = checks.nullOr checks.string;
  fromImage = checks.nullOr checks.path;
  fromImageName = checks.nullOr checks.string;
  fromImageTag = checks.nullOr checks.string;
  contents = checks.trees;
  config = checks.nullOr checks.set;
  inheritConfig = checks.among [ "docker" "env" ];
  architecture = checks.string;
  created = checks.time ", or \"now\"";
  mtime = checks.time "";
  uid = checks.natural;
  gid = checks.natural;
  uname = checks.string;
  gname = checks.string;
  volatile = checks.listOf checks.path;
  lock = checks.nullOr checks.path;
  layeringPipeline = checks.nullOr (checks.either checks.list checks.path);
  layers = checks.listOf checks.path;
  extraCommands = checks.script;
  fakeRootCommands = checks.script;
  enableFakechroot = checks.bool;
  includeStorePaths = checks.bool;
  includeNixDB = checks.bool;
  passthru = checks.set;
  meta = checks.set;
  debug = checks.bool;
};
assert layeringPipeline != null
  || checks.holds "maxLayers" maxLayers (value: builtins.isInt value && value > 1) "a number above 1";
let
  trees = names.trees contents;
  scripted = extraCommands != "" || fakeRootCommands != "";

  image = recipe {
    inherit name tag config trees layers architecture created inheritConfig maxLayers lock;
    links = true;
    base = if fromImage == null then null else { path = "${fromImage}"; name = fromImageName; tag = fromImageTag; };
    made =
      if !scripted then null
      else rootScript {
        inherit name trees extraCommands fakeRootCommands mtime;
        links = true;
        chroot = enableFakechroot;
        nixDB = includeNixDB;
      };
    storeStamp = { inherit uid gid mtime; };
    storePaths = includeStorePaths;
    volatile = map (package: "${package}") volatile;
    pipeline =
      # A file stays one: it may have to be built, and reading it here would build it during evaluation.
      if layeringPipeline == null || builtins.isList layeringPipeline then layeringPipeline else "${layeringPipeline}";
    nixDB = includeNixDB;
  };

  tools = programs { inherit name; recipe = image; };
  file = baseNameOf name;
in
toolbox.derive {
  name = "stream-${file}";
  preferLocalBuild = true;
  allowSubstitutes = false;
  script = ''cp "$streamer" "$out"'';
  streamer = "${tools.stream}/bin/stream-${file}";
  inherit meta;
  passthru = tools // {
    conf = image;
    streamScript = tools.stream;
    imageName = names.lower name;
    inherit (image) imageTag;
    isExe = true;
    buildArgs = arguments;
  } // passthru;
}
