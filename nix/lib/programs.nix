# What can be done with an image, as programs: `nix run .#examples.hello.load`, `$(nix-build -A x.stream)/bin/stream-x`.
# They work from the recipe, so none of them needs the archive; all take the options of the command that they run.
{ toolbox }:
{ name, recipe }:
let
  inherit (toolbox.onRunner) bash derive laminaProgram;
  shell = import ./shell.nix;
  file = baseNameOf name;

  program = verb: words: purpose:
    let
      whole = "${verb}-${file}";
      usage = "usage: ${whole} [OPTION...]\n\n${purpose}\n\noptions:";
    in
    derive {
      name = whole;
      text = ''
        #!${bash}
        for word; do
          if [ "$word" = --help ] || [ "$word" = -h ]; then
            help=$(${laminaProgram} ${builtins.head words} --help)
            printf '%b%s\n' ${shell.quote usage} "''${help#*options:}"
            exit
          fi
        done
        exec ${laminaProgram} ${builtins.concatStringsSep " " words} "$@"
      '';
      passAsFile = [ "text" ];
      preferLocalBuild = true;
      allowSubstitutes = false;
      script = ''
        mkdir -p "$out/bin"
        cp "$textPath" "$out/bin/${whole}"
        chmod +x "$out/bin/${whole}"
      '';
      meta = { mainProgram = whole; description = purpose; };
    };
in
{
  inherit recipe;
  stream = program "stream" [ "build" "${recipe}" "--output" "-" ] "Write the archive of the image ${name} to standard output.";
  load = program "load" [ "load" "${recipe}" ] "Load the image ${name} into a daemon, which is sent only layers that it lacks.";
  inspect = program "inspect" [ "inspect" "${recipe}" ] "Show what the image ${name} contains.";
}
