# Several images in one archive. Each keeps its names, and each layer is stored once. The images are archives of any tool,
# compressed or not, OCI layouts, and results of streamLayeredImage. The result is not compressed, because podman 4.3
# refuses a compressed archive of several images.
{ toolbox }:
let
  kinds = import ./lib/arguments.nix;
  check = kinds.of { function = "mergeImages"; };
  archive = import ./lib/archive.nix { inherit toolbox; };
in
images:

assert check.holds "the argument" images
  (kinds.kind "a list of images" (value: value != [ ] && (kinds.listOf kinds.path).test value));
let
  # For a stream, the recipe is enough: no archive is built.
  file = image: if image.isExe or false && image ? recipe then "${image.recipe}" else "${image}";
in
toolbox.derive ({
  name = "merge-docker-images";
  __structuredAttrs = true;
  program = toolbox.laminaProgram;
  args = [ "merge" ] ++ map file images ++ [ "-o" (placeholder "out") ];
} // archive.withoutReferences)
