# Trees of files that programs look for at well-known places: for `copyToRoot` and `contents`.
{ toolbox }:
let
  links = name: targets: toolbox.derive {
    inherit name;
    preferLocalBuild = true;
    allowSubstitutes = false;
    targets = builtins.concatStringsSep "\n" (map (path: "${path} ${targets.${path}}") (builtins.attrNames targets));
    script = ''
      while read -r path target; do
        mkdir -p "$out/$(dirname "$path")"
        ln -s "$target" "$out/$path"
      done <<< "$targets"
    '';
  };
in
{
  binSh = links "bin-sh" { "bin/sh" = "${toolbox.files.bash}/bin/bash"; };

  usrBinEnv = links "usr-bin-env" { "usr/bin/env" = "${toolbox.files.coreutils}/bin/env"; };

  # Where Debian, the older and the newer Red Hat have the certificates of the usual authorities.
  caCertificates = links "ca-certificates" {
    "etc/ssl/certs/ca-bundle.crt" = toolbox.cacert;
    "etc/ssl/certs/ca-certificates.crt" = toolbox.cacert;
    "etc/pki/tls/certs/ca-bundle.crt" = toolbox.cacert;
  };
}
