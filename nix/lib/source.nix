# The Python package, alone: a change of a test or a page does not build the command anew.
let
  root = toString ../../.;
  wanted = path: type:
    let relative = builtins.substring (builtins.stringLength root + 1) (-1) (toString path);
    in
    relative == "pyproject.toml" || relative == "README.md" || relative == "LICENSE"
    || relative == "builder" || (builtins.match "builder/.*" relative != null
      && (builtins.match ".*\\.(py|html|css|js)" relative != null || (type == "directory" && baseNameOf path != "__pycache__")));
  line = builtins.match ".*__version__ = \"([^\"]+)\".*" (builtins.readFile ../../builder/lamina/__init__.py);
in
{
  version = builtins.head line;
  path = builtins.path { path = ../../.; name = "lamina-source"; filter = wanted; };
}
