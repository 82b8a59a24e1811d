# The layer that scripts make: the trees, so that they can be changed, and what the scripts do there. A tar, because a
# store path cannot keep what a script does to modes and owners.
{ toolbox }:
let
  # Where Lamina knows the processor's system calls; elsewhere fakeroot, which reaches programs of its own libc only.
  supervised = builtins.elem toolbox.system [ "x86_64-linux" "aarch64-linux" ];
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
, nixDB ? false            # whether a database of Nix will lie there, which scripts may want to give to somebody
}:
assert !chroot || supervised || throw "streamLayeredImage: enableFakechroot works on x86_64-linux and aarch64-linux";
toolbox.derive {
  name = "${baseNameOf name}-layer.tar";
  inherit extraCommands fakeRootCommands trees;
  passAsFile = [ "extraCommands" "fakeRootCommands" ];
  lamina = toolbox.laminaProgram;
  inherit (toolbox) bash;  # $BASH is not it: Nix runs the builder by its last name only
  packing = (if keepDirlinks then "--keep-dirlinks " else "") + (if links then "--links" else "");
  owner = "--uid ${toString uid} --gid ${toString gid}";
  places = if nixDB then "root/nix/var/nix/db root/nix/var/nix/gcroots/docker" else "root";
  time = "--mtime ${mtime}";
  SOURCE_DATE_EPOCH = toolbox.sourceDateEpoch;
  fakeRoot = if fakeRootCommands == "" then "" else if supervised then "fake-root" else "fakeroot";
  chroot = if chroot then "--chroot" else "";
  fakeroot = if fakeRootCommands == "" || supervised then "" else toolbox.fakeroot;
  # The builder is one user in a namespace that has no other: fakeroot must not try the real chown.
  FAKEROOTDONTTRYCHOWN = "1";
  script = ''
    umask 0022
    mkdir root
    mkdir -p $places
    if [ -n "$trees" ]; then
      "$lamina" pack $packing $trees -o trees.tar
      tar -xf trees.tar -C root
      rm trees.tar
    fi
    cd root
    source "$extraCommandsPath"
    cd "$NIX_BUILD_TOP"
    case $fakeRoot in
      "") "$lamina" pack --keep-modes $owner $time root -o "$out" ;;
      fake-root) "$lamina" fake-root $chroot $time root "$bash" "$fakeRootCommandsPath" -o "$out" ;;
      fakeroot)
        "$fakeroot" "$bash" -euc 'cd root; source "$fakeRootCommandsPath"; cd "$NIX_BUILD_TOP"
          "$lamina" pack --keep-modes --keep-owners $time root -o "$out"' ;;
    esac
  '';
}
