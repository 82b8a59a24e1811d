# A replacement for nixpkgs' dockerTools: Lamina's functions with dockerTools' names and defaults.
# docs/use/from-dockertools.md lists what is the same, what is better, and what is missing.
{ pkgs, toolboxWith }:
let
  inherit (import ./lib/arguments.nix) of;
  check = of { function = "dockerTools.override"; };

  # The packages that `.override` of nixpkgs' dockerTools takes. Lamina uses some of them, and ignores the others.
  used = [ "bash" "bashInteractive" "cacert" "coreutils" "fakeNss" "fakeroot" "go" "shadow" "skopeo" ];
  unused = [
    "buildPackages" "callPackage" "closureInfo" "devShellTools" "dockerAutoLayer" "dockerMakeLayers" "e2fsprogs" "fakechroot" "file"
    "flatten-references-graph" "jq" "jshon" "lib" "makeBinaryWrapper" "makeWrapper" "moreutils" "nix" "nixosTests" "pigz" "pkgs"
    "pkgsBuildBuild" "proot" "referencesByPopularity" "rsync" "runCommand" "runtimeShell" "runtimeShellPackage" "stdenv" "stdenvNoCC"
    "storeDir" "substituteAll" "symlinkJoin" "system" "tarsum" "util-linux" "vmTools" "writeClosure" "writePython3"
    "writeReferencesToFile" "writeScript" "writeScriptBin" "writeShellScriptBin" "writeText" "writeTextDir" "writers" "zstd"
  ];

  make = replaced:
    let
      own = import ./lib/functions.nix {
        toolbox = toolboxWith (builtins.intersectAttrs (builtins.listToAttrs (map (name: { inherit name; value = null; }) used)) replaced);
        defaults = {
          compressor = "gz";
          inheritConfig = "env";  # only Env of a base's config
          streams = "file";
          foreign = "warned";     # packages for another processor, if the architecture is given
        };
      };
      # The function with a Nix database in its images. Its errors have this name.
      withDatabase = name: function:
        let inner = function name; in
        { __functor = _: arguments: inner (arguments // { includeNixDB = true; }); inherit (inner) __functionArgs; };
    in
    removeAttrs own [ "buildImageAs" "buildLayeredImageAs" ] // {
      buildImageWithNixDb = withDatabase "buildImageWithNixDb" own.buildImageAs;
      buildLayeredImageWithNixDb = withDatabase "buildLayeredImageWithNixDb" own.buildLayeredImageAs;
      override = change: make (replaced // checked (if builtins.isFunction change then change (pkgs // replaced) else change));
    } // (if replaced ? fakeNss then { inherit (replaced) fakeNss; } else { });

  checked = change:
    let
      names = builtins.attrNames change;
      unknown = builtins.filter (name: !builtins.elem name (used ++ unused)) names;
      without = builtins.filter (name: builtins.elem name unused) names;
    in
    if unknown != [ ] then check.fail "there is no argument ${builtins.head unknown}; it takes ${builtins.concatStringsSep ", " used}"
    else if without != [ ] then check.warn "not used here, and ignored: ${builtins.concatStringsSep ", " without}" change
    else change;
in
make { }
