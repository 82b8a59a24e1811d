# Derivations without stdenv, whose set-up takes longer than our work does.
{ system, bash, path, ... }@form:
let
  optionalAttrs = import ./optional-attrs.nix;

  # What `overrideAttrs` takes, as nixpkgs' does: attributes, old: attributes, or final: old: attributes.
  applied = change: final: old:
    if !builtins.isFunction change then change
    else
      let result = change old;
      in if builtins.isFunction result then change final old else result;

  # The attributes that go to the result alone.
  forResult = [ "meta" "passthru" "script" "program" "position" ];

  # A derivation of everything that `attributes` need: for those who want to have the inputs and not the image.
  inputsOf = name: attributes: derivation {
    name = "inputDerivation-${name}";
    inherit system;
    builder = bash;
    # In a file, because together they may be too long for a variable.
    inputs = builtins.toJSON attributes;
    passAsFile = [ "inputs" ];
    args = [ "-euc" ''echo "$(< "$inputsPath")" > "$out"'' ];
    outputs = [ "out" ];
  };

  # `final: attributes`, in the shape of mkDerivation's result.
  deriveFrom = attributesOf:
    let
      given = attributesOf (given // { finalPackage = result; });
      passthru = given.passthru or { };

      forNix = {
        inherit system;
        args = [ "-euc" (stay given.script) ];
        builder = given.program or bash;
        PATH = path;
      } // removeAttrs given forResult;
      made = derivation forNix;

      common = {
        outputs = [ "out" ];
        out = result;
        all = [ result ];
        inherit passthru;
        meta = {
          inherit (given) name;
          outputsToInstall = [ "out" ];
          available = true;
          broken = false;
          insecure = false;
          unfree = false;
          unsupported = false;
        } // optionalAttrs (given.position or null != null) {
          position = "${given.position.file}:${toString given.position.line}";
        } // given.meta or { };
        inputDerivation = inputsOf given.name forNix;
        overrideAttrs = change: deriveFrom (final:
          let old = { meta = { }; passthru = { }; } // attributesOf final;
          in old // applied change final old);
        overrideDerivation = change:
          derivation (made.drvAttrs // change result) // { inherit (common) meta outputs; inherit passthru; } // passthru;
      };
      result = made // common // passthru;
    in
    result;

  # The shell does something after the script, or it would become the script's last program; and Nix kills a builder
  # that closes its output before it ends, as programs of coreutils do.
  stay = script: "${script}\n:";
in
rec {
  # `script` runs in `bash -eu`; with `program` and `args` that is run instead. Everything else is an attribute of
  # the derivation, but for `meta`, `passthru` and `position`, which go to the result as in nixpkgs.
  derive = attributes: deriveFrom (_: attributes);

  # A derivation whose `script` runs a script of the user's: in a shell with stdenv's options, and with nixpkgs also with
  # what stdenv offers there (substituteInPlace, patchShebangs, make, patch). Scripts of users expect that of dockerTools.
  scripted = { name, script, ... }@attributes:
    if form ? runCommand
    then form.runCommand name (removeAttrs attributes [ "name" "script" ] // { __structuredAttrs = false; }) script
    else derive (attributes // { script = "${shellSetup}\n${script}"; });

  # The same for another process that such a script starts.
  shellSetup =
    if form ? runCommand then "set +u\nsource \"$stdenv/setup\""
    else "set +u\nset -o pipefail\nshopt -s nullglob inherit_errexit\nexport SHELL=${bash}";

  # Made where it is wanted: asking another machine takes longer than writing it.
  write = name: text: derive {
    inherit name text;
    passAsFile = [ "text" ];
    preferLocalBuild = true;
    allowSubstitutes = false;
    script = ''cp "$textPath" "$out"'';
  };

  # The same, as a program: `text` is a shell script.
  writeProgram = name: text: derive {
    inherit name;
    text = "#!${bash}\n${text}\n";
    passAsFile = [ "text" ];
    preferLocalBuild = true;
    allowSubstitutes = false;
    script = ''
      cp "$textPath" "$out"
      chmod +x "$out"
    '';
  };
}
