# The file system of an image as one plain tar, with dockerTools' arguments: see docs/use/runAsRoot.md.
{ toolbox }:
let
  checks = import ./lib/arguments.nix "exportImage";
in
{ fromImage                     # an archive or an OCI layout
, name ? fromImage.name
, fromImageName ? null          # which image of it, when there are several
, fromImageTag ? null
, diskSize ? 1024               # dockerTools' virtual machine's; there is none
, buildVMMemorySize ? 512
}@arguments:

assert checks.arguments arguments {
  name = checks.string;
  fromImage = checks.path;
  fromImageName = checks.nullOr checks.string;
  fromImageTag = checks.nullOr checks.string;
  diskSize = checks.natural;
  buildVMMemorySize = checks.natural;
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
