# A tree with the certificates of the usual authorities where Debian, older Red Hat and newer Red Hat systems have them,
# for `copyToRoot` and `contents`.
{ toolbox }:
import ./lib/links.nix { inherit toolbox; } "ca-certificates" {
  "etc/ssl/certs/ca-bundle.crt" = toolbox.cacert;
  "etc/ssl/certs/ca-certificates.crt" = toolbox.cacert;
  "etc/pki/tls/certs/ca-bundle.crt" = toolbox.cacert;
}
