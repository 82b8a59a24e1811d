# Several images in one archive, each with its names, each layer once. The images are archives of any tool, compressed or
# not, OCI layouts, and what streamLayeredImage makes. The result is not compressed: of a compressed archive with
# several images podman 4.3 takes none.
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
  # Of a stream the recipe will do: an archive need not be made for it.
  file = image: if image.isExe or false && image ? recipe then "${image.recipe}" else "${image}";
in
toolbox.derive ({
  name = "merge-docker-images";
  __structuredAttrs = true;
  program = toolbox.laminaProgram;
  args = [ "merge" ] ++ map file images ++ [ "-o" (placeholder "out") ];
} // archive.withoutReferences)
