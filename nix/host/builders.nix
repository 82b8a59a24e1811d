# nixpkgs' trivial builders, with its names and arguments.
{ lib, system, bootstrap, pkgs }:
let
  tools = with pkgs; [
    bash bzip2 coreutils diffutils findutils gawk gnugrep gnused gnutar gzip xz
  ];

  farmSpec = { paths, pathsToLink ? [ "/" ], extraPrefix ? "", ignoreCollisions ? false, onlyFiles ? false, copy ? [ ], links ? { } }: {
    inherit pathsToLink extraPrefix ignoreCollisions onlyFiles copy links;
    paths = map toString (lib.filter (path: path != null) (lib.flatten paths));
  };
in
rec {
  # Attributes of `env` are variables of the script, except those that nixpkgs keeps out of it too.
  runCommand = name: env: script:
    derivation ({
      inherit name system;
      builder = "${pkgs.bash}/bin/bash";
      args = [ "-e" ./run-command.sh ];
      initialPath = lib.makeBinPath tools;
      buildCommand = script;
      passAsFile = [ "buildCommand" ] ++ env.passAsFile or [ ];
    } // removeAttrs env [ "passAsFile" "passthru" "meta" ])
    // { meta = env.meta or { }; }
    // env.passthru or { };
  runCommandLocal = name: env: runCommand name (env // { preferLocalBuild = true; allowSubstitutes = false; });

  writeTextFile = { name, text, executable ? false, destination ? "", checkPhase ? "", meta ? { }, passthru ? { } }:
    runCommandLocal name { inherit text checkPhase meta passthru; passAsFile = [ "text" ]; } ''
      target=$out${lib.escapeShellArg destination}
      mkdir -p "$(dirname "$target")"
      cp "$textPath" "$target"
      ${lib.optionalString executable ''chmod +x "$target"''}
      eval "$checkPhase"
    '';
  writeText = name: text: writeTextFile { inherit name text; };
  writeTextDir = path: text: writeTextFile { inherit text; name = builtins.baseNameOf path; destination = "/${path}"; };
  writeScript = name: text: writeTextFile { inherit name text; executable = true; };
  writeScriptBin = name: text: writeTextFile {
    inherit name text;
    executable = true;
    destination = "/bin/${name}";
    meta.mainProgram = name;
  };
  writeShellScript = name: text: writeScript name "#!${pkgs.bash}/bin/bash\n${text}\n";
  writeShellScriptBin = name: text: writeScriptBin name "#!${pkgs.bash}/bin/bash\n${text}\n";

  # A derivation that is used for its shell environment. Its output is not needed.
  mkShell = { name ? "nix-shell", packages ? [ ], nativeBuildInputs ? [ ], ... }@env:
    runCommandLocal name
      (removeAttrs env [ "name" "packages" ] // {
        nativeBuildInputs = packages ++ nativeBuildInputs;
        stdenv = runCommandLocal "shell-setup" { } "mkdir $out; cp ${./shell-setup.sh} $out/setup";
      })
      ''env > "$out"'';

  # A tree of links. This builder needs no shell, so it can build the Python environments.
  farm = name: spec: bootstrap.build name ./farm.py (farmSpec spec);

  # The same, with a script to run in the end.
  farmThen = name: postBuild: env: spec:
    runCommand name (bootstrap.environment (farmSpec spec) // env) ''
      ${lib.escapeShellArgs (bootstrap.python ++ [ "${./farm.py}" ])}
      unset PYTHONHOME PYTHONHASHSEED
      ${postBuild}
    '';

  buildEnv =
    { name
    , paths
    , pathsToLink ? [ "/" ]
    , extraPrefix ? ""
    , ignoreCollisions ? false
    , nativeBuildInputs ? [ ]
    , buildInputs ? [ ]
    , postBuild ? ""
    , meta ? { }
    , passthru ? { }
    , ...
    }: farmThen name postBuild { inherit nativeBuildInputs buildInputs meta passthru; } {
      inherit paths pathsToLink extraPrefix ignoreCollisions;
    };

  symlinkJoin = { name, paths, postBuild ? "", ... }@args:
    farmThen name postBuild (removeAttrs args [ "name" "paths" "postBuild" ]) {
      inherit paths;
      onlyFiles = true;
      ignoreCollisions = true;
    };
}
