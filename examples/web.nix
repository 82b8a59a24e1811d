# An application of your own, in Python.
{ pkgs, lamina, ... }:
let
  application = pkgs.writeText "app.py" ''
    import http.server
    import json
    import os


    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            body = json.dumps({"path": self.path, "greeting": os.environ["GREETING"]}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments):
            pass


    http.server.ThreadingHTTPServer(("", 8091), Handler).serve_forever()
  '';
in
lamina.buildImage {
  name = "web";
  tag = "1.0";
  config = {
    Cmd = [ "${pkgs.python3}/bin/python3" "${application}" ];
    Env = [ "GREETING=hello" "PYTHONUNBUFFERED=1" ];
    ExposedPorts."8091/tcp" = { };
    WorkingDir = "/";
  };
}
