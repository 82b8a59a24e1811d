# The programs of an image: `nix run .#examples.hello.load`, `$(nix-build -A x.stream)/bin/stream-x`.
# They use the recipe, so none of them needs the archive. All take the options of the command that they run.
{ toolbox }:
{ name
, recipe
, format ? null     # of the stream
, packages ? [ ]    # whose licenses are in the bill of materials, with those of their build inputs
}:
let
  inherit (toolbox.onRunner) bash derive laminaProgram laminaWithServer skopeo;
  file = baseNameOf name;

  # With `--as`, the program's help has the program's own name, and leaves out the arguments that are set here.
  program = verb: words: purpose: programOf { inherit verb words purpose; };
  programOf = { verb, words, purpose, command ? laminaProgram, setup ? "" }:
    let
      whole = "${verb}-${file}";
    in
    derive {
      name = whole;
      text = ''
        #!${bash}
        ${setup}exec ${command} --as ${whole} ${builtins.concatStringsSep " " words} "$@"
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
  stream = program "stream" ([ "build" "${recipe}" "--output" "-" ] ++ (if format == null then [ ] else [ "--format" format ])) "Write the archive of the image ${name} to standard output.";
  load = program "load" [ "load" "${recipe}" ] "Load the image ${name} into a daemon, sending only missing layers.";
  # The user's own Skopeo comes first.
  push = programOf {
    verb = "push";
    words = [ "push" "${recipe}" ];
    purpose = "Push the image ${name} to a registry, sending only missing layers.";
    command = "${laminaWithServer}/bin/lamina";
    setup = "PATH=\"$PATH:${dirOf skopeo}\"; export PATH\n";
  };
  # A file with the digest that the image's manifest has in every registry.
  digest = toolbox.derive {
    name = "${file}-digest";
    program = toolbox.laminaProgram;
    args = [ "digest" "${recipe}" "-o" (placeholder "out") ];
  };
  inspect = program "inspect" [ "inspect" "${recipe}" ] "Show what the image ${name} contains.";
  sbom = import ./sbom.nix { inherit toolbox; } { inherit name recipe packages; };
}
