# Stands for nixpkgs: the host's packages, and a `runCommand` on a stdenv of its own. Its setup defines one function.
{ host }:
let
  inherit (host) lib;
  setup = host.runCommand "stand-in-stdenv" { } ''
    mkdir $out
    cat > $out/setup <<'END'
    set -eu -o pipefail
    shopt -s nullglob inherit_errexit
    PATH=${lib.makeBinPath (with host; [ coreutils gnused gnugrep gnutar gzip bash ])}
    export PATH
    substituteInStandIn() { echo "from the stand-in's setup"; }
    set +u
    END
  '';
in
builtins.removeAttrs host [ "isHostPackageSet" ] // rec {
  stdenv = { buildPlatform.system = host.system; hostPlatform.system = host.system; };
  go.GOARCH = "amd64";
  python3Packages = {
    flit-core = null;
    inherit (host.python3.pkgs) aiohttp attrs python-magic zstandard;
    buildPythonApplication = _: (import ../.. { pkgs = host; }).lamina;
  };
  buildPackages = host // { inherit python3Packages; };
  runCommand = name: env: script: derivation ({
    inherit name;
    inherit (host) system;
    stdenv = setup;
    builder = "${host.bash}/bin/bash";
    args = [ "-e" "-c" ''source "$stdenv/setup"; source "$buildCommandPath"'' ];
    buildCommand = script;
    passAsFile = [ "buildCommand" ] ++ env.passAsFile or [ ];
  } // removeAttrs env [ "passAsFile" "passthru" "meta" ]);
}
