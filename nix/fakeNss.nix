# The files that give root and nobody their names: /etc/passwd, /etc/group and /etc/nsswitch.conf; and /var/empty, which
# is their home directory.
{ toolbox, function ? "fakeNss" }:
let
  kinds = import ./lib/arguments.nix;
  lines = builtins.concatStringsSep "\n";
in
{ extraPasswdLines ? [ ]
, extraGroupLines ? [ ]
}@arguments:
let
  check = kinds.of { inherit function; it = null; };
in
assert check.arguments arguments {
  extraPasswdLines = kinds.listOf kinds.string;
  extraGroupLines = kinds.listOf kinds.string;
};
toolbox.derive {
  name = "fake-nss";
  preferLocalBuild = true;
  allowSubstitutes = false;
  passwd = lines (
    [ "root:x:0:0:root user:/var/empty:/bin/sh" ] ++ extraPasswdLines
    ++ [ "nobody:x:65534:65534:nobody:/var/empty:/bin/sh" "" ]
  );
  group = lines ([ "root:x:0:" ] ++ extraGroupLines ++ [ "nobody:x:65534:" "" ]);
  nsswitch = lines [ "hosts: files dns" "" ];
  passAsFile = [ "passwd" "group" "nsswitch" ];
  script = ''
    mkdir -p "$out/etc" "$out/var/empty"
    cp "$passwdPath" "$out/etc/passwd"
    cp "$groupPath" "$out/etc/group"
    cp "$nsswitchPath" "$out/etc/nsswitch.conf"
  '';
}
