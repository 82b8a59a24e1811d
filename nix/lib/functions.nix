# The public functions. `defaults` are those in which Lamina and dockerTools differ.
{ toolbox, defaults }:
let
  inherit (import ./arguments.nix) known;
  recipe = import ./recipe.nix { inherit toolbox; };

  # A function with its name for messages. It can be overridden, and refuses arguments that it does not have.
  public = name: make: toolbox.makeOverridable (known name (hints.${name} or { }) (make name));

  stream = function: public function (function: import ../streamLayeredImage.nix { inherit toolbox recipe defaults function; });

  layered = {
    copyToRoot = "it is called contents here";
    keepContentsDirlinks = "here contents become links; buildImage has keepContentsDirlinks";
    runAsRoot = "here fakeRootCommands does that, with enableFakechroot = true in the image; buildImage has runAsRoot";
    diskSize = "there is no virtual machine; leave it out";
    buildVMMemorySize = "there is no virtual machine; leave it out";
  };
  base = {
    from = "did you mean fromImage?";
    base = "did you mean fromImage?";
    baseImage = "did you mean fromImage?";
    arch = "did you mean architecture?";
    system = "did you mean architecture?";
  };
  hints = rec {
    buildImage = base // {
      paths = "did you mean copyToRoot?";
      fakeRootCommands = "here runAsRoot does that";
      enableFakechroot = "runAsRoot has the image as its root directory";
      maxLayers = "here all store paths are in one layer; buildLayeredImage has maxLayers";
      mtime = "buildLayeredImage has mtime";
    };
    buildImageWithNixDb = buildImage;
    buildLayeredImage = base // layered;
    buildLayeredImageWithNixDb = buildLayeredImage;
    streamLayeredImage = base // layered // {
      compressor = "a stream is not compressed; buildLayeredImage has compressor";
      layout = "buildLayeredImage has format";
    };
    pullImage = {
      architecture = "did you mean arch?";
      tag = "did you mean finalImageTag? imageDigest says which image it is";
      imageTag = "did you mean finalImageTag? imageDigest says which image it is";
      digest = "did you mean imageDigest?";
    };
  };
in
rec {
  # The function under another name, for errors.
  buildImageAs = name: public name (function: import ../buildImage.nix { inherit toolbox recipe defaults function; });
  buildLayeredImageAs = name:
    let
      streamLayeredImage = stream name;
      function = import ../buildLayeredImage.nix { inherit toolbox streamLayeredImage defaults; function = name; };
    in
    # It passes all other arguments to streamLayeredImage.
    public name (_: {
      __functor = _: function;
      __functionArgs = streamLayeredImage.__functionArgs // builtins.functionArgs function;
    });

  buildImage = buildImageAs "buildImage";
  buildLayer = public "buildLayer" (function: import ../buildLayer.nix { inherit toolbox function; });
  buildLayeredImage = buildLayeredImageAs "buildLayeredImage";
  streamLayeredImage = stream "streamLayeredImage";
  checkImage = public "checkImage" (function: import ../checkImage.nix { inherit toolbox function; });
  exportImage = public "exportImage" (function: import ../exportImage.nix { inherit toolbox function; });
  streamNixShellImage = public "streamNixShellImage" (function: import ../streamNixShellImage.nix {
    inherit toolbox binSh usrBinEnv fakeNss function;
    streamLayeredImage = stream function;
  });
  buildNixShellImage =
    let
      name = "buildNixShellImage";
      streamNixShellImage = public name (function: import ../streamNixShellImage.nix {
        inherit toolbox binSh usrBinEnv fakeNss function;
        streamLayeredImage = stream function;
      });
      function = import ../buildNixShellImage.nix { inherit toolbox streamNixShellImage defaults; };
    in
    public name (_: {
      __functor = _: function;
      __functionArgs = streamNixShellImage.__functionArgs // builtins.functionArgs function;
    });
  pullImage = public "pullImage" (function: import ../pullImage.nix { inherit toolbox function; });
  buildIndex = public "buildIndex" (function: import ../buildIndex.nix { inherit toolbox function; });
  mergeImages = import ../mergeImages.nix { inherit toolbox; };
  fakeNss = public "fakeNss" (function: import ../fakeNss.nix { inherit toolbox function; }) { };
  shadowSetup = import ../shadowSetup.nix { inherit toolbox; };
  tmp = import ../tmp.nix { inherit buildLayer; };
  binSh = import ../binSh.nix { inherit toolbox; };
  usrBinEnv = import ../usrBinEnv.nix { inherit toolbox; };
  caCertificates = import ../caCertificates.nix { inherit toolbox; };
}
