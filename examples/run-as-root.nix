# A script that runs as root in the image, on a base: it adds a user, and a directory that only this user can read.
{ lamina, examples, ... }:
lamina.buildImage {
  name = "run-as-root";
  tag = "latest";
  fromImage = examples.busybox;
  runAsRoot = ''
    ${lamina.shadowSetup}
    groupadd --gid 1000 web
    useradd --uid 1000 --gid web --home-dir /srv/web --no-create-home web
    install -d -o web -g web -m 0700 /srv/web
    echo "owned by web" > /srv/web/note
    chown web:web /srv/web/note
  '';
  config = {
    Cmd = [ "/bin/sh" "-c" "id -un && stat -c '%U %a %n' /srv/web && cat /srv/web/note" ];
    User = "web";
  };
}
