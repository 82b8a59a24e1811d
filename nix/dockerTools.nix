# In the place of nixpkgs' dockerTools: the same functions as beside it, with dockerTools' defaults, and its names for
# them. docs/use/from-dockertools.md tells what is the same, what is better, and what is not here.
{ functions }:
let
  own = functions {
    compressor = "gz";
    inheritConfig = "env";  # of a base's config only Env
    streams = "file";
  };
in
own // {
  buildImageWithNixDb = arguments: own.buildImage (arguments // { includeNixDB = true; });
  buildLayeredImageWithNixDb = arguments: own.buildLayeredImage (arguments // { includeNixDB = true; });
}
