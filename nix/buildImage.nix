# An image as one archive, with dockerTools' arguments: see docs/buildImage.md.
{ toolbox, recipe }:
let
  checks = import ./checks.nix;
  lower = import ./lower.nix;
  rootScript = import ./rootScript.nix { inherit toolbox; };
  loader = import ./loader.nix { inherit toolbox; };

  extensions = { none = ""; gz = ".gz"; zstd = ".zst"; };
in
{ name                          # may have a registry before it; upper case becomes lower case
, tag ? null                    # null: a hash of what the image is made of
, fromImage ? null              # an archive or an OCI layout, of any tool, compressed or not
, fromImageName ? null          # which image of it, when there are several
, fromImageTag ? null
, copyToRoot ? null             # a directory, or a list: what lies in them goes to the root of the image
, contents ? null               # the same; dockerTools' older word
, keepContentsDirlinks ? false  # links to directories stay links
, extraCommands ? ""            # a shell script that runs where the root of the image is
, config ? null                 # the image's `config` object
, inheritConfig ? "docker"      # what it takes over from the base: "docker", as FROM does; "env", only Env
, architecture ? toolbox.goArch
, created ? "1970-01-01T00:00:01Z"  # RFC 3339, or "now"
, uid ? 0                       # owner of what goes to the root
, gid ? 0
, compressor ? "none"           # of the whole archive: "none", "gz", "zstd"
, layout ? "universal"          # or "classic", for tools that read no links
, meta ? { }
, runAsRoot ? null              # not here yet
, includeNixDB ? false          # not here yet
, diskSize ? 1024               # dockerTools' virtual machine's; there is none
, buildVMMemorySize ? 512
}@arguments:

assert checks.oneOf "buildImage" "compressor" (builtins.attrNames extensions) compressor;
assert checks.oneOf "buildImage" "layout" [ "universal" "classic" ] layout;
assert checks.oneOf "buildImage" "inheritConfig" [ "docker" "env" ] inheritConfig;
assert checks.absent "buildImage" "runAsRoot" (runAsRoot == null) "use extraCommands, which needs no root";
assert checks.absent "buildImage" "includeNixDB" (!includeNixDB) "leave it out";
assert checks.notBoth "buildImage" "copyToRoot" copyToRoot "contents" contents;
let
  file = baseNameOf name;
  asList = value: if value == null then [ ] else if builtins.isList value then value else [ value ];
  trees = map (tree: "${tree}") (asList copyToRoot ++ asList contents);

  image = recipe {
    inherit name tag config trees architecture created inheritConfig uid gid;
    keepDirlinks = keepContentsDirlinks;
    base = if fromImage == null then null else { path = "${fromImage}"; name = fromImageName; tag = fromImageTag; };
    made =
      if extraCommands == "" then null
      else rootScript { inherit name trees extraCommands uid gid; keepDirlinks = keepContentsDirlinks; };
  };

  result = toolbox.derive {
    name = "docker-image-${file}.tar${extensions.${compressor}}";
    __structuredAttrs = true;
    program = "${toolbox.lamina}/bin/lamina";
    args = [ "build" "${image}" "-o" (placeholder "out") "--layout" layout "--compressor" compressor ];
    # The archive holds copies: whoever has it needs none of the store paths whose names can be read in it.
    # Nix before 2.17 does not know this, or only as an experiment; there it merely keeps them alive too.
    ${if builtins.compareVersions builtins.nixVersion "2.17" >= 0 then "unsafeDiscardReferences" else null}.out = true;
    inherit meta;
    passthru = {
      imageName = lower name;
      inherit (image) imageTag;
      recipe = image;
      buildArgs = arguments;
      load = loader { inherit file; archive = result; };
    };
  };
in
result
