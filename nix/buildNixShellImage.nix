# The archive of a nix-shell image: streamNixShellImage's arguments, and how to compress the whole.
{ toolbox, streamNixShellImage, defaults }:
let
  checks = import ./checks.nix "buildNixShellImage";
  archive = import ./archive.nix { inherit toolbox; };
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
  layout = "universal";
  meta = { };
  passthru = removeAttrs streamed.passthru [ "isExe" ] // {
    buildArgs = arguments;
    ${if defaults.streams == "file" then "stream" else null} = streamed;
  };
}
