# The files at an image's root as a layer, in the form of a layer's directory that docker save 1.10 to 24 writes:
# dockerTools' attribute `layer`. The image itself does not use it.
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
