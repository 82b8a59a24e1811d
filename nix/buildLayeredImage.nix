# The archive of a layered image: streamLayeredImage's arguments, and how to compress the archive.
{ toolbox, streamLayeredImage, defaults, function ? "buildLayeredImage" }:
let
  kinds = import ./lib/arguments.nix;
  archive = import ./lib/archive.nix { inherit toolbox; };
in
{ name
, compressor ? defaults.compressor  # "none", "gz", "zstd"
, format ? null                 # "universal", "docker-1.9", "classic", "oci-archive" or "oci-layout"
, layout ? null                 # the older name of format
, meta ? { }
, ...
}@arguments:
let
  check = kinds.of { inherit function; it = name; };
in
assert check.arguments arguments {
  name = kinds.imageName;
  compressor = kinds.among archive.compressors;
  format = kinds.nullOr (kinds.among archive.formats);
  layout = kinds.nullOr (kinds.among archive.formats);
  meta = kinds.set;
};
assert check.notBoth "format" format "layout" layout;
let
  streamed = streamLayeredImage (removeAttrs arguments [ "compressor" "format" "layout" "meta" ]);
in
archive.make {
  name = baseNameOf name;
  recipe = streamed.conf;
  inherit compressor meta;
  format = archive.formatOf check { inherit format layout; };
  position = builtins.unsafeGetAttrPos "name" arguments;
  passthru = removeAttrs streamed.passthru [ "isExe" ] // { buildArgs = arguments; }
    // toolbox.optionalAttrs (defaults.streams == "file") { stream = streamed; };
}
