# Pieces of shell code.
rec {
  quote = text: "'${builtins.replaceStrings [ "'" ] [ "'\\''" ] text}'";

  words = list: builtins.concatStringsSep " " (map quote list);

  # Run the user's script `file` in this shell. If a command in it fails, print its line and the argument's name.
  source = argument: file: ''
    set -E
    trap 'case $BASH_SUBSHELL in '"$BASH_SUBSHELL"') echo "${argument}: exit status $? in line $LINENO: $BASH_COMMAND" >&2 ;; esac' ERR
    source "${file}"
  '';

  # Run the user's script `file` in the directory `root`, in a subshell. Variables, options, traps and the working
  # directory that the script sets, and `exit`, have no effect outside of it.
  isolated = argument: file: ''
    (
    cd root
    ${source argument file}
    )
  '';
}
