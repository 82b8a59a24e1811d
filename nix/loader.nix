# A program that loads an archive into the Docker that the user has: `nix run .#examples.hello.load`.
{ toolbox }:
{ file, archive }:
let
  program = "load-${file}";
in
toolbox.derive {
  name = program;
  inherit archive;
  preferLocalBuild = true;
  allowSubstitutes = false;
  script = ''
    mkdir -p "$out/bin"
    printf '#!%s\nexec docker load "$@" -i %s\n' "$SHELL" "$archive" > "$out/bin/${program}"
    chmod +x "$out/bin/${program}"
  '';
  SHELL = toolbox.bash;
  meta.mainProgram = program;
}
