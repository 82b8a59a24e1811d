# A service with a health check, and a writable directory that a script created as root.
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
