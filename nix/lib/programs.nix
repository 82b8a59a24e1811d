# What can be done with an image, as programs: `nix run .#examples.hello.load`, `$(nix-build -A x.stream)/bin/stream-x`.
# They work from the recipe, so none of them needs the archive; all take the options of the command that they run.
{ toolbox }:
{ name, recipe }:
let
  file = baseNameOf name;

  program = verb: words:
    let
      whole = "${verb}-${file}";
    in
    toolbox.derive {
      name = whole;
      command = "${toolbox.laminaProgram} ${words}";
      shell = toolbox.bash;
      preferLocalBuild = true;
      allowSubstitutes = false;
      script = ''
        mkdir -p "$out/bin"
        printf '#!%s\nexec %s "$@"\n' "$shell" "$command" > "$out/bin/${whole}"
        chmod +x "$out/bin/${whole}"
      '';
      meta.mainProgram = whole;
    };
in
{
  inherit recipe;
  stream = program "stream" "build ${recipe} --output -";
  load = program "load" "load ${recipe}";
  inspect = program "inspect" "inspect ${recipe}";
}
