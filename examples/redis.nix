# A service with a port and a health check.
{ pkgs, lamina, ... }:
lamina.buildImage {
  name = "redis";
  tag = "latest";
  config = {
    Entrypoint = [ "${pkgs.redis}/bin/redis-server" ];
    Cmd = [ "--port" "6390" "--save" "" "--protected-mode" "no" ];
    ExposedPorts."6390/tcp" = { };
    Healthcheck.Test = [ "CMD" "${pkgs.redis}/bin/redis-cli" "-p" "6390" "ping" ];
    StopSignal = "SIGTERM";
  };
}
