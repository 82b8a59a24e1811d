# The same, with a script that has the image as its root directory.
{ dockerTools, examples, ... }:
dockerTools.streamLayeredImage (examples.helloOnRoot.buildArgs // {
  name = "hello-no-store-fakechroot";
  includeStorePaths = false;
  enableFakechroot = true;
  fakeRootCommands = "mkdir /made-by-a-script";
})
