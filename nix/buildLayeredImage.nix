# The archive of a layered image: streamLayeredImage's arguments, and how to compress the whole.
{ toolbox, streamLayeredImage, defaults }:
let
  checks = import ./checks.nix "buildLayeredImage";
  archive = import ./archive.nix { inherit toolbox; };
in
{ name
, compressor ? defaults.compressor  # "none", "gz", "zstd"
, layout ? "universal"          # or "docker-1.9", or "classic"
, meta ? { }
, ...
}@arguments:

assert checks.arguments arguments {
  name = checks.string;
  compressor = checks.among archive.compressors;
  layout = checks.among archive.layouts;
  meta = checks.set;
};
let
  streamed = streamLayeredImage (removeAttrs arguments [ "compressor" "layout" ]);
in
archive.make {
  name = baseNameOf name;
  inherit (streamed) recipe;
  inherit compressor layout meta;
  passthru = removeAttrs streamed.passthru [ "isExe" ] // {
    buildArgs = arguments;
    ${if defaults.streams == "file" then "stream" else null} = streamed;
  };
}
