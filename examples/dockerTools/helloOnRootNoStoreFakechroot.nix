# The same, with a script that sees the image as its root.
{ dockerTools, examples, ... }:
dockerTools.streamLayeredImage (examples.helloOnRoot.buildArgs // {
  name = "hello-no-store-fakechroot";
  includeStorePaths = false;
  enableFakechroot = true;
  fakeRootCommands = "mkdir /made-by-a-script";
})
