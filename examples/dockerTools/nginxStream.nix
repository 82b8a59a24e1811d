# The web server of `nginx`, as a program that writes the archive.
{ dockerTools, examples, ... }:
dockerTools.streamLayeredImage (removeAttrs examples.nginx.buildArgs [ "compressor" ] // { name = "nginx-container-stream"; })
