# An image as one archive: the derivation that reads the recipe's store paths.
{ toolbox }:
rec {
  # The compressors of whole archives, and what each adds to the file's name. The list of the command line is
  # builder/lamina/data/compressors.py's; a test compares them.
  extensions = { none = ""; gz = ".gz"; zstd = ".zst"; };
  compressors = builtins.attrNames extensions;

  # The forms of an archive: see docs/design/archive.md.
  formats = [ "universal" "docker-1.9" "classic" ] ++ ociFormats;
  ociFormats = [ "oci-archive" "oci-layout" ];

  # How layers are compressed in OCI formats and in registries, and the levels of each compressor.
  layerLevels = { gz = 9; zstd = 3; "zstd:chunked" = 3; none = 0; };
  layerCompressors = builtins.attrNames layerLevels;

  # The arguments of images for OCI formats, of their kinds.
  ociKinds = kinds: {
    layerCompressor = kinds.nullOr (kinds.among layerCompressors);
    layerLevel = kinds.nullOr kinds.positive;
    annotations = kinds.texts;
  };

  # The same arguments in the form of the recipe; null if there are none.
  ociOf = check: { layerCompressor, layerLevel, annotations }:
    let
      most = layerLevels.${layerCompressor};
      isLevel = layerLevel == null
        || (if layerCompressor == null then check.fail "layerLevel is set; give layerCompressor, too"
            else layerLevel <= most || check.fail "layerLevel is ${toString layerLevel}; ${layerCompressor} has levels up to ${toString most}");
    in
    assert isLevel;
    if layerCompressor == null && annotations == { } then null
    else toolbox.optionalAttrs (layerCompressor != null) { inherit layerCompressor; }
      // toolbox.optionalAttrs (layerLevel != null) { inherit layerLevel; }
      // { inherit annotations; };

  # The format that the arguments `format` and `layout` select. `check` is that of the function (arguments.nix).
  formatOf = check: { format, layout }:
    if layout != null then check.deprecated "layout" true "format does the same" layout
    else if format != null then format
    else "universal";

  # The name of an OCI archive or of an OCI layout, which is a directory.
  fileName = name: format: if format == "oci-layout" then "${name}-oci" else "${name}.oci.tar";

  # An archive contains copies, so it needs none of the store paths whose names occur in it.
  # Nix before 2.17 lacks this attribute, or has it only as an experiment. There the archive keeps these paths alive.
  withoutReferences = toolbox.optionalAttrs (builtins.compareVersions builtins.nixVersion "2.17" >= 0) {
    unsafeDiscardReferences.out = true;
  };

  make = { name, recipe, compressor, format, meta, passthru, position ? null }:
    let isOci = builtins.elem format ociFormats; in
    toolbox.derive ({
    name = if isOci then fileName name format else "${name}.tar${extensions.${compressor}}";
    __structuredAttrs = true;
    program = toolbox.laminaProgram;
    args = [ "build" "${recipe}" "-o" (placeholder "out") "--format" format ]
      ++ (if isOci then [ ] else [ "--compressor" compressor ]);
    inherit meta passthru position;
  } // withoutReferences);
}
