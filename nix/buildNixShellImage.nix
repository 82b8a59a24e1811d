# The archive of a nix-shell image: streamNixShellImage's arguments, and how to compress the whole.
{ toolbox, streamNixShellImage, defaults }:
let
  checks = import ./lib/arguments.nix "buildNixShellImage";
  archive = import ./lib/archive.nix { inherit toolbox; };
in
{ drv
, compressor ? defaults.compressor  # "none", "gz", "zstd"
, ...
}@arguments:

assert checks.arguments arguments { compressor = checks.among archive.compressors; };
let
  streamed = streamNixShellImage (removeAttrs arguments [ "compressor" ]);
in
archive.make {
  name = "${drv.name}-env";
  inherit (streamed) recipe;
  inherit compressor;
  format = "universal";
  meta = { };
  passthru = removeAttrs streamed.passthru [ "isExe" ] // {
    buildArgs = arguments;
  } // toolbox.optionalAttrs (defaults.streams == "file") { stream = streamed; };
}
