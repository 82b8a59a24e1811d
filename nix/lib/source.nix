# The source of the Python package only, so that a change of a test or a page does not rebuild the command.
let
  root = toString ../../.;
  isSource = path: type:
    let relative = builtins.substring (builtins.stringLength root + 1) (-1) (toString path);
    in
    relative == "pyproject.toml" || relative == "README.md" || relative == "LICENSE"
    || relative == "builder" || (builtins.match "builder/.*" relative != null
      && (builtins.match ".*\\.(py|html|css|js)" relative != null || (type == "directory" && baseNameOf path != "__pycache__")));
  line = builtins.match ".*__version__ = \"([^\"]+)\".*" (builtins.readFile ../../builder/lamina/__init__.py);
in
{
  version = builtins.head line;
  path = builtins.path { path = ../../.; name = "lamina-source"; filter = isSource; };
}
