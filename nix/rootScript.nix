# The layer that `extraCommands` makes: the trees, copied so that they can be changed, and what the script does.
# A tar, because a store path cannot keep what a script does to modes.
{ toolbox }:
{ name, trees, extraCommands, uid, gid, keepDirlinks }:
toolbox.derive {
  name = "${baseNameOf name}-layer.tar";
  inherit extraCommands trees;
  passAsFile = [ "extraCommands" ];
  lamina = "${toolbox.lamina}/bin/lamina";
  packing = if keepDirlinks then "--keep-dirlinks" else "";
  owner = "--uid ${toString uid} --gid ${toString gid}";
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
    "$lamina" pack --keep-modes $owner root -o "$out"
  '';
}
