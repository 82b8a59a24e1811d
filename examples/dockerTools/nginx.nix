# A web server. Its processes run as a user of the image.
{ pkgs, dockerTools, ... }:
let
  page = pkgs.writeTextDir "index.html" "served out of an image\n";

  configuration = pkgs.writeText "nginx.conf" ''
    user nobody;
    daemon off;
    pid /run/nginx.pid;
    error_log stderr;
    events { }
    http {
      access_log off;
      client_body_temp_path /var/cache/nginx;
      proxy_temp_path /var/cache/nginx;
      fastcgi_temp_path /var/cache/nginx;
      uwsgi_temp_path /var/cache/nginx;
      scgi_temp_path /var/cache/nginx;
      server {
        listen 8000;
        root ${page};
      }
    }
  '';
in
dockerTools.buildLayeredImage {
  name = "nginx-container";
  tag = "latest";
  contents = [
    (pkgs.writeTextDir "etc/passwd" "root:x:0:0::/:/none\nnobody:x:65534:65534::/:/none\n")
    (pkgs.writeTextDir "etc/group" "root:x:0:\nnobody:x:65534:\n")
  ];
  extraCommands = "mkdir -p run var/cache/nginx";
  config = {
    Cmd = [ "${pkgs.nginx}/bin/nginx" "-e" "stderr" "-c" "${configuration}" ];
    ExposedPorts."8000/tcp" = { };
  };
}
