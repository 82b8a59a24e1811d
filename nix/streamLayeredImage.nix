# A program that writes an image's archive to its standard output, with dockerTools' arguments: see
# docs/layeredImages.md. Nothing of the image lies in the store a second time.
{ toolbox, recipe }:
let
  checks = import ./checks.nix "streamLayeredImage";
  lower = import ./lower.nix;
  rootScript = import ./rootScript.nix { inherit toolbox; };
  programs = import ./programs.nix { inherit toolbox; };
in
{ name
, tag ? null                    # null: a hash of what the image is made of
, fromImage ? null
, fromImageName ? null
, fromImageTag ? null
, contents ? [ ]                # directories: what lies in them is linked to from the root of the image
, config ? null
, inheritConfig ? "docker"
, architecture ? toolbox.goArch
, created ? "1970-01-01T00:00:01Z"
, mtime ? "1970-01-01T00:00:01Z"  # of the store paths: RFC 3339
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
, enableFakechroot ? false      # not here yet
, includeStorePaths ? true      # false: the image expects the store to be mounted
, includeNixDB ? false          # not here yet
, passthru ? { }
, meta ? { }
, debug ? false                 # taken and not used: `lamina plan --explain` tells more
}@arguments:

assert checks.oneOf "inheritConfig" [ "docker" "env" ] inheritConfig;
assert checks.holds "maxLayers" maxLayers (value: builtins.isInt value && value > 1) "a number above 1";
assert checks.absent "enableFakechroot" (!enableFakechroot) "use fakeRootCommands with relative paths";
assert checks.absent "includeNixDB" (!includeNixDB) "leave it out";
let
  trees = map (tree: "${tree}") (if builtins.isList contents then contents else [ contents ]);
  scripted = extraCommands != "" || fakeRootCommands != "";

  image = recipe {
    inherit name tag config trees layers architecture created inheritConfig maxLayers lock;
    links = true;
    base = if fromImage == null then null else { path = "${fromImage}"; name = fromImageName; tag = fromImageTag; };
    made = if scripted then rootScript { inherit name trees extraCommands fakeRootCommands; links = true; } else null;
    storeStamp = { inherit uid gid mtime; };
    storePaths = includeStorePaths;
    volatile = map (package: "${package}") volatile;
    pipeline =
      if layeringPipeline == null || builtins.isList layeringPipeline then layeringPipeline
      else builtins.fromJSON (builtins.readFile layeringPipeline);
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
    imageName = lower name;
    inherit (image) imageTag;
    isExe = true;
    buildArgs = arguments;
  } // passthru;
}
