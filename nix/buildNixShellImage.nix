# The archive of a nix-shell image: streamNixShellImage's arguments, and how to compress the archive.
{ toolbox, streamNixShellImage, defaults, function ? "buildNixShellImage" }:
let
  kinds = import ./lib/arguments.nix;
  archive = import ./lib/archive.nix { inherit toolbox; };
in
{ drv
, compressor ? defaults.compressor  # "none", "gz", "zstd"
, ...
}@arguments:
let
  check = kinds.of { inherit function; it = arguments.name or drv.name or null; };
in
assert check.arguments arguments { compressor = kinds.among archive.compressors; };
let
  streamed = streamNixShellImage (removeAttrs arguments [ "compressor" ]);
in
archive.make {
  name = "${drv.name}-env";
  recipe = streamed.conf;
  inherit compressor;
  format = "universal";
  meta = { };
  passthru = removeAttrs streamed.passthru [ "isExe" ] // { buildArgs = arguments; }
    // toolbox.optionalAttrs (defaults.streams == "file") { stream = streamed; };
}
