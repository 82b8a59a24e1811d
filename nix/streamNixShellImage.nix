# An image with the environment of `nix-shell` for a derivation: its variables, its inputs on PATH, and the program
# `buildDerivation`, which runs its builder. The arguments are dockerTools': see docs/use/nixShellImages.md.
{ toolbox, streamLayeredImage, binSh, usrBinEnv, fakeNss, function ? "streamNixShellImage" }:
let
  kinds = import ./lib/arguments.nix;
  names = import ./lib/names.nix;
  inherit (builtins) concatStringsSep elem isList isPath listToAttrs mapAttrs removeAttrs replaceStrings toString;

  # The directory in which Nix' sandbox builds a derivation.
  buildDirectory = "/build";

  # A derivation's attribute as its builder sees it: the result of toString, with paths copied to the store.
  asText = value:
    let
      copied = inner: if isPath inner then "${inner}" else if isList inner then map copied inner else inner;
    in
    toString (copied value);

  # The variables that Nix itself sets for the derivation's builder: one for each attribute (some are paths of files with
  # the value), and one with the path of each output.
  environmentOf = drv:
    let
      given = removeAttrs drv.drvAttrs [ "args" "__ignoreNulls" "__contentAddressed" "__impure" ];
      isNull = name: given.${name} == null;
      # With __ignoreNulls, which stdenv sets, Nix leaves nulls out.
      nulls = if drv.drvAttrs.__ignoreNulls or false then builtins.filter isNull (builtins.attrNames given) else [ ];
      attributes = removeAttrs given nulls;
      inFiles = attributes.passAsFile or [ ];
      variable = name:
        if elem name inFiles
        then { name = "${name}Path"; value = "${toolbox.write "${name}.txt" (asText attributes.${name})}"; }
        else { inherit name; value = asText attributes.${name}; };
      # The image does not contain the outputs: they are built inside it, if at all.
      output = name: { inherit name; value = builtins.unsafeDiscardStringContext drv.${name}.outPath; };
    in
    listToAttrs (map variable (builtins.attrNames attributes) ++ map output (drv.drvAttrs.outputs or [ "out" ]));

  # `buildDerivation`: the derivation's own builder, with its arguments.
  builderOf = drv: toolbox.derive {
    name = "build-derivation";
    preferLocalBuild = true;
    allowSubstitutes = false;
    text = ''
      #!${toolbox.files.bash}/bin/bash
      exec ${(import ./lib/shell.nix).words (map asText ([ drv.drvAttrs.builder ] ++ drv.drvAttrs.args or [ ]))}
    '';
    passAsFile = [ "text" ];
    script = ''
      mkdir -p "$out/bin"
      cp "$textPath" "$out/bin/buildDerivation"
      chmod +x "$out/bin/buildDerivation"
    '';
  };

  # The file that the shell reads when it starts. A stdenv sets PATH from its inputs and defines runHook; for a derivation
  # without stdenv, this file does the same.
  startOf = { shell, path, words }: toolbox.write "nix-shell-rc" ''
    inherited=$PATH
    unset PATH
    if [ -n "''${stdenv:-}" ] && [ -e "$stdenv/setup" ]; then
      dontAddDisableDepTrack=1
      source "$stdenv/setup"
    else
      PATH=$inherited
      for input in ''${buildInputs:-} ''${nativeBuildInputs:-}; do
        PATH=$input/bin:$PATH
      done
      export PATH
    fi
    unset inherited input NIX_ENFORCE_PURITY
    PATH=${path}''${PATH:+:$PATH}
    SHELL=${shell}
    BASH=${shell}
    # A hook that fails leaves one in the shell all the same; stdenv's options are for builds.
    set +e
    shopt -u nullglob
    shopt -s execfail
    if [ -n "''${PS1:-}" ] && [ -z "''${NIX_SHELL_PRESERVE_PROMPT:-}" ]; then
      PS1='\n\[\033[1;32m\][nix-shell:\w]\$\[\033[0m\] '
    fi
    if [ "$(type -t runHook)" = function ]; then
      runHook shellHook
    else
      eval "''${shellHook:-}"
    fi
    ${if words == null then "" else "${words}\nexit"}
  '';
in
{ drv                             # the derivation whose environment the image gets
, name ? "${drv.name}-env"
, tag ? null
, uid ? 1000                      # user in the image
, gid ? 1000
, homeDirectory ? buildDirectory  # not created, except for the default, which exists and is writable
, shell ? "${toolbox.files.bash}/bin/bash"
, command ? null                  # runs in the interactive shell, which then ends
, run ? null                      # runs in a shell that is not interactive, which then ends
}@arguments:
let
  check = kinds.of { inherit function; it = arguments.name or drv.name or null; };
in
assert check.arguments arguments {
  name = kinds.imageName;
  tag = kinds.tag;
  uid = kinds.natural;
  gid = kinds.natural;
  homeDirectory = kinds.string;
  shell = kinds.string;
  command = kinds.script;
  run = kinds.script;
};
assert check.holds "drv" drv (kinds.kind
  "a derivation without __structuredAttrs, whose attributes a shell could not have as variables"
  (_: drv ? drvAttrs && !(drv.drvAttrs.__structuredAttrs or false)));
assert run == null || command == null || check.fail "there are run and command; give one of them";
let
  path = "${dirOf shell}:${builderOf drv}/bin";
  own = environmentOf drv;

  variables = {
    SSL_CERT_FILE = toolbox.cacert;
    NIX_SSL_CERT_FILE = toolbox.cacert;
    HOME = homeDirectory;
    NIX_STORE = builtins.storeDir;
    NIX_BUILD_CORES = "1";
  } // own // {
    PATH = path + (if own.PATH or "" == "" then "" else ":${own.PATH}");
    NIX_BUILD_TOP = buildDirectory;
    TMPDIR = buildDirectory;
    TEMPDIR = buildDirectory;
    TMP = buildDirectory;
    TEMP = buildDirectory;
    PWD = buildDirectory;
    TERM = "xterm-256color";
  };

  start = startOf {
    inherit shell path;
    words = if run != null then names.script run else if command != null then names.script command else null;
  };
  owner = "${names.text uid}:${names.text gid}";
in
streamLayeredImage {
  inherit name tag;
  contents = [
    binSh
    usrBinEnv
    (fakeNss.override {
      extraPasswdLines = [ "nixbld:x:${owner}:who builds:${homeDirectory}:/noshell" ];
      extraGroupLines = [ "nixbld:x:${names.text gid}:" ];
    })
  ];
  # As in an installation of Nix for one user: the user may add paths to the store.
  fakeRootCommands = ''
    mkdir -p nix/store nix/var/nix etc/nix .${buildDirectory}
    chown -R ${owner} nix etc/nix .${buildDirectory}
  '';
  config = {
    User = owner;
    Cmd = (if run == null then [ shell "--rcfile" ] else [ shell ]) ++ [ "${start}" ];
    WorkingDir = buildDirectory;
    Env = builtins.attrValues (mapAttrs (variable: value: "${variable}=${value}") variables);
  };
}
