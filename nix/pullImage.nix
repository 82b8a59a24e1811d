# An image out of a registry, pulled by Skopeo: dockerTools' arguments, and byte for byte what Skopeo writes, so
# that hashes from elsewhere stay valid. A fixed-output derivation: the hash is of the file, or of the layout.
{ toolbox }:
let
  checks = import ./lib/arguments.nix "pullImage";
in
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
, authFile ? null            # credentials as podman login writes them: see docs/use/pullImage.md, "Private registries"
, format ? "docker-archive"    # or "oci": a layout, whose blobs are those of the registry
, name ? "docker-image-${builtins.replaceStrings [ "/" ":" ] [ "-" "-" ] finalImageName}-${finalImageTag}${if format == "oci" then "" else ".tar"}"
}@arguments:
let
  given = builtins.filter (value: value != null) [ hash sha256 outputHash ];
  wanted =
    if builtins.length given != 1
    then throw "pullImage ${imageName}: give one of hash, sha256, outputHash"
    else builtins.head given;
in
assert checks.arguments arguments {
  imageName = checks.string;
  imageDigest = checks.matching "sha256: and 64 hexadecimal digits" "sha256:[0-9a-f]{64}";
  hash = checks.nullOr checks.string;
  sha256 = checks.nullOr checks.string;
  outputHash = checks.nullOr checks.string;
  outputHashAlgo = checks.nullOr checks.string;
  os = checks.string;
  arch = checks.string;
  finalImageName = checks.matching "the name of an image" "[A-Za-z0-9._:/-]+";
  finalImageTag = checks.matching "a tag" "[A-Za-z0-9_.-]+";
  tlsVerify = checks.bool;
  # What is in the store can be read by everybody.
  authFile = checks.nullOr (checks.outside "the path of a file outside of the store, as a string");
  format = checks.among [ "docker-archive" "oci" ];
  name = checks.string;
};
toolbox.derive {
  inherit name;
  outputHash = wanted;
  outputHashMode = if format == "oci" then "recursive" else "flat";
  outputHashAlgo = if outputHashAlgo != null then outputHashAlgo else if hash != null then null else "sha256";
  impureEnvVars = [
    "http_proxy" "https_proxy" "ftp_proxy" "all_proxy" "no_proxy"
    "HTTP_PROXY" "HTTPS_PROXY" "FTP_PROXY" "ALL_PROXY" "NO_PROXY"
  ];
  inherit (toolbox) skopeo;
  inherit format;
  SSL_CERT_FILE = toolbox.cacert;
  from = "docker://${imageName}@${imageDigest}";
  to = "${finalImageName}:${finalImageTag}";
  tag = finalImageTag;
  authentication = if authFile == null then "" else "--authfile=${toString authFile}";
  platform = "--override-os=${os} --override-arch=${arch}";
  verification = "--src-tls-verify=${if tlsVerify then "true" else "false"}";
  script = ''
    export HOME="$TMPDIR"
    copy() {
      "$skopeo" --insecure-policy --tmpdir="$TMPDIR" $platform copy $verification $authentication "$@"
    }
  '' + (if format == "docker-archive" then ''
    copy "$from" "docker-archive:$out:$to"
  '' else ''
    # Skopeo's own layouts differ from version to version, and hold another config than the registry does.
    copy --preserve-digests "$from" "dir:$TMPDIR/image"
    mkdir -p "$out/blobs"
    mv "$TMPDIR/image" "$out/blobs/sha256"
    cd "$out/blobs/sha256"
    rm version
    digest=$(sha256sum < manifest.json)
    digest=''${digest%% *}
    mv manifest.json "$digest"
    kind=application/vnd.docker.distribution.manifest.v2+json
    grep -qF "$kind" "$digest" || kind=application/vnd.oci.image.manifest.v1+json
    printf '{"imageLayoutVersion":"1.0.0"}' > "$out/oci-layout"
    printf '{"schemaVersion":2,"manifests":[{"mediaType":"%s","digest":"sha256:%s","size":%s,"annotations":{"%s":"%s","%s":"%s"}}]}' \
      "$kind" "$digest" "$(stat -c %s "$digest")" \
      io.containerd.image.name "$to" org.opencontainers.image.ref.name "$tag" > "$out/index.json"
  '');
  passthru = { inherit imageName imageDigest; };
}
