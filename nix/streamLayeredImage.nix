# A program that writes an image's archive to its standard output, with dockerTools' arguments: see
# docs/use/layeredImages.md. No content of the image is copied in the store.
{ toolbox, recipe, defaults, function ? "streamLayeredImage" }:
let
  kinds = import ./lib/arguments.nix;
  names = import ./lib/names.nix;
  rootScript = import ./lib/root-script.nix { inherit toolbox; };
  programs = import ./lib/programs.nix { inherit toolbox; };
  archive = import ./lib/archive.nix { inherit toolbox; };
in
{ name
, tag ? null                    # null: a hash of the inputs
, fromImage ? null
, fromImageName ? null
, fromImageTag ? null
, contents ? [ ]                # directories: the root of the image gets symlinks to their files
, config ? null
, inheritConfig ? defaults.inheritConfig  # from the base's config: see buildImage
, architecture ? toolbox.goArch
, created ? "1970-01-01T00:00:01Z"
, mtime ? "1970-01-01T00:00:01Z"  # of all files
, uid ? 0                       # owner of the store paths
, gid ? 0
, uname ? "root"                # ignored: archives contain numbers only
, gname ? "root"
, maxLayers ? 100               # of the whole image, including the base's
, volatile ? [ ]                # packages that change with every build: they go into the top layer
, lock ? null                   # a file that `lamina plan --lock` wrote: layers stay as they were
, layeringPipeline ? null       # dockerTools' operations on the closure, as a list or a file of JSON
, allowForeign ? false          # allow packages that were built for another system or processor
, layers ? [ ]                  # results of buildLayer
, extraCommands ? ""            # a shell script that runs in the root directory of the image
, fakeRootCommands ? ""         # the same, as (simulated) root
, enableFakechroot ? false      # run fakeRootCommands chrooted into the image
, includeStorePaths ? true      # false: the image needs the store as a mount at run time
, includeNixDB ? false          # a database of the store paths in the image, for the Nix in it
, layerCompressor ? null        # of layers in OCI formats and registries: "gz", "zstd", "zstd:chunked", "none"; null: gz
, layerLevel ? null             # its level
, annotations ? { }             # of the manifest; "descriptor:KEY" is for its descriptor in the index
, format ? null                 # of the stream: "universal", "docker-1.9", "classic" or "oci-archive"
, passthru ? { }
, meta ? { }
, debug ? false                 # ignored: `lamina plan RECIPE` shows the layers
}@arguments:
let
  check = kinds.of { inherit function; it = name; };
in
assert check.arguments arguments (kinds.image // archive.ociKinds kinds // {
  created = kinds.date;
  mtime = kinds.date;
  uname = kinds.string;
  gname = kinds.string;
  volatile = kinds.listOf kinds.inStore;
  lock = kinds.nullOr kinds.path;
  layeringPipeline = kinds.nullOr (kinds.either kinds.list kinds.path);
  fakeRootCommands = kinds.script;
  enableFakechroot = kinds.bool;
  includeStorePaths = kinds.bool;
  passthru = kinds.set;
  debug = kinds.bool;
  format = kinds.nullOr (kinds.among (builtins.filter (each: each != "oci-layout") archive.formats));
});
assert layeringPipeline != null || check.holds "maxLayers" maxLayers kinds.severalLayers;
assert !enableFakechroot || toolbox.supervises
  || check.fail "enableFakechroot is true; it works where builds run on x86_64-linux or aarch64-linux, and here on ${toolbox.system}";
assert allowForeign || check.ours (defaults.foreign == "warned" && arguments ? architecture) architecture contents;
let
  trees = names.trees contents;
  owner = { uid = names.number uid; gid = names.number gid; };
  commands = { extraCommands = names.script extraCommands; fakeRootCommands = names.script fakeRootCommands; };

  image = recipe {
    inherit name trees layers architecture created inheritConfig maxLayers lock;
    tag = names.text tag;
    config = import ./lib/config.nix check config;
    links = true;
    base = names.base fromImage fromImageName fromImageTag;
    made =
      if commands == { extraCommands = ""; fakeRootCommands = ""; } then null
      else rootScript ({
        inherit name trees mtime;
        links = true;
        based = fromImage != null;
        chroot = enableFakechroot;
        nixDB = includeNixDB;
      } // commands);
    storeStamp = owner // { inherit mtime; };
    storePaths = includeStorePaths;
    volatile = map names.storePath volatile;
    pipeline =
      # A file is passed on as a path: it may have to be built, and reading it here would build it during evaluation.
      if layeringPipeline == null || builtins.isList layeringPipeline then layeringPipeline else "${layeringPipeline}";
    nixDB = includeNixDB;
    oci = archive.ociOf check { inherit layerCompressor layerLevel annotations; };
  };

  tools = programs { inherit name format; recipe = image; packages = [ contents config volatile layers ]; };
  file = baseNameOf name;
in
toolbox.onRunner.derive {
  name = "stream-${file}";
  preferLocalBuild = true;
  allowSubstitutes = false;
  script = ''cp "$streamer" "$out"'';
  streamer = "${tools.stream}/bin/stream-${file}";
  inherit meta;
  position = builtins.unsafeGetAttrPos "name" arguments;
  # dockerTools' order of precedence: attributes that dockerTools sets itself win over `passthru`, which wins over others.
  passthru = tools // { imageName = names.lower name; buildArgs = arguments; } // passthru // {
    conf = image;
    # The program without its recipe, as in `${streamScript} ${conf}`.
    streamScript = toolbox.onRunner.writeProgram "stream" ''exec ${toolbox.onRunner.laminaProgram} build --output - "$@"'';
    inherit (image) imageTag;
    isExe = true;
  };
}
