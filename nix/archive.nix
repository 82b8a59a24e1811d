# An image as one archive: the derivation that reads the recipe's store paths.
{ toolbox }:
let
  extensions = { none = ""; gz = ".gz"; zstd = ".zst"; };
in
{
  compressors = builtins.attrNames extensions;
  layouts = [ "universal" "docker-1.9" "classic" ];

  make = { name, recipe, compressor, layout, meta, passthru }: toolbox.derive {
    name = "${name}.tar${extensions.${compressor}}";
    __structuredAttrs = true;
    program = "${toolbox.lamina}/bin/lamina";
    args = [ "build" "${recipe}" "-o" (placeholder "out") "--layout" layout "--compressor" compressor ];
    # The archive holds copies: whoever has it needs none of the store paths whose names can be read in it.
    # Nix before 2.17 does not know this, or only as an experiment; there it merely keeps them alive too.
    ${if builtins.compareVersions builtins.nixVersion "2.17" >= 0 then "unsafeDiscardReferences" else null}.out = true;
    inherit meta passthru;
  };
}
