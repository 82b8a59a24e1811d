# Expressions as they are written for nixpkgs' dockerTools. Only what `pkgs.dockerTools` is differs.
{ pkgs, dockerTools }:
let
  inherit (pkgs) buildEnv hello coreutils lib;
  inherit (dockerTools)
    binSh buildImage buildImageWithNixDb buildLayeredImage buildLayeredImageWithNixDb caCertificates fakeNss mergeImages
    pullImage shadowSetup streamLayeredImage usrBinEnv;
in
rec {
  # A script that works on files, and a directory of packages.
  basic = buildImage {
    name = "Basic";
    tag = "latest";
    copyToRoot = buildEnv {
      name = "image-root";
      pathsToLink = [ "/bin" ];
      paths = [ pkgs.bash coreutils ];
    };
    extraCommands = ''
      mkdir -p tmp etc
      chmod 1777 tmp
      echo basic > etc/name
    '';
    config = {
      Cmd = [ "/bin/bash" "-c" "cat /etc/name" ];
      Env = [ "FROM_PARENT=1" "LAST_LAYER=parent" ];
      Labels.parent = "yes";
    };
    uid = 0;
    gid = 0;
    diskSize = 1024;
    buildVMMemorySize = 512;
    created = "1970-01-01T00:00:01Z";
  };

  oldWord = buildImage {
    name = "old-word";
    tag = "1";
    contents = [ hello ];
    keepContentsDirlinks = true;
    config.Cmd = [ "/bin/hello" ];
  };

  onBasic = buildImage {
    name = "on-basic";
    fromImage = basic;
    fromImageName = null;
    fromImageTag = "latest";
    config.Env = [ "FROM_CHILD=1" "LAST_LAYER=child" ];
    config.Cmd = [ "/bin/bash" "-c" "echo $FROM_PARENT$FROM_CHILD $LAST_LAYER" ];
  };

  layered = buildLayeredImage {
    name = "layered";
    tag = "1";
    contents = [ hello binSh usrBinEnv caCertificates (fakeNss.override { extraPasswdLines = [ "alice:x:1000:1000::/home:/bin/sh" ]; }) ];
    config = {
      Cmd = [ "/bin/sh" "-c" "hello; /usr/bin/env true; cat /etc/passwd /etc/ssl/certs/ca-bundle.crt" ];
      Env = [ "PATH=${lib.makeBinPath [ hello coreutils ]}" ];
    };
    maxLayers = 10;
    extraCommands = "mkdir -m 0777 tmp";
    created = "now";
  };

  streamed = streamLayeredImage {
    name = "streamed";
    tag = "1";
    contents = hello;
    fakeRootCommands = ''
      mkdir -p ./home/alice
      chown 1000:1000 ./home/alice
    '';
    config.Entrypoint = [ "/bin/hello" ];
    uname = "alice";
    gname = "users";
    uid = 1000;
    gid = 1000;
  };

  noTag = buildLayeredImage { name = "no-tag"; config.Cmd = [ "${hello}/bin/hello" ]; };
  zstd = buildImage { name = "zstd"; tag = "1"; compressor = "zstd"; config = { Cmd = [ "${hello}/bin/hello" ]; User = "1"; }; };
  plain = buildImage { name = "plain"; tag = "1"; compressor = "none"; config.Cmd = [ "${hello}/bin/hello" ]; };

  changed = plain.override { tag = "2"; };
  changedByFunction = (streamed.override (old: { tag = old.tag + "-changed"; })).override { name = "other"; };

  merged = mergeImages [ basic zstd noTag ];

  withDatabase = buildImageWithNixDb { name = "with-database"; tag = "1"; copyToRoot = hello; config.Cmd = [ "/bin/hello" ]; };
  layeredWithDatabase = buildLayeredImageWithNixDb { name = "layered-with-database"; tag = "1"; contents = [ hello ]; };

  accounts = pkgs.writeText "accounts" shadowSetup;
}
