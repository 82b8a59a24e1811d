# An image from a registry, pulled by Skopeo, with dockerTools' arguments. The result is byte for byte what Skopeo writes,
# so hashes made for dockerTools stay valid. This is a fixed-output derivation: the hash is that of the file or layout.
{ toolbox, function ? "pullImage" }:
let
  kinds = import ./lib/arguments.nix;
in
{ imageName                  # with its registry if that is not Docker Hub
, imageDigest                # sha256:...
, hash ? null                # of the result, as SRI; or give sha256; or outputHash and outputHashAlgo
, sha256 ? null
, outputHash ? null
, outputHashAlgo ? null
, os ? "linux"
, arch ? toolbox.goArch
, finalImageName ? imageName # the name of the image in the archive
, finalImageTag ? "latest"
, tlsVerify ? true
, authFile ? null            # credentials as podman login writes them: see docs/use/pullImage.md, "Private registries"
, format ? "docker-archive"    # or "oci": a layout with the registry's own blobs
, name ? "docker-image-${builtins.replaceStrings [ "/" ":" ] [ "-" "-" ] finalImageName}-${finalImageTag}${if format == "oci" then "" else ".tar"}"
}@arguments:
let
  check = kinds.of { inherit function; it = imageName; };
  hashes = builtins.filter (value: value != null) [ hash sha256 outputHash ];
  expected =
    if builtins.length hashes != 1
    then check.fail "give one of hash, sha256, outputHash; with hash = \"\" the build prints the right hash"
    else builtins.head hashes;
  # An empty hash has no algorithm in it.
  algorithm =
    if outputHashAlgo != null then outputHashAlgo
    else if sha256 != null || expected == "" || builtins.match "[a-z0-9]+[-:].*" expected == null then "sha256"
    else null;
in
assert check.arguments arguments {
  imageName = kinds.pulledName;
  imageDigest = kinds.matching "sha256: and 64 hexadecimal digits" "sha256:[0-9a-f]{64}";
  hash = kinds.nullOr kinds.string;
  sha256 = kinds.nullOr kinds.string;
  outputHash = kinds.nullOr kinds.string;
  outputHashAlgo = kinds.nullOr kinds.string;
  os = kinds.string;
  arch = kinds.architecture;
  finalImageName = kinds.matching "the name of an image" "[A-Za-z0-9._:/-]+";
  finalImageTag = kinds.matching "a tag" "[A-Za-z0-9_.-]+";
  tlsVerify = kinds.bool;
  # Every user can read files in the store.
  authFile = kinds.nullOr (kinds.outsideOfStore "the path of a file outside of the store, as a string");
  format = kinds.among [ "docker-archive" "oci" ];
  name = kinds.storeName;
};
toolbox.derive {
  inherit name;
  outputHash = expected;
  outputHashMode = if format == "oci" then "recursive" else "flat";
  outputHashAlgo = algorithm;
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
  position = builtins.unsafeGetAttrPos "imageName" arguments;
  # As in dockerTools: the name and the tag in the archive.
  passthru = { imageName = finalImageName; imageTag = finalImageTag; inherit imageDigest; };
}
