# An image out of a registry, pulled by Skopeo: dockerTools' arguments, and byte for byte what Skopeo writes, so
# that hashes from elsewhere stay valid. A fixed-output derivation: the hash is of the file.
{ toolbox }:
{ imageName                  # with the registry when it is not Docker Hub
, imageDigest                # sha256:...
, hash ? null                # of the archive: SRI; or sha256; or outputHash and outputHashAlgo
, sha256 ? null
, outputHash ? null
, outputHashAlgo ? null
, os ? "linux"
, arch ? toolbox.goArch
, finalImageName ? imageName # the name that the archive tells
, finalImageTag ? "latest"
, tlsVerify ? true
, authFile ? null            # credentials as podman login writes them: see docs/pullImage.md, "Private registries"
, name ? "docker-image-${builtins.replaceStrings [ "/" ":" ] [ "-" "-" ] finalImageName}-${finalImageTag}.tar"
}:
let
  given = builtins.filter (value: value != null) [ hash sha256 outputHash ];
  wanted =
    if builtins.length given != 1
    then throw "pullImage ${imageName}: give one of hash, sha256, outputHash"
    else builtins.head given;
in
assert builtins.match "sha256:[0-9a-f]{64}" imageDigest != null
  || throw "pullImage ${imageName}: imageDigest is ${builtins.toJSON imageDigest}; it takes sha256: and 64 hexadecimal digits";
toolbox.derive {
  inherit name;
  outputHash = wanted;
  outputHashMode = "flat";
  outputHashAlgo = if outputHashAlgo != null then outputHashAlgo else if hash != null then null else "sha256";
  impureEnvVars = [
    "http_proxy" "https_proxy" "ftp_proxy" "all_proxy" "no_proxy"
    "HTTP_PROXY" "HTTPS_PROXY" "FTP_PROXY" "ALL_PROXY" "NO_PROXY"
  ];
  inherit (toolbox) skopeo;
  SSL_CERT_FILE = toolbox.cacert;
  from = "docker://${imageName}@${imageDigest}";
  to = "${finalImageName}:${finalImageTag}";
  authentication = if authFile == null then "" else "--authfile=${toString authFile}";
  platform = "--override-os=${os} --override-arch=${arch}";
  verification = "--src-tls-verify=${if tlsVerify then "true" else "false"}";
  script = ''
    export HOME="$TMPDIR"
    "$skopeo" --insecure-policy --tmpdir="$TMPDIR" $platform copy $verification $authentication "$from" "docker-archive:$out:$to"
  '';
  passthru = { inherit imageName imageDigest; };
}
