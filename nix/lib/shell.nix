# Pieces of shell code.
rec {
  quote = text: "'${builtins.replaceStrings [ "'" ] [ "'\\''" ] text}'";

  words = list: builtins.concatStringsSep " " (map quote list);

  # Run the user's script `file` in this shell. If a command in it fails, its line is shown, as `argument` of the user's.
  source = argument: file: ''
    set -E
    trap 'case $BASH_SUBSHELL in '"$BASH_SUBSHELL"') echo "${argument}: exit status $? in line $LINENO: $BASH_COMMAND" >&2 ;; esac' ERR
    source "${file}"
  '';

  # Run the user's script `file` in the directory `root`, in a shell of its own: what the script does to variables, options, traps
  # and the working directory ends with it, and so does `exit`.
  isolated = argument: file: ''
    (
    cd root
    ${source argument file}
    )
  '';
}
