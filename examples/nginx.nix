# A web server, as a user other than root. Its configuration is in the store, its users are in /etc.
{ pkgs, lamina, ... }:
let
  page = pkgs.writeTextDir "index.html" "Hello from an image without a distribution.\n";

  configuration = pkgs.writeText "nginx.conf" ''
    daemon off;
    error_log stderr;
    pid /dev/null;
    events { }
    http {
      access_log off;
      client_body_temp_path /tmp/body;
      proxy_temp_path /tmp/proxy;
      fastcgi_temp_path /tmp/fastcgi;
      uwsgi_temp_path /tmp/uwsgi;
      scgi_temp_path /tmp/scgi;
      server {
        listen 8090;
        root ${page};
      }
    }
  '';

  users = [
    (pkgs.writeTextDir "etc/passwd" "root:x:0:0::/:/none\nnobody:x:65534:65534::/:/none\n")
    (pkgs.writeTextDir "etc/group" "root:x:0:\nnobody:x:65534:\n")
  ];
in
lamina.buildImage {
  name = "nginx";
  tag = "latest";
  copyToRoot = users;
  extraCommands = "mkdir -m 1777 tmp";
  config = {
    Cmd = [ "${pkgs.nginx}/bin/nginx" "-e" "stderr" "-c" "${configuration}" ];
    ExposedPorts."8090/tcp" = { };
    User = "nobody:nobody";
  };
}
