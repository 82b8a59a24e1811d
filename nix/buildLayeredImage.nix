# The archive of a layered image: streamLayeredImage's arguments, and how to compress the whole.
{ toolbox, streamLayeredImage }:
let
  checks = import ./checks.nix "buildLayeredImage";
  archive = import ./archive.nix { inherit toolbox; };
in
{ name
, compressor ? "none"           # "none", "gz", "zstd"
, layout ? "universal"          # or "classic"
, meta ? { }
, ...
}@arguments:

assert checks.oneOf "compressor" archive.compressors compressor;
assert checks.oneOf "layout" archive.layouts layout;
let
  streamed = streamLayeredImage (removeAttrs arguments [ "compressor" "layout" ]);
in
archive.make {
  name = baseNameOf name;
  inherit (streamed) recipe;
  inherit compressor layout meta;
  passthru = removeAttrs streamed.passthru [ "isExe" ] // { buildArgs = arguments; };
}
