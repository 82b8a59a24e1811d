# Derivations without stdenv, whose set-up takes longer than our work does.
{ system, bash, path, ... }@form:
rec {
  # The shell does something after the script, or it would become the script's last program; and Nix kills a builder
  # that closes its output before it ends, as programs of coreutils do.
  stay = script: "${script}\n:";

  # `script` runs in `bash -eu`; with `program` and `args` that is run instead. Everything else is an attribute of
  # the derivation, but for `meta` and `passthru`, which go to the result as in nixpkgs; so does `overrideAttrs`.
  derive = { meta ? { }, passthru ? { }, script ? null, program ? bash, args ? [ "-euc" (stay script) ], ... }@attributes:
    derivation
      ({
        inherit system args;
        builder = program;
        PATH = path;
      } // removeAttrs attributes [ "meta" "passthru" "script" "program" ])
    // passthru // {
      inherit meta passthru;
      overrideAttrs = change:
        derive (attributes // (if builtins.isFunction change then change attributes else change));
    };

  # A derivation whose `script` runs a script of the user's: in a shell with stdenv's options, and with nixpkgs also with
  # what stdenv offers there (substituteInPlace, patchShebangs, make, patch). Scripts of users expect that of dockerTools.
  scripted = { name, script, ... }@attributes:
    if form ? runCommand
    then form.runCommand name (removeAttrs attributes [ "name" "script" ] // { __structuredAttrs = false; }) script
    else derive (attributes // { script = "${shellSetup}\n${script}"; });

  # The same for another process that such a script starts.
  shellSetup =
    if form ? runCommand then "set +u\nsource \"$stdenv/setup\""
    else "set +u\nset -o pipefail\nshopt -s nullglob inherit_errexit";

  # Made where it is wanted: asking another machine takes longer than writing it.
  write = name: text: derive {
    inherit name text;
    passAsFile = [ "text" ];
    preferLocalBuild = true;
    allowSubstitutes = false;
    script = ''cp "$textPath" "$out"'';
  };
}
