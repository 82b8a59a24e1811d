# The layer that scripts make: the trees, so that they can be changed, and what the scripts do there. A tar, because a
# store path cannot keep what a script does to modes and owners.
{ toolbox }:
{ name
, trees
, links ? false            # the trees as symbolic links into the store, and not as copies
, extraCommands            # runs as the builder
, fakeRootCommands ? ""    # runs where it seems to be root: chown and chmod are recorded, and land in the layer
, uid ? 0
, gid ? 0
, keepDirlinks ? false
}:
toolbox.derive {
  name = "${baseNameOf name}-layer.tar";
  inherit extraCommands fakeRootCommands trees;
  passAsFile = [ "extraCommands" "fakeRootCommands" ];
  lamina = "${toolbox.lamina}/bin/lamina";
  inherit (toolbox) bash;  # $BASH is not it: Nix runs the builder by its last name only
  packing = (if keepDirlinks then "--keep-dirlinks " else "") + (if links then "--links" else "");
  owner = "--uid ${toString uid} --gid ${toString gid}";
  fakeroot = if fakeRootCommands == "" then "" else toolbox.fakeroot;
  # The builder is one user in a namespace that has no other: fakeroot must not try the real chown.
  FAKEROOTDONTTRYCHOWN = "1";
  script = ''
    umask 0022
    mkdir root
    if [ -n "$trees" ]; then
      "$lamina" pack $packing $trees -o trees.tar
      tar -xf trees.tar -C root
      rm trees.tar
    fi
    cd root
    source "$extraCommandsPath"
    cd "$NIX_BUILD_TOP"
    if [ -z "$fakeroot" ]; then
      "$lamina" pack --keep-modes $owner root -o "$out"
    else
      "$fakeroot" "$bash" -euc 'cd root; source "$fakeRootCommandsPath"; cd "$NIX_BUILD_TOP"
        "$lamina" pack --keep-modes --keep-owners root -o "$out"'
    fi
  '';
}
