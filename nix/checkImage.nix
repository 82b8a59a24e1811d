# A build that fails if an image breaks a policy, with a line for each broken rule: see docs/use/check.md. Its result is
# what `lamina check --json` prints.
{ toolbox, function ? "checkImage" }:
let
  kinds = import ./lib/arguments.nix;
in
{ image
, policy
, against ? null      # an image, or a lock file, to which an update is compared
, name ? "check-image"
}@arguments:
let
  check = kinds.of { inherit function; it = null; };
  # The recipe is enough: the archive is not built.
  file = image: if image ? recipe then "${image.recipe}" else "${image}";
  metadata = if image ? sbom.metadata then [ "--metadata" "${image.sbom.metadata}" ] else [ ];
in
assert check.arguments arguments {
  image = kinds.path;
  policy = kinds.path;
  against = kinds.nullOr kinds.path;
  name = kinds.storeName;
};
toolbox.derive {
  inherit name metadata;
  lamina = toolbox.laminaProgram;
  image = file image;
  policy = "${policy}";
  previous = if against == null then [ ] else [ "--against" (file against) ];
  script = ''"$lamina" check "$image" --policy "$policy" $metadata $previous --json > "$out"'';
}
