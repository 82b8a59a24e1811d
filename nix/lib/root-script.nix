# The layer that scripts make: copies of the trees, changed by the scripts. It is a tar, because a store path cannot keep
# the modes and owners that a script sets.
{ toolbox }:
let
  shell = import ./shell.nix;

  # fakeRootCommands run in a shell of their own, which is another process.
  fakeRootShell = toolbox.write "fake-root-commands.sh" ''
    ${toolbox.shellSetup}
    ${shell.source "fakeRootCommands" "$fakeRootCommandsPath"}
  '';
in
{ name
, trees
, links ? false            # symbolic links to the trees' files instead of copies
, extraCommands            # runs as the builder
, fakeRootCommands ? ""    # runs as (simulated) root: owners and modes that it sets are recorded and stored in the layer
, chroot ? false           # fakeRootCommands run chrooted into the image's root directory
, uid ? 0
, gid ? 0
, keepDirlinks ? false
, mtime ? "@1"             # of every file
, based ? false            # whether the image has a base; its root directory is in the layer only if a script changes it
, nixDB ? false            # whether the image gets a Nix database; scripts may change the owner of its directory
}:
let
  lamina = toolbox.laminaProgram;
  packing = (if keepDirlinks then "--keep-dirlinks " else "") + (if links then "--links" else "");
  owner = "--uid ${toString uid} --gid ${toString gid}";
  # Other forms are parsed by GNU date first.
  isPlain = builtins.match "@[0-9]+|now|[0-9-]+T[0-9:.]+(Z|[+-][0-9:]+)" mtime != null;
  seconds = if isPlain then shell.quote mtime else "\"@$(date --utc --date=${shell.quote mtime} +%s)\"";
  time = "--mtime ${seconds}";

  unpack = if trees == [ ] then "" else ''
    ${lamina} pack ${packing} ${shell.words trees} -o trees.tar
    tar -xf trees.tar -C root
    rm trees.tar
  '';

  pack =
    if fakeRootCommands == "" then ''
      ${lamina} pack --keep-modes ${owner} ${time} --root ${if based then "changed" else "always"} root -o "$out"
    ''
    else if toolbox.supervises then ''
      ${lamina} fake-root ${if chroot then "--chroot" else ""} ${if based then "" else "--root"} ${time} root ${toolbox.bash} ${fakeRootShell} -o "$out"
    ''
    else ''
      # The builder is the only user in its namespace, so fakeroot must not try the real chown.
      export FAKEROOTDONTTRYCHOWN=1
      ${toolbox.fakeroot} ${toolbox.bash} -ec '
        (cd root; source "$1")
        "$2" pack --keep-modes --keep-owners --mtime "$3" --root "$4" root -o "$out"
      ' fakeroot ${fakeRootShell} ${lamina} ${seconds} ${if based then "changed" else "always"}
    '';
in
toolbox.scripted {
  name = "${baseNameOf name}-layer.tar";
  inherit extraCommands fakeRootCommands;
  contents = trees;  # a variable that scripts have in dockerTools, too
  passAsFile = [ "extraCommands" "fakeRootCommands" ];
  SOURCE_DATE_EPOCH = toolbox.sourceDateEpoch;
  script = ''
    umask 0022
    mkdir root ${if nixDB then "&& mkdir -p root/nix/var/nix/db root/nix/var/nix/gcroots/docker" else ""}
    ${unpack}
    ${shell.isolated "extraCommands" "$extraCommandsPath"}
    ${pack}
  '';
}
