# The layer that scripts make: the trees, so that they can be changed, and what the scripts do there. A tar, because a
# store path cannot keep what a script does to modes and owners.
{ toolbox }:
let
  shell = import ./shell.nix;

  # The shell that fakeRootCommands run in is another process.
  fakeRootShell = toolbox.write "fake-root-commands.sh" ''
    ${toolbox.shellSetup}
    ${shell.source "fakeRootCommands" "$fakeRootCommandsPath"}
  '';
in
{ name
, trees
, links ? false            # the trees as symbolic links into the store, and not as copies
, extraCommands            # runs as the builder
, fakeRootCommands ? ""    # runs where it seems to be root: chown and chmod are recorded, and land in the layer
, chroot ? false           # with the root as their root directory, as the image will have it
, uid ? 0
, gid ? 0
, keepDirlinks ? false
, mtime ? "@1"             # of every file
, based ? false            # whether the image has a base, whose root directory stays as it is unless the scripts change it
, nixDB ? false            # whether a database of Nix will be there, which scripts may want to give to somebody
}:
let
  lamina = toolbox.laminaProgram;
  packing = (if keepDirlinks then "--keep-dirlinks " else "") + (if links then "--links" else "");
  owner = "--uid ${toString uid} --gid ${toString gid}";
  # Words of GNU date become a number first.
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
      # The builder is one user in a namespace that has no other: fakeroot must not try the real chown.
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
  contents = trees;  # dockerTools' scripts find it, too
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
