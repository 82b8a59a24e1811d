# An image as one archive: the derivation that reads the recipe's store paths.
{ toolbox }:
rec {
  # The compressors of whole archives, and what each adds to the file's name. The list of the command line is
  # builder/lamina/data/compressors.py's; a test compares them.
  extensions = { none = ""; gz = ".gz"; zstd = ".zst"; };
  compressors = builtins.attrNames extensions;

  # The forms of an archive: see docs/design/archive.md.
  formats = [ "universal" "docker-1.9" "classic" ];

  # The arguments `format` and `layout` of a function whose arguments `check` checks, as one.
  formatOf = check: { format, layout }:
    if layout != null then check.deprecated "layout" true "format does the same" layout
    else if format != null then format
    else "universal";

  # An archive holds copies: it needs none of the store paths whose names can be read in it.
  # Nix before 2.17 does not know this, or only as an experiment; there the archive keeps them alive too.
  withoutReferences = toolbox.optionalAttrs (builtins.compareVersions builtins.nixVersion "2.17" >= 0) {
    unsafeDiscardReferences.out = true;
  };

  make = { name, recipe, compressor, format, meta, passthru, position ? null }: toolbox.derive ({
    name = "${name}.tar${extensions.${compressor}}";
    __structuredAttrs = true;
    program = toolbox.laminaProgram;
    args = [ "build" "${recipe}" "-o" (placeholder "out") "--format" format "--compressor" compressor ];
    inherit meta passthru position;
  } // withoutReferences);
}
