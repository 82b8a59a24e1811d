# Derivations without stdenv, because its setup takes longer than these builds.
{ system, bash, path, ... }@form:
let
  optionalAttrs = import ./optional-attrs.nix;

  # The argument of `overrideAttrs`, as in nixpkgs: attributes, `old: attributes`, or `final: old: attributes`.
  applied = change: final: old:
    if !builtins.isFunction change then change
    else
      let result = change old;
      in if builtins.isFunction result then change final old else result;

  # Attributes of the result that are not passed to the derivation.
  forResult = [ "meta" "passthru" "script" "program" "position" ];

  # nixpkgs' `inputDerivation`: a derivation that depends on everything in `attributes`, to build only the inputs.
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

  # The derivation of `final: attributes`, in the form of mkDerivation's result.
  deriveFrom = attributesOf:
    let
      given = attributesOf (given // { finalPackage = result; });
      passthru = given.passthru or { };

      forNix = {
        inherit system;
        args = [ "-euc" (keepShell given.script) ];
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

  # A command after the script keeps the shell running. Without it, bash would replace itself by the script's last program,
  # and Nix kills a builder that closes its output before it ends, as coreutils' programs do.
  keepShell = script: "${script}\n:";
in
rec {
  # `script` runs in `bash -eu`; if `program` and `args` are given, they run instead. All other attributes are the
  # derivation's, except `meta`, `passthru` and `position`, which are the result's, as in nixpkgs.
  derive = attributes: deriveFrom (_: attributes);

  # A derivation whose `script` runs a user's script: in a shell with stdenv's options and, with nixpkgs, stdenv's functions
  # and programs (substituteInPlace, patchShebangs, make, patch). Scripts written for dockerTools expect these.
  scripted = { name, script, ... }@attributes:
    if form ? runCommand
    then form.runCommand name (removeAttrs attributes [ "name" "script" ] // { __structuredAttrs = false; }) script
    else derive (attributes // { script = "${shellSetup}\n${script}"; });

  # Shell code that does the same in another process that such a script starts.
  shellSetup =
    if form ? runCommand then "set +u\nsource \"$stdenv/setup\""
    else "set +u\nset -o pipefail\nshopt -s nullglob inherit_errexit\nexport SHELL=${bash}";

  # Built locally: sending it to another machine takes longer than writing it.
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
