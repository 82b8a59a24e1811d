# The layer that a script makes that runs as root in the image, in Nix' sandbox: no virtual machine, no set-uid helper.
# docs/use/runAsRoot.md tells how, and what the kernel does not let it do.
{ toolbox }:
{ name
, base                     # null, or { path; name; tag; }
, trees                    # what lies over the base before the script runs, and goes into the layer too
, runAsRoot
, extraCommands ? ""       # runs afterwards, where the layer's root is
, architecture
, uid ? 0                  # owner of the trees
, gid ? 0
, keepDirlinks ? false
}:
let
  option = word: value: if value == null then [ ] else [ word "${value}" ];
  based = if base == null then [ ] else
    option "--base" base.path ++ option "--base-name" base.name ++ option "--base-tag" base.tag;
  after = if extraCommands == "" then "" else ''--then "$bash" "$extraCommandsPath"'';
in
toolbox.derive {
  name = "${baseNameOf name}-layer.tar";
  inherit extraCommands trees;
  passAsFile = [ "extraCommands" ];
  lamina = toolbox.laminaProgram;
  inherit (toolbox) bash;
  # The image's root sees the store, so that is where the script is.
  runAsRoot = toolbox.write "run-as-root.sh" ''
    set -e
    export PATH=${toolbox.coreutils}/bin:/bin:/usr/bin:/sbin:/usr/sbin
    ${runAsRoot}
  '';
  options = based ++ [ "--architecture" architecture "--uid" (toString uid) "--gid" (toString gid) ]
    ++ (if keepDirlinks then [ "--keep-dirlinks" ] else [ ]);
  SOURCE_DATE_EPOCH = toolbox.sourceDateEpoch;
  script = ''
    umask 0022
    "$lamina" run-as-root "$bash" "$runAsRoot" $trees $options ${after} -o "$out"
  '';
}
