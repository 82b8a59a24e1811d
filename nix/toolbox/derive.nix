# Derivations without stdenv, whose set-up takes longer than our work does.
{ system, bash, path, ... }:
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

  # Made where it is wanted: asking another machine takes longer than writing it.
  write = name: text: derive {
    inherit name text;
    passAsFile = [ "text" ];
    preferLocalBuild = true;
    allowSubstitutes = false;
    script = ''cp "$textPath" "$out"'';
  };
}
