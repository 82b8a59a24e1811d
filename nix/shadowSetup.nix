# Shell code for `runAsRoot`, and for `fakeRootCommands` with `enableFakechroot`. It creates the files that useradd and
# groupadd change, and puts these programs on PATH. Files that exist already stay.
{ toolbox }:
''
  export PATH=${toolbox.files.shadow}/bin:${toolbox.files.shadow}/sbin:$PATH
  mkdir -p /etc/pam.d
  if [ ! -f /etc/passwd ]; then
    echo 'root:x:0:0::/root:${toolbox.files.bash}/bin/bash' > /etc/passwd
    echo 'root:!x:::::::' > /etc/shadow
  fi
  if [ ! -f /etc/group ]; then
    echo 'root:x:0:' > /etc/group
    echo 'root:x::' > /etc/gshadow
  fi
  if [ ! -f /etc/pam.d/other ]; then
    printf '%s\n' \
      'account sufficient pam_unix.so' \
      'auth sufficient pam_rootok.so' \
      'password requisite pam_unix.so nullok yescrypt' \
      'session required pam_unix.so' > /etc/pam.d/other
  fi
  [ -f /etc/login.defs ] || touch /etc/login.defs
''
