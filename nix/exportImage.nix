# The file system of an image as one plain tar, with dockerTools' arguments: see docs/use/runAsRoot.md.
{ toolbox, function ? "exportImage" }:
let
  kinds = import ./lib/arguments.nix;
in
{ fromImage                     # an archive or an OCI layout
, name ? fromImage.name
, fromImageName ? null          # which image in it, if there are several
, fromImageTag ? null
, diskSize ? 1024               # ignored: dockerTools' virtual machine does not exist here
, buildVMMemorySize ? 512
}@arguments:
let
  check = kinds.of { inherit function; it = arguments.name or null; };
in
assert check.arguments arguments {
  name = kinds.storeName;
  fromImage = kinds.path;
  fromImageName = kinds.nullOr kinds.string;
  fromImageTag = kinds.nullOr kinds.string;
  diskSize = kinds.natural;
  buildVMMemorySize = kinds.natural;
};
toolbox.derive {
  inherit name;
  lamina = toolbox.laminaProgram;
  image = "${fromImage}";
  options =
    (if fromImageName == null then [ ] else [ "--name" fromImageName ])
    ++ (if fromImageTag == null then [ ] else [ "--tag" fromImageTag ]);
  SOURCE_DATE_EPOCH = toolbox.sourceDateEpoch;
  script = ''"$lamina" export "$image" $options --mtime "$SOURCE_DATE_EPOCH" -o "$out"'';
}
