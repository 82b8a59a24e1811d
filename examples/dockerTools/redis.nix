# A service with a check of its health, and a place to write to, which a script made that was root there.
{ pkgs, dockerTools, examples, ... }:
dockerTools.buildImage {
  name = "redis";
  tag = "latest";
  fromImage = examples.bash;
  copyToRoot = pkgs.buildEnv {
    name = "image-root";
    paths = [ pkgs.redis ];
    pathsToLink = [ "/bin" ];
  };
  runAsRoot = ''
    mkdir -m 0700 /data
    printf '#!/bin/bash\nexec /bin/redis-cli ping\n' > /is-healthy
    chmod 0755 /is-healthy
  '';
  config = {
    Cmd = [ "/bin/redis-server" ];
    Env = [ "PATH=/bin" ];
    Healthcheck.Test = [ "CMD" "/is-healthy" ];
    Volumes."/data" = { };
    WorkingDir = "/data";
  };
}
