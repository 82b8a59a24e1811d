# The layer of a script that runs as root in the image, in Nix' sandbox, without a virtual machine or a set-uid program.
# docs/use/runAsRoot.md describes it and its limits.
{ toolbox }:
let
  shell = import ./shell.nix;

  # Runs in the layer's root directory. As in dockerTools, the only shell option is `set -e`.
  afterwards = toolbox.write "extra-commands.sh" ''
    set +u
    ${shell.source "extraCommands" "$extraCommandsPath"}
  '';
in
{ name
, base                     # null, or { path; name; tag; }
, trees                    # copied over the base before the script runs; they are in the layer, too
, runAsRoot
, extraCommands ? ""       # runs afterwards, in the layer's root
, architecture
, uid ? 0                  # owner of the trees
, gid ? 0
, keepDirlinks ? false
}:
let
  # The script is in the store, which is visible inside the image's root directory. It is a file of its own, so that line
  # numbers in errors are those of the user's script.
  commands = toolbox.write "run-as-root.sh" runAsRoot;
  start = toolbox.write "run-as-root-start.sh" ''
    set -e
    export PATH=${toolbox.coreutils}/bin:/bin:/usr/bin:/sbin:/usr/sbin
    ${shell.source "runAsRoot" commands}
  '';

  option = word: value: if value == null then [ ] else [ word "${value}" ];
  options =
    (if base == null then [ ]
    else option "--base" base.path ++ option "--base-name" base.name ++ option "--base-tag" base.tag)
    ++ [ "--architecture" architecture "--uid" (toString uid) "--gid" (toString gid) ]
    ++ (if keepDirlinks then [ "--keep-dirlinks" ] else [ ])
    ++ (if extraCommands == "" then [ ] else [ "--then" toolbox.bash "${afterwards}" ]);
in
toolbox.derive {
  name = "${baseNameOf name}-layer.tar";
  inherit extraCommands;
  passAsFile = [ "extraCommands" ];
  SOURCE_DATE_EPOCH = toolbox.sourceDateEpoch;
  script = ''
    umask 0022
    ${toolbox.laminaProgram} run-as-root ${shell.words ([ toolbox.bash "${start}" ] ++ trees ++ options)} -o "$out"
  '';
}
