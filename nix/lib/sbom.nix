# The bill of materials of an image: a derivation that runs `lamina sbom` on its recipe.
{ toolbox }:
{ name, recipe, packages }:
let
  metadataOf = import ./metadata.nix { inherit toolbox; };
  file = baseNameOf name;

  make = packages:
    let
      metadata = metadataOf { name = file; inherit packages; };
      document = format: version: suffix: toolbox.derive {
        name = "${file}.${suffix}.json";
        __structuredAttrs = true;
        program = toolbox.laminaProgram;
        args = [
          "sbom" "${recipe}" "--metadata" "${metadata}" "--format" format "--spec-version" version "-o" (placeholder "out")
        ];
        passthru = {
          inherit metadata;
          cyclonedx = document "cyclonedx" "1.7" "cdx";
          cyclonedx16 = document "cyclonedx" "1.6" "cdx";
          spdx = document "spdx" "2.3" "spdx";
          # Packages that the image names only in strings, such as in `config.Cmd`.
          withPackages = more: make (packages ++ more);
        };
      };
    in
    document "cyclonedx" "1.7" "cdx";
in
make packages
