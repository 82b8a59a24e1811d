# An image for several platforms, as an OCI archive or layout: see docs/use/platforms.md.
{ toolbox, function ? "buildIndex" }:
let
  kinds = import ./lib/arguments.nix;
  archive = import ./lib/archive.nix { inherit toolbox; };
in
{ images                        # one for each platform: images of Lamina, or archives and OCI layouts of any tool
, name ? null                   # null: the names of the images
, tag ? null                    # null: latest, if there is a name
, format ? "oci-archive"        # or "oci-layout", a directory
, layerCompressor ? null        # "gz", "zstd", "zstd:chunked", "none"; null: as each image's recipe says, or gz
, layerLevel ? null             # its level
, annotations ? { }             # of the index; "descriptor:KEY" for its descriptor
, meta ? { }
}@arguments:
let
  check = kinds.of { inherit function; it = name; };
in
assert check.arguments arguments ({
  images = kinds.kind "a list of images" (value: value != [ ] && (kinds.listOf kinds.path).test value);
  name = kinds.nullOr kinds.imageName;
  tag = kinds.tag;
  format = kinds.among archive.ociFormats;
  meta = kinds.set;
} // archive.ociKinds kinds);
assert tag == null || name != null || check.fail "tag is set; give name, too";
assert archive.ociOf check { inherit layerCompressor layerLevel annotations; } != 0;
let
  # For an image of Lamina's, its recipe is enough: its archive is not built.
  file = image: if image ? recipe then "${image.recipe}" else "${image}";
  option = word: value: if value == null then [ ] else [ word (toString value) ];
  words = map file images
    ++ option "--name" (if name == null then null else "${name}:${if tag == null then "latest" else toString tag}")
    ++ option "--layer-compressor" layerCompressor ++ option "--layer-level" layerLevel
    ++ builtins.concatMap (key: [ "--annotation" "${key}=${annotations.${key}}" ]) (builtins.attrNames annotations);
  title = if name == null then "index" else baseNameOf name;
  index = toolbox.derive ({
    name = archive.fileName title format;
    __structuredAttrs = true;
    program = toolbox.laminaProgram;
    args = [ "index" ] ++ words ++ [ "-o" (placeholder "out") "--format" format ];
    inherit meta;
    position = builtins.unsafeGetAttrPos "images" arguments;
    passthru = {
      # A file with the digest that the index has in every registry.
      digest = toolbox.derive {
        name = "${title}-digest";
        program = toolbox.laminaProgram;
        args = [ "digest" "${index}" "-o" (placeholder "out") ];
      };
      inherit images;
    };
  } // archive.withoutReferences);
in
index
