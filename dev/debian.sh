# shellcheck shell=bash
# Source this: where the machine gets Debian from.

# The machine's own sources of Debian as lines of a sources.list, for one release. Other sources are left out, and so are
# updates and security updates of forky: while a release is in testing, they are empty or missing.
debian_sources() { # RELEASE
  # shellcheck disable=SC2016
  local release component uri format='$(RELEASE) $(COMPONENT) $(REPO_URI)'
  apt-get indextargets --format "$format" 'Created-By: Packages' | sort -u |
    while read -r release component uri; do
      [[ $release =~ ^(bookworm|trixie|forky)(-updates|-security)?$ && $component == main ]] || continue
      [[ $1 != forky || -z ${BASH_REMATCH[2]} ]] || continue
      echo "deb $uri $1${BASH_REMATCH[2]} $component"
    done | sort -u
}

# Its settings for downloads, such as a proxy, as a file of apt's.
download_settings() { apt-config dump | grep '^Acquire::'; }
