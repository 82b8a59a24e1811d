# The same without store paths: it runs where the store is mounted, and nowhere else.
{ dockerTools, examples, ... }:
dockerTools.streamLayeredImage (examples.helloOnRoot.buildArgs // {
  name = "hello-no-store";
  includeStorePaths = false;
})
