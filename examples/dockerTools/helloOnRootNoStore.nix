# The same without store paths: it runs only where the store is mounted.
{ dockerTools, examples, ... }:
dockerTools.streamLayeredImage (examples.helloOnRoot.buildArgs // {
  name = "hello-no-store";
  includeStorePaths = false;
})
