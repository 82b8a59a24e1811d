# A program that writes an image's archive to its standard output, with dockerTools' arguments: see
# docs/use/layeredImages.md. Nothing of the image is in the store a second time.
{ toolbox, recipe, defaults, function ? "streamLayeredImage" }:
let
  kinds = import ./lib/arguments.nix;
  names = import ./lib/names.nix;
  rootScript = import ./lib/root-script.nix { inherit toolbox; };
  programs = import ./lib/programs.nix { inherit toolbox; };
  archive = import ./lib/archive.nix { inherit toolbox; };
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
, mtime ? "1970-01-01T00:00:01Z"  # of all files
, uid ? 0                       # owner of the store paths
, gid ? 0
, uname ? "root"                # taken and not used: archives carry numbers alone
, gname ? "root"
, maxLayers ? 100               # of the whole image, the base's too
, volatile ? [ ]                # packages that change with every build: they go into the top layer
, lock ? null                   # the file that `lamina plan --lock` wrote: layers stay as they were
, layeringPipeline ? null       # dockerTools' operations on the closure, as a list or a file of JSON
, allowForeign ? false          # packages that were built for another system or processor may go in
, layers ? [ ]                  # of buildLayer
, extraCommands ? ""            # a shell script that runs where the root of the image is
, fakeRootCommands ? ""         # the same, seeming to be root
, enableFakechroot ? false      # fakeRootCommands with the image's root as their root directory
, includeStorePaths ? true      # false: the image expects the store to be mounted
, includeNixDB ? false          # a database of the store paths in the image, for the Nix in it
, layerCompressor ? null        # of layers in OCI formats and registries: "gz", "zstd", "zstd:chunked", "none"; null: gz
, layerLevel ? null             # its level
, annotations ? { }             # of the manifest; "descriptor:KEY" for its descriptor in the index
, format ? null                 # of the stream: "universal", "docker-1.9", "classic" or "oci-archive"
, passthru ? { }
, meta ? { }
, debug ? false                 # taken and not used: `lamina plan --explain` shows more
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
      # A file stays one: it may have to be built, and reading it here would build it during evaluation.
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
  # In dockerTools' order of precedence: what it sets itself wins over `passthru`, and that over all else.
  passthru = tools // { imageName = names.lower name; buildArgs = arguments; } // passthru // {
    conf = image;
    # The program without its recipe, as in `${streamScript} ${conf}`.
    streamScript = toolbox.onRunner.writeProgram "stream" ''exec ${toolbox.onRunner.laminaProgram} build --output - "$@"'';
    inherit (image) imageTag;
    isExe = true;
  };
}
