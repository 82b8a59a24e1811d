# The archive of a layered image: streamLayeredImage's arguments, and how to compress the whole.
{ toolbox, streamLayeredImage, defaults }:
let
  checks = import ./lib/arguments.nix "buildLayeredImage";
  archive = import ./lib/archive.nix { inherit toolbox; };
in
{ name
, compressor ? defaults.compressor  # "none", "gz", "zstd"
, format ? null                 # of the archive: "universal", "docker-1.9" or "classic"
, layout ? null                 # the older word for format
, meta ? { }
, ...
}@arguments:

assert checks.arguments arguments {
  name = checks.string;
  compressor = checks.among archive.compressors;
  format = checks.nullOr (checks.among archive.formats);
  layout = checks.nullOr (checks.among archive.formats);
  meta = checks.set;
};
assert checks.notBoth "format" format "layout" layout;
let
  streamed = streamLayeredImage (removeAttrs arguments [ "compressor" "format" "layout" ]);
in
archive.make {
  name = baseNameOf name;
  inherit (streamed) recipe;
  inherit compressor meta;
  format = archive.formatOf checks { inherit format layout; };
  passthru = removeAttrs streamed.passthru [ "isExe" ] // {
    buildArgs = arguments;
  } // toolbox.optionalAttrs (defaults.streams == "file") { stream = streamed; };
}
