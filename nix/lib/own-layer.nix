# What an image has at its root, as a layer in the directory that docker save 1.10 to 24 writes for one: dockerTools'
# attribute `layer`. The image itself does without.
{ toolbox }:
{ name, trees, made, uid, gid, keepDirlinks }:
toolbox.derive {
  name = "docker-layer-${baseNameOf name}";
  inherit made trees;
  lamina = toolbox.laminaProgram;
  packing = "--uid ${toString uid} --gid ${toString gid} ${if keepDirlinks then "--keep-dirlinks" else ""}";
  script = ''
    mkdir "$out" empty
    printf 1.0 > "$out/VERSION"
    if [ -n "$made" ]; then
      ln -s "$made" "$out/layer.tar"
    else
      "$lamina" pack $packing empty $trees -o "$out/layer.tar"
    fi
  '';
}
