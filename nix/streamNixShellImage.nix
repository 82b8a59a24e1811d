# An image in which one stands where `nix-shell` of a derivation would stand: its environment, its inputs on PATH, and
# `buildDerivation`, which runs its builder. dockerTools' arguments; see docs/use/nixShellImages.md.
{ toolbox, streamLayeredImage, binSh, usrBinEnv, fakeNss, function ? "streamNixShellImage" }:
let
  kinds = import ./lib/arguments.nix;
  names = import ./lib/names.nix;
  inherit (builtins) concatStringsSep elem isList isPath listToAttrs mapAttrs removeAttrs replaceStrings toString;

  # Where Nix' sandbox lets a derivation build.
  buildDirectory = "/build";

  # A derivation's attribute as its builder gets to see it: as toString has it, but for paths, which go to the store.
  asText = value:
    let
      copied = inner: if isPath inner then "${inner}" else if isList inner then map copied inner else inner;
    in
    toString (copied value);

  # What Nix gives the derivation's builder by itself: an attribute each, some of them in files, and the outputs' places.
  environmentOf = drv:
    let
      given = removeAttrs drv.drvAttrs [ "args" "__ignoreNulls" "__contentAddressed" "__impure" ];
      isNull = name: given.${name} == null;
      # stdenv has Nix leave them out.
      nulls = if drv.drvAttrs.__ignoreNulls or false then builtins.filter isNull (builtins.attrNames given) else [ ];
      attributes = removeAttrs given nulls;
      inFiles = attributes.passAsFile or [ ];
      variable = name:
        if elem name inFiles
        then { name = "${name}Path"; value = "${toolbox.write "${name}.txt" (asText attributes.${name})}"; }
        else { inherit name; value = asText attributes.${name}; };
      # They are made in the image, if at all: the image does not hold them.
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

  # What the shell reads when it starts. A stdenv sets PATH by its inputs and brings runHook; a derivation without one
  # gets the same of us.
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
{ drv                             # the derivation whose shell it is
, name ? "${drv.name}-env"
, tag ? null
, uid ? 1000                      # who works in the image
, gid ? 1000
, homeDirectory ? buildDirectory  # it is not made; where it is the default, it is there and writable
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
  # As after an installation of Nix for one user: who works here may add to the store.
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
